/* SPDX-License-Identifier: Apache-2.0
 * tail.c - a tail is counted by reference: by whoever began it, by each share from when it is
 * posted to its worker until it is out of its list there, and by each item that is on its way. */
#include "admin/stream/tail.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "server/worker.h"

/* Items that are posted and not told yet. */
#define PENDING_MAX 256

/* [bytes/s] of messages that one worker looks at to redact them. */
#define SCAN_MAX 1048576

/* One worker's; in its thread once it is posted, but for `left_out`. */
struct share {
	struct conn_tap tap;
	struct loop_task join_task, leave_task;
	struct tail *tail;
	struct worker *worker;
	uint64_t second; /* that is being counted */
	uint64_t scanned_bytes;
	bool is_spent; /* this second has had all that it may */
	bool has_joined;
	uint64_t left_out; /* counter */
	uint8_t *room;     /* to redact in; NULL: nothing is redacted */
};

struct tail {
	struct tail_options options;
	char route[PRESENCE_ROUTE_MAX + 1];
	char client_id[PRESENCE_CLIENT_ID_MAX + 1];
	size_t client_id_len;
	struct loop *loop;
	void (*told)(void *arg, const struct tail_item *item);
	void *arg;
	bool is_stopped;     /* the loop's thread */
	uint64_t references; /* atomic */
	uint64_t taken;      /* atomic: the second, and how many of it were taken */
	uint64_t pending;    /* atomic: items on their way */
	size_t share_count;
	struct share shares[];
};

