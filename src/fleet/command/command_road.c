/* SPDX-License-Identifier: Apache-2.0
 * command_road.c - commands and results on the road between two processes (command_road.h).
 *
 * A command of the older process waits in a list, under the number of its ask, and belongs to
 * nobody until the thread of the road, which brings its result or the end, takes it out. The result
 * of one that moves with its client may come before its client's worker lets it go: it is kept. */
#include "fleet/command/command_road.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "fleet/client.h"
#include "fleet/command/ask.h"

struct command_road {
	struct handover_road *road;
	/* Of the newer process; NULL: this is the older. */
	const struct fleet *fleet;
	struct fleet_home *home;
	pthread_mutex_t mutex; /* guards the rest */
	struct list_node waiting;
	struct list_node early; /* results */
	bool has_ended;
};

struct early_result {
	struct list_node node;
	uint64_t number;
	unsigned status;
	size_t len;
	uint8_t body[];
};

/* --- the older process --- */

enum command_tag {
	COMMAND_TAG_NUMBER = 1,
	COMMAND_TAG_ROUTE = 2,
	COMMAND_TAG_CLIENT_ID = 3,
	COMMAND_TAG_TIMEOUT = 4, /* [ns] */
	COMMAND_TAG_JSON = 5,    /* of all but `send` */
	COMMAND_TAG_MESSAGE = 6, /* to send */
	COMMAND_TAG_IS_TEXT = 7,
};

enum result_tag {
	RESULT_TAG_NUMBER = 1,
	RESULT_TAG_STATUS = 2,
	RESULT_TAG_BODY = 3,
};

static struct command *command_of(struct ask *ask)
{
	return CONTAINER_OF(ask, struct command, ask);
}

/* 0 or -ENOMEM. */
static int command_write(struct command *command, struct buf *out)
{
	const struct ask *ask = &command->ask;
	bool is_send = command->kind == &command_send;
	char *json = is_send ? NULL : command_format(command);
	struct state_writer writer;

	state_writer_init(&writer, out, SIZE_MAX / 2);
	state_put_u64(&writer, COMMAND_TAG_NUMBER, ask->number);
	state_put_text(&writer, COMMAND_TAG_ROUTE, ask->route);
	state_put_text(&writer, COMMAND_TAG_CLIENT_ID, ask->client_id);
	state_put_u64(&writer, COMMAND_TAG_TIMEOUT, command->timeout_ns);
	state_put_text(&writer, COMMAND_TAG_JSON, json);
	if (is_send) {
		const struct message *message = command_args(command);

		state_put_u64(&writer, COMMAND_TAG_IS_TEXT, message->is_text);
		state_put_bytes(&writer, COMMAND_TAG_MESSAGE, message->bytes);
	}
	bool is_good = writer.error == 0 && (is_send || json != NULL);

	free(json);
	return is_good ? 0 : -ENOMEM;
}

/* False: nothing comes any more. */
static bool wait_for(struct command_road *road, struct command *command)
{
	pthread_mutex_lock(&road->mutex);
	bool has_ended = road->has_ended;

	if (!has_ended)
		list_append(&road->waiting, &command->ask.in_road);
	pthread_mutex_unlock(&road->mutex);
	return !has_ended;
}

/* With the mutex held: whoever gets it has it for itself. NULL: it is not there. */
static struct command *take_locked(struct command_road *road, uint64_t number)
{
	struct command *found = NULL;

	for (struct list_node *node = road->waiting.next; node != &road->waiting && found == NULL;
	     node = node->next) {
		struct ask *ask = CONTAINER_OF(node, struct ask, in_road);

		if (ask->number == number)
			found = command_of(ask);
	}
	if (found != NULL)
		list_remove(&found->ask.in_road);
	return found;
}

static struct command *take(struct command_road *road, uint64_t number)
{
	pthread_mutex_lock(&road->mutex);
	struct command *command = take_locked(road, number);

	pthread_mutex_unlock(&road->mutex);
	return command;
}

bool command_road_bring(struct command_road *road, struct command *command)
{
	struct buf bytes = {0};
	uint64_t number = command->ask.number;

	if (road == NULL || road->home != NULL)
		return false;
	/* From the moment that it waits it may be gone. */
	bool is_brought = command_write(command, &bytes) == 0 && wait_for(road, command) &&
			  (road->road->tell(road->road, ROAD_COMMAND, buf_slice(&bytes)) ||
			   take(road, number) == NULL);

	buf_finish(&bytes);
	return is_brought;
}

