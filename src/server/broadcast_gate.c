/* SPDX-License-Identifier: Apache-2.0
 * broadcast_gate.c - messages to many between two processes (broadcast_gate.h). One that is kept,
 * or told, is a copy, in one list or the other, until its result is posted to who asked. */
#include "server/broadcast_gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/state.h"
#include "server/server_private.h"

struct kept {
	struct list_node node;
	uint64_t number;
	struct broadcast_order order; /* what it lends lies in this */
	char route[PRESENCE_ROUTE_MAX + 1];
	char group[GROUP_NAME_MAX + 1];
	struct broadcast_result result;
	struct loop_task task;
	uint8_t bytes[];
};

/* --- what is told --- */

enum fan_out_tag {
	FAN_OUT_TAG_NUMBER = 1,
	FAN_OUT_TAG_ROUTE = 2, /* neither: all */
	FAN_OUT_TAG_GROUP = 3,
	FAN_OUT_TAG_IS_TEXT = 4,
	FAN_OUT_TAG_MESSAGE = 5,
	FAN_OUT_TAG_EXCEPT = 6, /* as in the header; left out: nobody */
};

enum fan_out_result_tag {
	FAN_OUT_RESULT_TAG_NUMBER = 1,
	FAN_OUT_RESULT_TAG_DELIVERED = 2,
	FAN_OUT_RESULT_TAG_CUT = 3,
	FAN_OUT_RESULT_TAG_FAILED = 4,
	FAN_OUT_RESULT_TAG_BYTES = 5,
};

/* --- older --- */

/* In the thread of who asked. */
static void on_done(struct loop_task *task)
{
	struct kept *kept = CONTAINER_OF(task, struct kept, task);

	kept->order.on_done(kept->order.arg, &kept->result);
	free(kept);
}

static void end(struct kept *kept)
{
	kept->task.run = on_done;
	loop_post(kept->order.home, &kept->task);
}

static struct kept *kept_create(const struct broadcast_order *order)
{
	const struct fan_out *what = &order->what;
	size_t len = what->message.bytes.len;
	struct kept *kept = calloc(1, sizeof(*kept) + len);

	if (kept == NULL)
		return NULL;
	kept->order = *order;
	if (what->route != NULL)
		snprintf(kept->route, sizeof(kept->route), "%s", what->route);
	if (what->group != NULL)
		snprintf(kept->group, sizeof(kept->group), "%s", what->group);
	kept->order.what.route = what->route == NULL ? NULL : kept->route;
	kept->order.what.group = what->group == NULL ? NULL : kept->group;
	if (len > 0)
		memcpy(kept->bytes, what->message.bytes.data, len);
	kept->order.what.message.bytes = slice_of(kept->bytes, len);
	return kept;
}

/* With the mutex held. Takes it over. */
static void send_there(struct broadcast_gate *gate, struct kept *kept)
{
	const struct fan_out *what = &kept->order.what;
	char except[EXCEPT_TEXT_MAX];
	struct buf bytes = {0};
	struct state_writer writer;

	kept->number = ++gate->last_number;
	state_writer_init(&writer, &bytes, SIZE_MAX / 2);
	state_put_u64(&writer, FAN_OUT_TAG_NUMBER, kept->number);
	state_put_text(&writer, FAN_OUT_TAG_ROUTE, what->route);
	state_put_text(&writer, FAN_OUT_TAG_GROUP, what->group);
	state_put_u64(&writer, FAN_OUT_TAG_IS_TEXT, what->message.is_text);
	state_put_bytes(&writer, FAN_OUT_TAG_MESSAGE, what->message.bytes);
	if (except_is_set(&what->except))
		state_put_bytes(&writer, FAN_OUT_TAG_EXCEPT | STATE_MUST,
				except_header_write(&what->except, except));
	if (writer.error == 0 && gate->road->tell(gate->road, ROAD_FAN_OUT, buf_slice(&bytes)))
		list_append(&gate->told, &kept->node);
	else
		end(kept); /* to nobody */
	buf_finish(&bytes);
}

