/* SPDX-License-Identifier: Apache-2.0
 * command_takeover.c - what nodes say to one another about who has a client. */
#include "fleet/client.h"
#include "fleet/command/command.h"

/* --- holder --- */

static void holder_run(struct command *command, struct session *session)
{
	struct client_claim claim = takeover_claim(session->client);

	command_done(command, 200, claim_json(&claim));
}

const struct command_kind command_holder = {
	.id = COMMAND_ID_HOLDER,
	.name = "holder",
	.members = "",
	.example = "{}",
	.run = holder_run,
};

/* --- claim --- */

struct claim_args {
	struct client_claim claim;
	bool is_reply;
};

static bool claim_parse(struct command *command, const json_t *members)
{
	struct claim_args *args = command_args(command);

	args->is_reply = json_is_true(json_object_get(members, "is_reply"));
	if (claim_read(members, &args->claim))
		return true;
	command_problem(command, &(struct problem){
					 .status = 400,
					 .reason = "claim",
					 .detail = "This is no claim of a node.",
					 .allowed = command->kind->example,
				 });
	return false;
}

/* The command ends before the session does. */
static void claim_run(struct command *command, struct session *session)
{
	const struct claim_args *args = command_args(command);
	bool is_lost = takeover_told(session->client, &args->claim, args->is_reply);

	command_done(command, 200, json_object());
	if (is_lost)
		session->ops->taken_over(session);
}

const struct command_kind command_claim = {
	.id = COMMAND_ID_CLAIM,
	.name = "claim",
	.members = "node, since, connection_id, generation, is_reply",
	.example = "{\"node\": \"a\", \"since\": 1700000000000, \"connection_id\": 1, "
		   "\"generation\": 1, \"is_reply\": false}",
	.args_size = sizeof(struct claim_args),
	.parse = claim_parse,
	.run = claim_run,
};