static void tail_unref(struct tail *tail)
{
	if (__atomic_sub_fetch(&tail->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < tail->share_count; i++)
		free(tail->shares[i].room);
	free(tail);
}

static void tail_ref(struct tail *tail)
{
	__atomic_add_fetch(&tail->references, 1, __ATOMIC_RELAXED);
}

/* --- in a worker's thread: what is shown --- */

static bool is_meant(const struct tail *tail, const struct presence *presence,
		     const struct conn_tap_event *event)
{
	bool is_beat = event->kind == CONN_TAP_PING || event->kind == CONN_TAP_PONG;

	if (tail->client_id_len == 0)
		return !is_beat && strcmp(presence_route_name(presence), tail->route) == 0;
	return strcmp(presence->client_id, tail->client_id) == 0 &&
	       strcmp(presence_route_name(presence), tail->route) == 0;
}

/* Of `taken`: so many are below the second. */
#define TAKEN_BITS 16

_Static_assert(TAIL_SAMPLE_MAX < 1 << TAKEN_BITS, "all of a second can be counted");

/* One more of this second's, of all workers? */
static bool take(struct tail *tail, uint64_t second)
{
	uint64_t seen = __atomic_load_n(&tail->taken, __ATOMIC_RELAXED), next;

	do {
		if (seen >> TAKEN_BITS < second)
			next = second << TAKEN_BITS | 1;
		else if ((seen & ((1 << TAKEN_BITS) - 1)) < tail->options.sample)
			next = seen + 1;
		else
			return false;
	} while (!__atomic_compare_exchange_n(&tail->taken, &seen, next, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

/* What is looked at to be redacted is bounded too: one that is large may not cost a worker much of
 * its time. */
static bool is_in_sample(struct share *share)
{
	struct tail *tail = share->tail;
	uint64_t second = loop_now(share->worker->loop) / NS_PER_S;

	if (share->second != second) {
		share->second = second;
		share->scanned_bytes = 0;
		share->is_spent = false;
	}
	if (share->is_spent || counter_read(&tail->pending) >= PENDING_MAX)
		return false;
	share->is_spent = share->scanned_bytes > SCAN_MAX || !take(tail, second);
	return !share->is_spent;
}

static void show(struct share *share, const struct conn_tap_event *event, struct tail_item *item)
{
	const struct tail_options *options = &share->tail->options;
	struct json_redacted done = {0};

	if (event->kind == CONN_TAP_TEXT || event->kind == CONN_TAP_BINARY) {
		item->withheld = tail_rules_show(&options->rules, event->kind == CONN_TAP_TEXT,
						 event->bytes, share->room, item->body,
						 options->body_bytes, &done);
		share->scanned_bytes += MIN(event->bytes.len, (size_t)JSON_REDACT_TEXT_MAX);
	} else if (event->kind == CONN_TAP_END ||
		   (event->kind == CONN_TAP_CLOSE &&
		    tail_rules_show_reason(&options->rules, event->bytes))) {
		done.len = json_redact_fit(event->bytes, TAIL_BODY_MAX);
		if (done.len > 0)
			memcpy(item->body, event->bytes.data, done.len);
	}
	item->len = done.len;
	item->hidden = done.hidden;
	item->is_cut = done.is_cut;
}

static void run_item(struct loop_task *task);

/* NULL: memory is out. */
static struct tail_item *item_create(struct share *share, struct presence *presence,
				     const struct conn_tap_event *event)
{
	size_t room = MAX(share->tail->options.body_bytes,
			  event->kind == CONN_TAP_CLOSE || event->kind == CONN_TAP_END
				  ? event->bytes.len
				  : 0);
	struct tail_item *item = malloc(sizeof(*item) + room);

	if (item == NULL)
		return NULL;
	*item = (struct tail_item){
		.task = {.run = run_item},
		.tail = share->tail,
		.presence = presence_ref(presence),
		.at_ms = clock_wall_ns() / NS_PER_MS,
		.bytes = event->bytes.len,
		.kind = event->kind,
		.code = event->code,
		.is_out = event->is_out,
	};
	show(share, event, item);
	return item;
}

static void on_told(struct conn_tap *tap, const struct presence *presence,
		    const struct conn_tap_event *event)
{
	struct share *share = CONTAINER_OF(tap, struct share, tap);
	struct tail *tail = share->tail;

	if (!is_meant(tail, presence, event))
		return;
	struct tail_item *item = is_in_sample(share)
					 ? item_create(share, (struct presence *)presence, event)
					 : NULL;

	if (item == NULL) {
		counter_set(&share->left_out, counter_read(&share->left_out) + 1);
		return;
	}
	counter_add(&tail->pending, 1);
	tail_ref(tail);
	loop_post(tail->loop, &item->task);
}

/* --- in a worker's thread: coming and going --- */

static void run_join(struct loop_task *task)
{
	struct share *share = CONTAINER_OF(task, struct share, join_task);

	conn_tap_add(&share->worker->home, &share->tap);
}

static void run_leave(struct loop_task *task)
{
	struct share *share = CONTAINER_OF(task, struct share, leave_task);

	conn_tap_remove(&share->worker->home, &share->tap);
	tail_unref(share->tail);
}

/* --- in the thread that began it --- */

static void run_item(struct loop_task *task)
{
	struct tail_item *item = CONTAINER_OF(task, struct tail_item, task);
	struct tail *tail = item->tail;

	counter_sub(&tail->pending, 1);
	if (!tail->is_stopped)
		tail->told(tail->arg, item);
	presence_unref(&item->presence);
	free(item);
	tail_unref(tail);
}

/* A worker that has ended, or has not begun, has no clients. */
static void share_start(struct share *share)
{
	share->join_task.run = run_join;
	share->leave_task.run = run_leave;
	tail_ref(share->tail);
	share->has_joined = share->worker != NULL &&
			    mailbox_post(&share->worker->home.mailbox, &share->join_task);
	if (!share->has_joined)
		tail_unref(share->tail);
}

/* One that has ended meanwhile tells nothing any more. */
static void share_stop(struct share *share)
{
	if (share->has_joined && !mailbox_post(&share->worker->home.mailbox, &share->leave_task))
		tail_unref(share->tail);
}

static struct tail *tail_create(const struct tail_options *options, size_t share_count)
{
	struct tail *tail = calloc(1, sizeof(*tail) + share_count * sizeof(struct share));

	if (tail == NULL)
		return NULL;
	tail->options = *options;
	snprintf(tail->route, sizeof(tail->route), "%s", options->route);
	snprintf(tail->client_id, sizeof(tail->client_id), "%s", options->client_id);
	tail->options.route = tail->route;
	tail->options.client_id = tail->client_id;
	tail->client_id_len = strlen(tail->client_id);
	tail->references = 1;
	tail->share_count = share_count;
	return tail;
}

/* False: memory is out. */
static bool share_init(struct share *share, struct tail *tail, struct worker *worker)
{
	share->tap.told = on_told;
	share->tail = tail;
	share->worker = worker;
	if (tail->options.rules.bodies != CONFIG_TAIL_BODIES_REDACTED)
		return true;
	share->room = malloc(JSON_REDACT_TEXT_MAX);
	return share->room != NULL;
}

struct tail *tail_start(struct server *server, struct loop *loop,
			const struct tail_options *options,
			void (*told)(void *arg, const struct tail_item *item), void *arg)
{
	struct tail *tail = tail_create(options, server_worker_count(server));

	if (tail == NULL)
		return NULL;
	tail->loop = loop;
	tail->told = told;
	tail->arg = arg;
	for (size_t i = 0; i < tail->share_count; i++) {
		if (share_init(&tail->shares[i], tail, server_worker(server, i)))
			continue;
		tail_unref(tail);
		return NULL;
	}
	for (size_t i = 0; i < tail->share_count; i++)
		share_start(&tail->shares[i]);
	return tail;
}

void tail_stop(struct tail **tail)
{
	if (*tail == NULL)
		return;
	(*tail)->is_stopped = true;
	for (size_t i = 0; i < (*tail)->share_count; i++)
		share_stop(&(*tail)->shares[i]);
	tail_unref(*tail);
	*tail = NULL;
}

uint64_t tail_left_out(const struct tail *tail)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < tail->share_count; i++)
		sum += counter_read(&tail->shares[i].left_out);
	return sum;
}

const struct tail_options *tail_options(const struct tail *tail)
{
	return &tail->options;
}
