/* SPDX-License-Identifier: Apache-2.0
 * streams.c - all streams: their places, and their ends that come from outside. What the main
 * thread wants is left under the mutex and done by one task in the admin listener's thread, which
 * is posted once at a time. */
#include "admin/stream/streams.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "admin/admin.h"
#include "admin/stream/stream_private.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"

/* How long the end of the process waits for streams to be told. */
#define CLOSE_PATIENCE_NS (NS_PER_S / 2)

/* What is written leaves at the end of a turn. */
#define SETTLE_NS (2 * NS_PER_MS)

const char *stream_end_label(enum stream_end why)
{
#define STREAM_END_LABEL(NAME, label, help) [STREAM_END_##NAME] = label,
	static const char *const labels[] = {STREAM_END_TABLE(STREAM_END_LABEL)};

	return labels[why];
}

static void run_task(struct loop_task *task);
static void on_settled(struct timer *timer);

struct streams *streams_create(const struct admin *admin)
{
	struct streams *streams = calloc(1, sizeof(*streams));

	if (streams == NULL)
		return NULL;
	streams->admin = admin;
	streams->task.run = run_task;
	list_init(&streams->open);
	stream_log_init(&streams->log);
	loop_timer_init(&streams->settle_timer, on_settled);
	pthread_mutex_init(&streams->mutex, NULL);
	pthread_condattr_t clock;

	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&streams->changed, &clock);
	pthread_condattr_destroy(&clock);
	return streams;
}

void streams_destroy(struct streams **streams)
{
	if (*streams == NULL)
		return;
	CHECK(list_is_empty(&(*streams)->open));
	pthread_mutex_destroy(&(*streams)->mutex);
	pthread_cond_destroy(&(*streams)->changed);
	free(*streams);
	*streams = NULL;
}

/* --- in the admin listener's thread --- */

struct server *streams_server(const struct streams *streams)
{
	return streams->admin->api.server;
}

bool streams_have_place(struct streams *streams, uint64_t max)
{
	bool has_place = counter_read(&streams->stats.open) < max;

	if (!has_place)
		counter_set(&streams->stats.refused, counter_read(&streams->stats.refused) + 1);
	return has_place;
}

bool streams_are_closed(const struct streams *streams)
{
	return __atomic_load_n(&streams->is_closed, __ATOMIC_ACQUIRE);
}

bool streams_use(struct streams *streams, struct loop *loop)
{
	pthread_mutex_lock(&streams->mutex);
	streams->loop = loop;
	bool is_open = !streams->is_closing;

	pthread_mutex_unlock(&streams->mutex);
	return is_open;
}

/* What there is to be done; a copy. */
struct order {
	struct api_token token;
	struct tail_rules rules;
	enum stream_end close_why;
	bool has_rules, is_closing;
};

static bool has_other_token(const struct stream *stream, const struct order *order)
{
	return memcmp(&stream->wish.token, &order->token, sizeof(order->token)) != 0;
}

static bool has_other_rules(const struct stream *stream, const struct order *order)
{
	return stream->tail != NULL &&
	       !tail_rules_are_equal(&tail_options(stream->tail)->rules, &order->rules);
}

static void carry_out(struct stream *stream, const struct order *order)
{
	if (order->is_closing)
		stream_end(stream, order->close_why);
	else if (order->has_rules && has_other_token(stream, order))
		stream_end(stream, STREAM_END_TOKEN);
	else if (order->has_rules && has_other_rules(stream, order))
		stream_end(stream, STREAM_END_RULES);
}

static void on_settled(struct timer *timer)
{
	struct streams *streams = CONTAINER_OF(timer, struct streams, settle_timer);

	pthread_mutex_lock(&streams->mutex);
	streams->is_settled = true;
	pthread_cond_broadcast(&streams->changed);
	pthread_mutex_unlock(&streams->mutex);
}

static void run_task(struct loop_task *task)
{
	struct streams *streams = CONTAINER_OF(task, struct streams, task);

	pthread_mutex_lock(&streams->mutex);
	struct order order = {.token = streams->token,
			      .rules = streams->rules,
			      .close_why = streams->close_why,
			      .has_rules = streams->has_rules,
			      .is_closing = streams->is_closing};
	streams->is_posted = false;
	streams->has_rules = false;
	pthread_mutex_unlock(&streams->mutex);
	for (struct list_node *node = streams->open.next, *next; node != &streams->open;
	     node = next) {
		next = node->next; /* it may be freed */
		carry_out(CONTAINER_OF(node, struct stream, node), &order);
	}
	if (order.is_closing)
		loop_timer_start(streams->loop, &streams->settle_timer, SETTLE_NS);
}

/* --- in the main thread --- */

/* The mutex is held. False: there was no stream yet. */
static bool post(struct streams *streams)
{
	if (streams->loop == NULL)
		return false;
	if (!streams->is_posted)
		loop_post(streams->loop, &streams->task);
	streams->is_posted = true;
	return true;
}

void streams_change_rules(struct streams *streams, const struct api_token *token,
			  const struct config_admin *config)
{
	pthread_mutex_lock(&streams->mutex);
	streams->token = *token;
	tail_rules_make(config, &streams->rules);
	streams->has_rules = post(streams);
	pthread_mutex_unlock(&streams->mutex);
}

static struct timespec deadline_after(uint64_t ns)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	uint64_t sum = (uint64_t)time.tv_nsec + ns;

	return (struct timespec){.tv_sec = time.tv_sec + (time_t)(sum / NS_PER_S),
				 .tv_nsec = (long)(sum % NS_PER_S)};
}

void streams_close(struct streams *streams, enum stream_end why)
{
	struct timespec deadline = deadline_after(CLOSE_PATIENCE_NS);
	int r = 0;

	__atomic_store_n(&streams->is_closed, true, __ATOMIC_RELEASE);
	pthread_mutex_lock(&streams->mutex);
	streams->is_closing = true;
	streams->close_why = why;
	if (post(streams))
		while (!streams->is_settled && r != ETIMEDOUT)
			r = pthread_cond_timedwait(&streams->changed, &streams->mutex, &deadline);
	pthread_mutex_unlock(&streams->mutex);
}

/* --- from any thread --- */

void streams_stats(const struct streams *streams, struct streams_stats *out_stats)
{
	const struct streams_stats *stats = &streams->stats;

	*out_stats = (struct streams_stats){
		.open = counter_read(&stats->open),
		.refused = counter_read(&stats->refused),
		.events = counter_read(&stats->events),
		.dropped_messages = counter_read(&stats->dropped_messages),
		.dropped_lines = counter_read(&stats->dropped_lines),
	};
	for (size_t i = 0; i < STREAM_END_COUNT; i++)
		out_stats->ended[i] = counter_read(&stats->ended[i]);
}
