/* SPDX-License-Identifier: Apache-2.0
 * command_call_state.c - calls that wait for a client's answer, and move with it to another
 * process (command_call.h). */
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "fleet/client.h"
#include "fleet/command/command_call.h"
#include "fleet/command/command_caller.h"
#include "fleet/command/command_road.h"
#include "proto/utf8.h"

enum call_tag {
	CALL_TAG_METHOD = 1,
	CALL_TAG_PARAMS = 2, /* as they are sent */
	CALL_TAG_AGE = 3,    /* [ns] since it was asked for */
	CALL_TAG_CALLER = 4, /* record, of command_caller.c */
};

static struct call_args *args_of(const struct rpc_call *call)
{
	return CONTAINER_OF(call, struct call_args, call);
}

static void put(const struct rpc_call *call, struct state_writer *out)
{
	const struct call_args *args = args_of(call);

	if (call->base.number == 0) { /* it is to be sent yet */
		state_put_bytes(out, CALL_TAG_METHOD, call->method);
		state_put_bytes(out, CALL_TAG_PARAMS, call->params);
	}
	state_put_u64(out, CALL_TAG_AGE, clock_now_ns() - args->started_ns);
	size_t begun = state_begin(out, CALL_TAG_CALLER);

	command_caller_export(args->command, out);
	state_end(out, begun);
}

struct found {
	struct slice method, params, caller;
	uint64_t age_ns;
};

static bool found_read(struct slice state, struct found *found)
{
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, state);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == CALL_TAG_METHOD)
			found->method = field.value;
		else if (field.tag == CALL_TAG_PARAMS)
			found->params = field.value;
		else if (field.tag == CALL_TAG_CALLER)
			found->caller = field.value;
		else if (field.tag == CALL_TAG_AGE)
			is_good = state_u64(&field, &found->age_ns);
		else
			is_good = !state_must_understand(field.tag);
	}
	return is_good && !reader.is_bad;
}

/* One text for both: the method, a NUL, the parameters. */
static bool texts_take(struct call_args *args, const struct found *found)
{
	char *text = malloc(found->method.len + 1 + found->params.len + 1);

	if (text == NULL)
		return false;
	if (found->method.len > 0)
		memcpy(text, found->method.data, found->method.len);
	text[found->method.len] = 0;
	if (found->params.len > 0)
		memcpy(text + found->method.len + 1, found->params.data, found->params.len);
	args->params_text = text;
	args->method = text;
	args->call.method = slice_of(text, found->method.len);
	args->call.params = slice_of(text + found->method.len + 1, found->params.len);
	return utf8_is_valid(found->method.data, found->method.len);
}

static struct rpc_call *make(struct session *session, struct slice state)
{
	uint64_t now_ns = clock_now_ns();
	struct found found = {0};

	if (!found_read(state, &found))
		return NULL;
	struct command *command = command_create(session->ops->home(session)->fleet, &command_call);

	if (command == NULL)
		return NULL;
	struct call_args *args = command_args(command);

	args->command = command;
	args->presence = presence_ref(session->presence);
	args->started_ns = now_ns - MIN(now_ns, found.age_ns);
	args->call.on_done = command_call_done;
	if (texts_take(args, &found) && command_caller_import(command, found.caller))
		return &args->call;
	command_caller_discard(command);
	return NULL;
}

/* Who asked over the bus is answered by the other process. */
static void drop_moved(struct rpc_call *call)
{
	struct command *command = args_of(call)->command;

	if (command->ask.home != NULL)
		command_road_await(fleet_command_road(command->fleet), command);
	else
		command_caller_discard(command);
}

static void drop_useless(struct rpc_call *call)
{
	command_caller_discard(args_of(call)->command);
}

const struct rpc_owner command_call_owner = {.put = put, .make = make, .drop = drop_moved};
const struct rpc_owner command_call_discarder = {.put = put, .make = make, .drop = drop_useless};
