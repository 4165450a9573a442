/* SPDX-License-Identifier: Apache-2.0
 * command_actions.c - several actions on one client in one go (fleet/actions/actions.h). */
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "fleet/actions/actions.h"
#include "fleet/command/command.h"
#include "fleet/fleet.h"

struct actions_args {
	struct actions *actions;
	const char *connection_id; /* in the command's JSON; NULL: any connection is meant */
	char problem[256];
};

static bool refuse(struct command *command, const char *reason, const char *detail,
		   const char *seen, const char *allowed)
{
	command_problem(command, &(struct problem){
					 .status = 400,
					 .reason = reason,
					 .detail = detail,
					 .seen = slice_from_text(seen),
					 .allowed = allowed,
				 });
	return false;
}

/* Whether a message is a call depends on the client's route: that is seen there. */
static bool actions_parse(struct command *command, const json_t *members)
{
	struct actions_args *args = command_args(command);
	const json_t *connection = json_object_get(members, "connection_id");
	uint64_t message_max = counter_read(&command->fleet->limits.max_message_size);
	struct actions_fault fault;

	if (connection != NULL && !json_is_string(connection))
		return refuse(command, "connection_id", "'connection_id' is no string.",
			      "not a string", "what an event has as ce-connectionid");
	args->connection_id = json_string_value(connection);
	args->actions = actions_read_members(members, message_max, &fault);
	if (args->actions != NULL)
		return true;
	snprintf(args->problem, sizeof(args->problem), "Nothing was done: %s %s.", fault.where,
		 fault.what);
	return refuse(command, "actions", args->problem, fault.seen, fault.allowed);
}

static void on_failed(void *arg, size_t index, const char *name, const char *reason)
{
	json_array_append_new(arg, json_pack("{s:I, s:s, s:s}", "index", (json_int_t)index,
					     "action", name, "reason", reason));
}

/* "RUN-7": of this run, and this connection. */
static bool is_meant(const struct command *command, const struct presence *presence)
{
	const struct actions_args *args = command_args((struct command *)(uintptr_t)command);
	char text[64];

	snprintf(text, sizeof(text), "%s-%llu", command->fleet->run_id,
		 (unsigned long long)presence->connection_id);
	return args->connection_id == NULL || strcmp(args->connection_id, text) == 0;
}

/* False: nothing is done, and the command has ended. */
static bool actions_check(struct command *command, const struct session *session)
{
	const struct actions_args *args = command_args(command);
	struct problem problem = {.status = 409};
	size_t index;

	if (!is_meant(command, session->presence)) {
		problem.reason = "other_connection";
		problem.detail = "Nothing was done: the client is connected, but by another "
				 "connection than 'connection_id'.";
		problem.seen = slice_from_text(args->connection_id);
	} else if (actions_have_call(args->actions, session_route(session)->rpc, &index)) {
		problem.reason = "use_call";
		problem.detail = "Nothing was done: a message is a call, and on this route the "
				 "gateway makes those, so that their answers find back. Ask it for "
				 "one.";
		problem.allowed = "the command 'call'; any other message";
	} else {
		return true;
	}
	command_problem(command, &problem);
	return false;
}

static void actions_do(struct command *command, struct session *session)
{
	const struct actions_args *args = command_args(command);
	struct presence *presence = session->presence;

	if (!actions_check(command, session))
		return;
	json_t *failed = json_array();

	/* What is done may end the connection, and with it the session. */
	presence_ref(presence);
	actions_run(
		args->actions, session,
		&(struct actions_way){.send = session_push, .on_failed = on_failed, .arg = failed});
	command_done(command, 200,
		     json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "result",
			       json_array_size(failed) == 0 ? "done" : "partly_done", "route",
			       presence_route_name(presence), "client_id", presence->client_id,
			       "connection_id", (json_int_t)presence->connection_id, "actions",
			       (json_int_t)actions_count(args->actions), "failed", failed));
	presence_unref(&presence);
}

static void actions_finish(struct command *command)
{
	struct actions_args *args = command_args(command);

	actions_destroy(&args->actions);
}

const struct command_kind command_actions = {
	.id = COMMAND_ID_ACTIONS,
	.name = "actions",
	.members = "actions, connection_id",
	.example = "{\"actions\": [{\"send\": {\"text\": \"...\"}}]}",
	.args_size = sizeof(struct actions_args),
	.parse = actions_parse,
	.run = actions_do,
	.finish = actions_finish,
};
