/* SPDX-License-Identifier: Apache-2.0
 * event_road.c - what is told of attempts that another process has begun (event_road.h). A flight
 * that waits is found by its connection's id, and stands in the list of its worker, because all
 * of a worker are told together that nothing comes any more. */
#include "route/event_road.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/state.h"

#define BUCKETS 4096

/* What one worker's flights wait for. */
struct corner {
	struct corner *next;
	struct event_road *road;
	struct mailbox *mailbox;
	struct list_node flights;
	struct loop_task end_task;
};

struct event_road {
	struct handover_road *road;
	pthread_mutex_t mutex; /* guards the rest; flights are touched by their own thread only */
	struct corner *corners;
	bool has_ended;
	struct list_node buckets[BUCKETS];
};

/* --- what is told --- */

enum told_tag {
	TOLD_CONNECTION = 1,
	TOLD_SEQUENCE = 2,
	TOLD_RESULT = 3,
	TOLD_DETAIL = 4,
	TOLD_IS_TEXT = 5,
	TOLD_ANSWER = 6,
	/* A list of actions instead. Whoever does not know that must not take it for a message. */
	TOLD_ACTIONS = STATE_MUST | 7,
};

/* For ever; what is not among them is tried again. */
enum told_result {
	TOLD_AGAIN = 0,
	TOLD_TAKEN = 1,
	TOLD_REFUSED = 2,
	TOLD_TOO_BIG = 3,
	TOLD_UNREADABLE = 4
};

static const enum carry_result results[] = {
	[TOLD_AGAIN] = CARRY_FAILED,          [TOLD_TAKEN] = CARRY_TAKEN,
	[TOLD_REFUSED] = CARRY_REFUSED,       [TOLD_TOO_BIG] = CARRY_TOO_BIG,
	[TOLD_UNREADABLE] = CARRY_UNREADABLE,
};

static uint64_t number_of(enum carry_result result)
{
	for (uint64_t i = 0; i < ARRAY_LEN(results); i++)
		if (results[i] == result)
			return i;
	return TOLD_AGAIN;
}

int event_told_write(struct buf *out, const struct event_told *told)
{
	const struct carry_verdict *verdict = &told->verdict;
	struct state_writer writer;

	state_writer_init(&writer, out, SIZE_MAX / 2);
	state_put_u64(&writer, TOLD_CONNECTION, told->connection_id);
	state_put_u64(&writer, TOLD_SEQUENCE, told->sequence);
	state_put_u64(&writer, TOLD_RESULT, number_of(verdict->result));
	if (verdict->detail != NULL) /* with its NUL */
		state_put_bytes(&writer, TOLD_DETAIL,
				slice_of(verdict->detail, strlen(verdict->detail) + 1));
	state_put_u64(&writer, TOLD_IS_TEXT, verdict->answer.is_text);
	state_put_bytes(&writer, TOLD_ANSWER, verdict->answer.bytes);
	if (verdict->actions.len > 0)
		state_put_bytes(&writer, TOLD_ACTIONS, verdict->actions);
	return writer.error;
}

static bool is_text(struct slice bytes)
{
	return bytes.len > 0 && memchr(bytes.data, 0, bytes.len) == bytes.data + bytes.len - 1;
}

static bool bytes_read(const struct state_field *field, struct event_told *told)
{
	if (field->tag == TOLD_ANSWER)
		told->verdict.answer.bytes = field->value;
	else if (field->tag == TOLD_ACTIONS)
		told->verdict.actions = field->value;
	else if (is_text(field->value))
		told->verdict.detail = (const char *)field->value.data;
	return true;
}

static bool field_read(const struct state_field *field, struct event_told *told)
{
	uint64_t number = 0;

	if (field->tag == TOLD_ANSWER || field->tag == TOLD_ACTIONS || field->tag == TOLD_DETAIL)
		return bytes_read(field, told);
	if (!state_u64(field, &number))
		return !state_must_understand(field->tag);
	switch (field->tag) {
	case TOLD_CONNECTION:
		told->connection_id = number;
		return true;
	case TOLD_SEQUENCE:
		told->sequence = number;
		return true;
	case TOLD_RESULT:
		told->verdict.result = number < ARRAY_LEN(results) ? results[number] : CARRY_FAILED;
		return true;
	case TOLD_IS_TEXT:
		told->verdict.answer.is_text = number != 0;
		return true;
	default:
		return !state_must_understand(field->tag);
	}
}

bool event_told_read(struct slice bytes, struct event_told *out_told)
{
	struct event_told told = {.verdict = {.result = CARRY_FAILED, .detail = ""}};
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, bytes);
	while (state_next(&reader, &field))
		if (!field_read(&field, &told))
			return false;
	if (reader.is_bad)
		return false;
	*out_told = told;
	return true;
}

void event_road_tell(struct event_road *road, const struct event_flight *flight,
		     const struct carry_verdict *verdict)
{
	struct buf bytes = {0};
	const struct event_told told = {
		.connection_id = flight->uplink->presence->connection_id,
		.sequence = flight->event->sequence,
		.verdict = *verdict,
	};

	/* If it cannot be told, the newer one tries again once this process has ended. */
	if (event_told_write(&bytes, &told) == 0)
		road->road->tell(road->road, ROAD_EVENT, buf_slice(&bytes));
	buf_finish(&bytes);
}

/* --- those who wait; the mutex is held --- */