int broadcast_gate_take(struct broadcast_gate *gate, const struct broadcast_order *order)
{
	struct kept *kept = kept_create(order);

	if (kept == NULL)
		return -ENOMEM;
	if (gate->way == BROADCAST_KEPT)
		list_append(&gate->kept, &kept->node);
	else
		send_there(gate, kept);
	return 0;
}

static struct kept *kept_pop(struct list_node *list)
{
	struct kept *kept = list_is_empty(list) ? NULL
						: CONTAINER_OF(list->next, struct kept, node);

	if (kept != NULL)
		list_remove(&kept->node);
	return kept;
}

void broadcast_gate_hold(struct server *server)
{
	pthread_mutex_lock(&server->broadcasts.mutex);
	server->broadcasts.way = BROADCAST_KEPT;
	pthread_mutex_unlock(&server->broadcasts.mutex);
}

void broadcast_gate_open(struct server *server)
{
	struct broadcast_gate *gate = &server->broadcasts;
	struct list_node all;
	struct kept *kept;

	list_init(&all);
	pthread_mutex_lock(&gate->mutex);
	gate->way = BROADCAST_HERE;
	list_move_all(&gate->kept, &all);
	pthread_mutex_unlock(&gate->mutex);
	while ((kept = kept_pop(&all)) != NULL) {
		if (broadcast_start(server, &kept->order) == 0)
			free(kept);
		else
			end(kept);
	}
}

void broadcast_gate_move(struct server *server, struct handover_road *road)
{
	struct broadcast_gate *gate = &server->broadcasts;
	struct kept *kept;

	pthread_mutex_lock(&gate->mutex);
	gate->way = BROADCAST_THERE;
	gate->road = road;
	while ((kept = kept_pop(&gate->kept)) != NULL)
		send_there(gate, kept);
	pthread_mutex_unlock(&gate->mutex);
}

static struct kept *told_take(struct broadcast_gate *gate, uint64_t number)
{
	struct kept *found = NULL;

	pthread_mutex_lock(&gate->mutex);
	for (struct list_node *node = gate->told.next; node != &gate->told && found == NULL;
	     node = node->next)
		if (CONTAINER_OF(node, struct kept, node)->number == number)
			found = CONTAINER_OF(node, struct kept, node);
	if (found != NULL)
		list_remove(&found->node);
	pthread_mutex_unlock(&gate->mutex);
	return found;
}

static void on_result(void *arg, struct slice bytes)
{
	struct server *server = arg;
	struct broadcast_result result = {0};
	uint64_t *const numbers[] = {NULL,        NULL,           &result.delivered,
				     &result.cut, &result.failed, &result.bytes};
	struct state_reader reader;
	struct state_field field;
	uint64_t number = 0, value;

	state_reader_init(&reader, bytes);
	while (state_next(&reader, &field)) {
		if (!state_u64(&field, &value))
			continue;
		if (field.tag == FAN_OUT_RESULT_TAG_NUMBER)
			number = value;
		else if (field.tag < ARRAY_LEN(numbers) && numbers[field.tag] != NULL)
			*numbers[field.tag] = value;
	}
	struct kept *kept = told_take(&server->broadcasts, number);

	if (kept == NULL)
		return;
	kept->result = result;
	end(kept);
}

static void on_end(void *arg)
{
	struct broadcast_gate *gate = &((struct server *)arg)->broadcasts;
	struct kept *kept;

	pthread_mutex_lock(&gate->mutex);
	while ((kept = kept_pop(&gate->told)) != NULL)
		end(kept);
	pthread_mutex_unlock(&gate->mutex);
}

/* --- newer --- */

struct from_other {
	struct handover_road *road;
	uint64_t number;
};

