/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_push.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/judge/bench_latency.h"

#define ANSWER_WITHIN_MS 10000
#define NAP_NS           (10 * NS_PER_MS)

/* False: it is over before. */
static bool sleep_until(const struct bench_push *push, uint64_t at_ns)
{
	while (!atomic_load_explicit(&push->is_over, memory_order_relaxed)) {
		uint64_t now_ns = clock_now_ns();
		struct timespec nap = {.tv_nsec = (long)MIN(at_ns - now_ns, NAP_NS)};

		if (now_ns >= at_ns)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

/* "gh1 NUMBER TIME" and spaces: text, however it is declared. */
static void message_write(uint64_t number, char *out, size_t size)
{
	int len = snprintf(out, size, "gh1 %" PRIu64 " %" PRIu64, number, clock_wall_ns());

	CHECK(len > 0 && (size_t)len < size);
	memset(out + len, ' ', size - (size_t)len);
}

static void *run(void *arg)
{
	struct bench_push *push = arg;
	const struct bench_options *options = push->api->options;
	struct bench_url url = options->api_url;
	char *message = malloc(options->size);
	char seen[BENCH_API_SEEN_MAX];

	if (message == NULL)
		snprintf(push->problem, sizeof(push->problem), "memory is out");
	snprintf(url.path, sizeof(url.path), "%s", options->push_path);
	for (uint64_t i = 0; message != NULL && i < options->push_messages; i++) {
		double after_ns = (double)i / options->push_rate * (double)NS_PER_S;

		if (!sleep_until(push, push->start_ns + (uint64_t)after_ns))
			break;
		message_write(i + 1, message, options->size);
		unsigned status = bench_api_ask(
			push->api,
			&(struct bench_api_question){&url, "POST", "text/plain",
						     slice_of(message, options->size)},
			ANSWER_WITHIN_MS, seen);

		if (status < 200 || status > 299) {
			snprintf(push->problem, sizeof(push->problem),
				 "message %" PRIu64 " of %" PRIu64 ": %s", i + 1,
				 options->push_messages, seen);
			break;
		}
		bench_count(&push->pushed);
	}
	free(message);
	return NULL;
}

int bench_push_start(struct bench_push *push, const struct bench_api *api, uint64_t start_ns)
{
	if (api->options->push_path == NULL)
		return 0;
	push->api = api;
	push->start_ns = start_ns;
	int r = -pthread_create(&push->thread, NULL, run, push);

	push->is_running = r == 0;
	return r;
}

void bench_push_stop(struct bench_push *push)
{
	atomic_store_explicit(&push->is_over, true, memory_order_relaxed);
	if (push->is_running)
		pthread_join(push->thread, NULL);
	push->is_running = false;
}