static struct list_node *bucket_of(struct event_road *road, uint64_t connection_id)
{
	return &road->buckets[connection_id % BUCKETS];
}

static struct event_flight *flight_find(struct event_road *road, uint64_t connection_id)
{
	struct list_node *bucket = bucket_of(road, connection_id);

	for (struct list_node *node = bucket->next; node != bucket; node = node->next) {
		struct event_flight *flight = CONTAINER_OF(node, struct event_flight, in_road);

		if (flight->uplink->presence->connection_id == connection_id)
			return flight;
	}
	return NULL;
}

static void run_end(struct loop_task *task);

/* NULL: memory is out. */
static struct corner *corner_of(struct event_road *road, struct mailbox *mailbox)
{
	struct corner *corner = road->corners;

	while (corner != NULL && corner->mailbox != mailbox)
		corner = corner->next;
	if (corner != NULL)
		return corner;
	corner = calloc(1, sizeof(*corner));
	if (corner == NULL)
		return NULL;
	*corner = (struct corner){.next = road->corners, .road = road, .mailbox = mailbox};
	corner->end_task.run = run_end;
	list_init(&corner->flights);
	road->corners = corner;
	return corner;
}

/* --- in the thread of the uplink --- */

int event_road_wait(struct event_road *road, struct event_flight *flight)
{
	const struct presence *presence = flight->uplink->presence;

	pthread_mutex_lock(&road->mutex);
	struct corner *corner = road->has_ended ? NULL : corner_of(road, presence->mailbox);

	if (corner != NULL) {
		flight->is_elsewhere = true;
		list_append(&corner->flights, &flight->in_corner);
		list_append(bucket_of(road, presence->connection_id), &flight->in_road);
	}
	pthread_mutex_unlock(&road->mutex);
	return corner == NULL ? -ENOMEM : 0;
}

void event_road_leave(struct event_road *road, struct event_flight *flight)
{
	if (!flight->is_elsewhere)
		return;
	pthread_mutex_lock(&road->mutex);
	flight->is_elsewhere = false;
	list_remove(&flight->in_corner);
	list_remove(&flight->in_road);
	pthread_mutex_unlock(&road->mutex);
}

struct told_task {
	struct loop_task task;
	struct event_road *road;
	size_t len;
	uint8_t bytes[];
};

static void run_told(struct loop_task *task)
{
	struct told_task *self = CONTAINER_OF(task, struct told_task, task);
	struct event_road *road = self->road;
	struct event_told told;
	bool is_good = event_told_read(slice_of(self->bytes, self->len), &told);

	CHECK(is_good); /* it was */
	pthread_mutex_lock(&road->mutex);
	struct event_flight *flight = flight_find(road, told.connection_id);

	pthread_mutex_unlock(&road->mutex);
	if (flight != NULL && flight->event->sequence == told.sequence) {
		event_road_leave(road, flight);
		event_flight_told(flight, &told.verdict);
	}
	free(self);
}

/* No more of them come in. */
static void run_end(struct loop_task *task)
{
	struct corner *corner = CONTAINER_OF(task, struct corner, end_task);

	while (!list_is_empty(&corner->flights)) {
		struct event_flight *flight = CONTAINER_OF(corner->flights.next,
							   struct event_flight, in_corner);

		event_road_leave(corner->road, flight);
		event_flight_alone(flight);
	}
}

/* --- in the road's thread --- */

/* Whom it is for may be gone; and one who cannot be told tries again in the end. */
static void on_told(void *arg, struct slice bytes)
{
	struct event_road *road = arg;
	struct event_told told;

	if (!event_told_read(bytes, &told))
		return;
	struct told_task *self = malloc(sizeof(*self) + bytes.len);

	if (self == NULL)
		return;
	*self = (struct told_task){.task.run = run_told, .road = road, .len = bytes.len};
	memcpy(self->bytes, bytes.data, bytes.len);
	pthread_mutex_lock(&road->mutex);
	const struct event_flight *flight = flight_find(road, told.connection_id);
	bool is_posted = flight != NULL &&
			 mailbox_post(flight->uplink->presence->mailbox, &self->task);

	pthread_mutex_unlock(&road->mutex);
	if (!is_posted)
		free(self);
}

static void on_end(void *arg)
{
	struct event_road *road = arg;

	pthread_mutex_lock(&road->mutex);
	road->has_ended = true;
	for (struct corner *corner = road->corners; corner != NULL; corner = corner->next)
		mailbox_post(corner->mailbox, &corner->end_task);
	pthread_mutex_unlock(&road->mutex);
}

/* --- life --- */

struct event_road *event_road_create(struct handover_road *handover)
{
	struct event_road *road = calloc(1, sizeof(*road));

	if (road == NULL)
		return NULL;
	road->road = handover;
	pthread_mutex_init(&road->mutex, NULL);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&road->buckets[i]);
	road_listen(handover, ROAD_EVENT,
		    &(struct road_ear){.on_told = on_told, .on_end = on_end, .arg = road});
	return road;
}

void event_road_destroy(struct event_road **road)
{
	struct event_road *self = *road;

	*road = NULL;
	if (self == NULL)
		return;
	for (struct corner *corner = self->corners, *next; corner != NULL; corner = next) {
		CHECK(list_is_empty(&corner->flights));
		next = corner->next;
		free(corner);
	}
	pthread_mutex_destroy(&self->mutex);
	free(self);
}