static void on_delivered(void *arg, const struct broadcast_result *result)
{
	struct from_other *self = arg;
	struct state_writer writer;
	struct buf bytes = {0};

	state_writer_init(&writer, &bytes, 4096);
	state_put_u64(&writer, FAN_OUT_RESULT_TAG_NUMBER, self->number);
	state_put_u64(&writer, FAN_OUT_RESULT_TAG_DELIVERED, result->delivered);
	state_put_u64(&writer, FAN_OUT_RESULT_TAG_CUT, result->cut);
	state_put_u64(&writer, FAN_OUT_RESULT_TAG_FAILED, result->failed);
	state_put_u64(&writer, FAN_OUT_RESULT_TAG_BYTES, result->bytes);
	if (writer.error == 0)
		self->road->tell(self->road, ROAD_FAN_OUT_RESULT, buf_slice(&bytes));
	buf_finish(&bytes);
	free(self);
}

/* The text, with a NUL, in `room`; NULL: it is too long. */
static const char *text_of(struct slice text, char *room, size_t size)
{
	if (text.len >= size)
		return NULL;
	snprintf(room, size, "%.*s", SLICE_ARG(text));
	return room;
}

static bool order_read(struct slice bytes, struct broadcast_order *order, uint64_t *out_number,
		       char route[PRESENCE_ROUTE_MAX + 1], char group[GROUP_NAME_MAX + 1])
{
	struct fan_out *what = &order->what;
	struct state_reader reader;
	struct state_field field;
	uint64_t number;
	bool is_good = true;

	state_reader_init(&reader, bytes);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == FAN_OUT_TAG_NUMBER)
			is_good = state_u64(&field, out_number);
		else if (field.tag == FAN_OUT_TAG_ROUTE)
			is_good = (what->route = text_of(field.value, route,
							 PRESENCE_ROUTE_MAX + 1)) != NULL;
		else if (field.tag == FAN_OUT_TAG_GROUP)
			is_good = (what->group = text_of(field.value, group, GROUP_NAME_MAX + 1)) !=
				  NULL;
		else if (field.tag == FAN_OUT_TAG_IS_TEXT)
			is_good = state_u64(&field, &number) &&
				  ((what->message.is_text = number != 0), true);
		else if (field.tag == FAN_OUT_TAG_MESSAGE)
			what->message.bytes = field.value;
		else if (field.tag == (FAN_OUT_TAG_EXCEPT | STATE_MUST))
			is_good = except_header_read(field.value, &what->except);
		else
			is_good = !state_must_understand(field.tag);
	}
	return is_good && !reader.is_bad;
}

static void on_fan_out(void *arg, struct slice bytes)
{
	struct server *server = arg;
	char route[PRESENCE_ROUTE_MAX + 1], group[GROUP_NAME_MAX + 1];
	struct from_other *self = malloc(sizeof(*self));
	struct broadcast_order order = {
		.home = server->slots[server->worker_count].worker->loop,
		.on_done = on_delivered,
		.arg = self,
	};

	if (self == NULL)
		return;
	*self = (struct from_other){.road = server->broadcasts.road_before};
	if (!order_read(bytes, &order, &self->number, route, group) ||
	    broadcast_start(server, &order) < 0)
		free(self); /* who asked hears of the end */
}

/* --- both --- */

void broadcast_gate_listen(struct server *server, struct handover_road *road, bool is_newer)
{
	if (is_newer) {
		server->broadcasts.road_before = road;
		road_listen(road, ROAD_FAN_OUT,
			    &(struct road_ear){.on_told = on_fan_out, .arg = server});
	} else {
		road_listen(
			road, ROAD_FAN_OUT_RESULT,
			&(struct road_ear){.on_told = on_result, .on_end = on_end, .arg = server});
	}
}

void broadcast_gate_init(struct broadcast_gate *gate)
{
	pthread_mutex_init(&gate->mutex, NULL);
	list_init(&gate->kept);
	list_init(&gate->told);
}

void broadcast_gate_finish(struct broadcast_gate *gate)
{
	CHECK(list_is_empty(&gate->kept) && list_is_empty(&gate->told));
	pthread_mutex_destroy(&gate->mutex);
}