static void end_lost(struct command *command)
{
	command_lost(command,
		     &(struct problem){
			     .status = 503,
			     .reason = "upgrade",
			     .detail = "The process that had the client has ended. What was asked "
				       "for may have happened.",
		     });
}

/* Those that were running when their client moved go back by their on_end. */
static void send_back(struct command *command, bool was_running)
{
	if (!was_running)
		ask_go_back(command);
}

static struct early_result *early_take(struct command_road *road, uint64_t number)
{
	struct early_result *found = NULL;

	pthread_mutex_lock(&road->mutex);
	for (struct list_node *node = road->early.next; node != &road->early && found == NULL;
	     node = node->next)
		if (CONTAINER_OF(node, struct early_result, node)->number == number)
			found = CONTAINER_OF(node, struct early_result, node);
	if (found != NULL)
		list_remove(&found->node);
	pthread_mutex_unlock(&road->mutex);
	return found;
}

void command_road_await(struct command_road *road, struct command *command)
{
	uint64_t number = command->ask.number;

	if (road == NULL || road->home != NULL || !wait_for(road, command)) {
		end_lost(command);
		return;
	}
	/* Behind it whatever comes finds the command. */
	struct early_result *early = early_take(road, number);

	if (early == NULL)
		return;
	command = take(road, number);
	if (command != NULL)
		command_answer(command, early->status, slice_of(early->body, early->len));
	free(early);
}

static bool result_read(struct slice bytes, uint64_t *out_number, uint64_t *out_status,
			struct slice *out_body)
{
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	*out_number = *out_status = 0;
	*out_body = (struct slice){0};
	state_reader_init(&reader, bytes);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == RESULT_TAG_NUMBER)
			is_good = state_u64(&field, out_number);
		else if (field.tag == RESULT_TAG_STATUS)
			is_good = state_u64(&field, out_status);
		else if (field.tag == RESULT_TAG_BODY)
			*out_body = field.value;
		else
			is_good = !state_must_understand(field.tag);
	}
	return is_good && !reader.is_bad && *out_status >= 200 && *out_status <= 599;
}

/* With the mutex held. */
static void early_keep(struct command_road *road, uint64_t number, unsigned status,
		       struct slice body)
{
	struct early_result *early = malloc(sizeof(*early) + body.len);

	if (early == NULL)
		return; /* who asks has a time-out */
	*early = (struct early_result){.number = number, .status = status, .len = body.len};
	if (body.len > 0)
		memcpy(early->body, body.data, body.len);
	list_append(&road->early, &early->node);
}

static void on_result(void *arg, struct slice bytes)
{
	struct command_road *road = arg;
	uint64_t number, status;
	struct slice body;

	if (!result_read(bytes, &number, &status, &body))
		return;
	pthread_mutex_lock(&road->mutex);
	struct command *command = take_locked(road, number);

	if (command == NULL)
		early_keep(road, number, (unsigned)status, body);
	pthread_mutex_unlock(&road->mutex);
	if (command == NULL)
		return;
	bool was_running = command->on_end != NULL;

	command_answer(command, (unsigned)status, body);
	send_back(command, was_running);
}

static void on_end(void *arg)
{
	struct command_road *road = arg;
	struct list_node lost;

	list_init(&lost);
	pthread_mutex_lock(&road->mutex);
	road->has_ended = true;
	list_move_all(&road->waiting, &lost);
	pthread_mutex_unlock(&road->mutex);
	while (!list_is_empty(&lost)) {
		struct command *command = command_of(CONTAINER_OF(lost.next, struct ask, in_road));
		bool was_running = command->on_end != NULL;

		list_remove(&command->ask.in_road);
		end_lost(command);
		send_back(command, was_running);
	}
}

/* --- the newer process --- */

void command_road_tell(struct command_road *road, uint64_t number,
		       const struct command_result *result)
{
	struct state_writer writer;
	struct buf bytes = {0};

	state_writer_init(&writer, &bytes, SIZE_MAX / 2);
	state_put_u64(&writer, RESULT_TAG_NUMBER, number);
	state_put_u64(&writer, RESULT_TAG_STATUS, result->status);
	state_put_bytes(&writer, RESULT_TAG_BODY, result->body);
	/* If it cannot be told, who asked waits in vain for as long as who asks does. */
	if (writer.error == 0)
		road->road->tell(road->road, ROAD_RESULT, buf_slice(&bytes));
	buf_finish(&bytes);
}

/* What has come, on its way to the thread that asks. */
struct brought {
	struct loop_task task;
	struct command_road *road;
	uint64_t number, timeout_ns, is_text;
	struct slice route, client_id, json, message;
	size_t len;
	uint8_t bytes[];
};

