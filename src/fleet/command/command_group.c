/* SPDX-License-Identifier: Apache-2.0
 * command_group.c - a client joins a group, or leaves it. */
#include <stdio.h>

#include "base/counter.h"
#include "fleet/client.h"
#include "fleet/command/command.h"

static const char *name_of(const struct command *command)
{
	return json_string_value(json_object_get(command->json, "group"));
}

static bool group_parse(struct command *command, const json_t *members)
{
	const json_t *group = json_object_get(members, "group");
	struct slice name = slice_of(json_string_value(group), json_string_length(group));

	if (group_name_is_good(name))
		return true;
	command_problem(
		command,
		&(struct problem){
			.status = 400,
			.reason = "group",
			.detail = "'group' is no name of a group.",
			.seen = json_is_string(group) ? name : SLICE_LITERAL("not a string"),
			.allowed = GROUP_NAME_ALLOWED,
		});
	return false;
}

static void done(struct command *command, const struct client *client, const char *result)
{
	const struct presence *presence = client->session->presence;

	command_done(command, 200,
		     json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "result", result, "group",
			       name_of(command), "route", presence_route_name(presence),
			       "client_id", presence->client_id, "connection_id",
			       (json_int_t)presence->connection_id, "groups",
			       groups_of_session(client->session)));
}

static void problem_full(struct command *command, enum group_result result)
{
	const struct fleet_limits *limits = &command->fleet->limits;
	bool is_client = result == GROUP_CLIENT_FULL;
	char allowed[32];

	snprintf(allowed, sizeof(allowed), "%llu",
		 (unsigned long long)counter_read(is_client ? &limits->max_groups_per_client
							    : &limits->max_groups));
	command_problem(command,
			&(struct problem){
				.status = is_client ? 409 : 503,
				.reason = is_client ? "max_groups_per_client" : "max_groups",
				.detail = is_client ? "The client is in as many groups as "
						      "server.max_groups_per_client allows. Let it "
						      "leave one, or raise it."
						    : "As many groups have members on the client's "
						      "node as server.max_groups allows. Use "
						      "fewer, or raise it.",
				.seen = slice_from_text(name_of(command)),
				.allowed = allowed,
			});
}

static void join_run(struct command *command, struct session *session)
{
	struct client *client = client_of(session->ops->home(session), session);
	enum group_result result = client == NULL ? GROUP_NO_MEMORY
						  : group_join(client, name_of(command));

	switch (result) {
	case GROUP_JOINED:
		done(command, client, "joined");
		break;
	case GROUP_ALREADY:
		done(command, client, "already_member");
		break;
	case GROUP_CLIENT_FULL:
	case GROUP_NODE_FULL:
		problem_full(command, result);
		break;
	case GROUP_NO_MEMORY:
		command_done(command, 503, NULL);
		break;
	}
}

static void leave_run(struct command *command, struct session *session)
{
	struct client *client = client_of(session->ops->home(session), session);

	if (client == NULL)
		command_done(command, 503, NULL);
	else
		done(command, client,
		     group_leave(client, name_of(command)) ? "left" : "was_no_member");
}

const struct command_kind command_join = {
	.id = COMMAND_ID_JOIN,
	.name = "join",
	.members = "group",
	.example = "{\"group\": \"name\"}",
	.parse = group_parse,
	.run = join_run,
};

const struct command_kind command_leave = {
	.id = COMMAND_ID_LEAVE,
	.name = "leave",
	.members = "group",
	.example = "{\"group\": \"name\"}",
	.parse = group_parse,
	.run = leave_run,
};
