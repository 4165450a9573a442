/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_ready.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/load/bench_http.h"
#include "os/net_resolve.h"

#define ASK_INTERVAL_MS  100
#define ANSWER_WITHIN_MS 2000

/* Longest text of what one answer said. */
#define SEEN_MAX 768

/* The beginning of a body, for people: one line of printable ASCII. */
static void body_format(struct slice body, char *out, size_t size)
{
	size_t len = MIN(body.len, size - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = body.data[i] >= ' ' && body.data[i] < 0x7f ? (char)body.data[i] : ' ';
	out[len] = 0;
}

static void status_describe(unsigned status, struct slice body, char *seen)
{
	char text[300];

	body_format(body, text, sizeof(text));
	if (status == 503)
		snprintf(seen, SEEN_MAX, "HTTP 503, not ready: %s", text);
	else if (status == 404)
		snprintf(seen, SEEN_MAX,
			 "HTTP 404: something else answers there; is this the right port and "
			 "path? (health is at /health)");
	else
		snprintf(seen, SEEN_MAX,
			 "HTTP %u, which is not 200; is this the right port and path? %s", status,
			 text);
}

/* One question, from the name to the answer: the name of a container can be looked up
 * only once that has started, and its address changes when it starts again. True if the
 * answer is a 200; else says in `seen` (SEEN_MAX) what it is. */
static bool ask(const struct bench_url *url, struct tls_context *tls, uint64_t timeout_ms,
		char *seen)
{
	struct net_addr addr;
	struct bench_http answer = {0};
	const char *problem = net_resolve(url->host, url->port, &addr);

	if (problem != NULL) {
		snprintf(seen, SEEN_MAX, "the host '%s' has no address: %s", url->host, problem);
		return false;
	}
	int r = bench_http_get(url, &addr, tls, timeout_ms, &answer);
	unsigned status = answer.status;

	if (r < 0 || status == 0)
		bench_http_describe(r, &answer, seen, SEEN_MAX);
	else if (status != 200)
		status_describe(status, bench_http_body(&answer), seen);
	bench_http_finish(&answer);
	return status == 200;
}

int bench_ready_wait(const struct bench_url *url, struct tls_context *tls, uint64_t timeout_ms,
		     FILE *notices, const volatile sig_atomic_t *is_interrupted, char *error,
		     size_t error_size)
{
	const char *scheme = bench_url_scheme(url, "http");
	uint64_t deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
	char seen[SEEN_MAX] = "nothing";
	bool is_ready = false;

	do {
		is_ready = ask(url, tls, MIN(timeout_ms, ANSWER_WITHIN_MS), seen);
		if (!is_ready && notices != NULL)
			fprintf(notices, "waiting for %s://%s%s, up to %.1f s: %s\n", scheme,
				url->authority, url->path, (double)timeout_ms / 1000, seen);
		notices = NULL;
		if (!is_ready && *is_interrupted == 0)
			poll(NULL, 0, ASK_INTERVAL_MS);
	} while (!is_ready && *is_interrupted == 0 && clock_now_ns() < deadline_ns);
	if (is_ready)
		return 0;
	if (*is_interrupted != 0)
		return -EINTR;
	snprintf(error, error_size, "%s://%s%s did not answer 200 within %.1f s; seen last: %s",
		 scheme, url->authority, url->path, (double)timeout_ms / 1000, seen);
	return -ETIMEDOUT;
}