static bool brought_read(struct brought *brought)
{
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, slice_of(brought->bytes, brought->len));
	while (is_good && state_next(&reader, &field)) {
		switch (field.tag) {
		case COMMAND_TAG_NUMBER:
			is_good = state_u64(&field, &brought->number);
			break;
		case COMMAND_TAG_TIMEOUT:
			is_good = state_u64(&field, &brought->timeout_ns);
			break;
		case COMMAND_TAG_IS_TEXT:
			is_good = state_u64(&field, &brought->is_text);
			break;
		case COMMAND_TAG_ROUTE:
			brought->route = field.value;
			break;
		case COMMAND_TAG_CLIENT_ID:
			brought->client_id = field.value;
			break;
		case COMMAND_TAG_JSON:
			brought->json = field.value;
			break;
		case COMMAND_TAG_MESSAGE:
			brought->message = field.value;
			break;
		default:
			is_good = !state_must_understand(field.tag);
			break;
		}
	}
	return is_good && !reader.is_bad && brought->route.len <= PRESENCE_ROUTE_MAX &&
	       brought->client_id.len <= PRESENCE_CLIENT_ID_MAX;
}

static void on_done(struct command *command, void *arg)
{
	struct brought *brought = arg;

	command_road_tell(brought->road, brought->number, &command->result);
	command_destroy(&command);
	free(brought);
}

static void text_copy(char *out, struct slice text)
{
	if (text.len > 0)
		memcpy(out, text.data, text.len);
	out[text.len] = 0;
}

static struct command *command_make(const struct fleet *fleet, const struct brought *brought)
{
	if (brought->json.data != NULL)
		return command_parse(fleet, brought->json);
	struct command *command = command_create(fleet, &command_send);

	if (command != NULL)
		command_read_message(command, &(struct message){.is_text = brought->is_text != 0,
								.bytes = brought->message});
	return command;
}

static void run_brought(struct loop_task *task)
{
	struct brought *brought = CONTAINER_OF(task, struct brought, task);
	struct fleet_home *home = brought->road->home;
	struct command *command = command_make(brought->road->fleet, brought);
	char route[PRESENCE_ROUTE_MAX + 1], client_id[PRESENCE_CLIENT_ID_MAX + 1];

	if (command == NULL) {
		command_road_tell(brought->road, brought->number,
				  &(struct command_result){.status = 503});
		free(brought);
		return;
	}
	text_copy(route, brought->route);
	text_copy(client_id, brought->client_id);
	fleet_ask(home, route, client_id, command, brought->timeout_ns, on_done, brought);
}

static void on_command(void *arg, struct slice bytes)
{
	struct command_road *road = arg;
	struct brought *brought = calloc(1, sizeof(*brought) + bytes.len);

	if (brought == NULL)
		return;
	brought->road = road;
	brought->task.run = run_brought;
	brought->len = bytes.len;
	memcpy(brought->bytes, bytes.data, bytes.len);
	if (brought_read(brought))
		loop_post(road->home->loop, &brought->task);
	else
		free(brought);
}

/* --- life --- */

static struct command_road *create(struct handover_road *handover, const struct fleet *fleet,
				   struct fleet_home *home)
{
	struct command_road *road = calloc(1, sizeof(*road));

	if (road == NULL)
		return NULL;
	road->road = handover;
	road->fleet = fleet;
	road->home = home;
	pthread_mutex_init(&road->mutex, NULL);
	list_init(&road->waiting);
	list_init(&road->early);
	if (home == NULL)
		road_listen(
			handover, ROAD_RESULT,
			&(struct road_ear){.on_told = on_result, .on_end = on_end, .arg = road});
	else
		road_listen(handover, ROAD_COMMAND,
			    &(struct road_ear){.on_told = on_command, .arg = road});
	return road;
}

struct command_road *command_road_create_older(struct handover_road *road)
{
	return create(road, NULL, NULL);
}

struct command_road *command_road_create_newer(struct handover_road *road,
					       const struct fleet *fleet, struct fleet_home *home)
{
	return create(road, fleet, home);
}

void command_road_destroy(struct command_road **road)
{
	struct command_road *self = *road;

	*road = NULL;
	if (self == NULL)
		return;
	CHECK(list_is_empty(&self->waiting));
	while (!list_is_empty(&self->early))
		free(CONTAINER_OF(list_pop(&self->early), struct early_result, node));
	pthread_mutex_destroy(&self->mutex);
	free(self);
}
