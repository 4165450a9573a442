/* SPDX-License-Identifier: Apache-2.0
 * command_renew.c - moves the end of what a client has proved (expiry.h): to a time that somebody
 * says who may, or to the end of a new token. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "fleet/command/command.h"
#include "fleet/expiry.h"

/* [s] Beyond it a number is no time, but one of ms. */
#define EXPIRES_AT_MAX INT64_C(99999999999)

struct renew_args {
	uint64_t expires_at_s; /* 0: by the token */
	struct slice token;    /* in the command's JSON */
};

static bool refuse(struct command *command, const char *reason, const char *detail,
		   const char *seen)
{
	command_problem(command, &(struct problem){
					 .status = 400,
					 .reason = reason,
					 .detail = detail,
					 .seen = slice_from_text(seen),
					 .allowed = command->kind->example,
				 });
	return false;
}

static bool time_read(struct command *command, const json_t *time, uint64_t *out_s)
{
	json_int_t value = json_integer_value(time);
	char seen[32] = "not an integer";

	if (json_is_integer(time) && value > 0 && value <= EXPIRES_AT_MAX) {
		*out_s = (uint64_t)value;
		return true;
	}
	if (json_is_integer(time))
		snprintf(seen, sizeof(seen), "%" JSON_INTEGER_FORMAT, value);
	return refuse(command, "expires_at", "'expires_at' is no time in seconds since the epoch.",
		      seen);
}

static bool renew_parse(struct command *command, const json_t *members)
{
	struct renew_args *args = command_args(command);
	const json_t *time = json_object_get(members, "expires_at");
	const json_t *token = json_object_get(members, "token");

	if ((time == NULL) == (token == NULL))
		return refuse(command, "renewal", "One of 'expires_at' and 'token' is needed.",
			      time == NULL ? "neither" : "both");
	if (time != NULL)
		return time_read(command, time, &args->expires_at_s);
	if (!json_is_string(token))
		return refuse(command, "token", "'token' is no text.", "not a string");
	args->token = slice_of(json_string_value(token), json_string_length(token));
	return true;
}

static void tell_problem(struct command *command, unsigned status, const char *reason,
			 const char *detail)
{
	command_problem(command,
			&(struct problem){.status = status, .reason = reason, .detail = detail});
}

static void tell_end(struct command *command, const struct session *session)
{
	const struct presence *presence = session->presence;
	uint64_t now_s = clock_wall_ns() / NS_PER_S, at_s = expiry_at_s(session);

	command_done(command, 200,
		     json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "result", "renewed", "route",
			       presence_route_name(presence), "client_id", presence->client_id,
			       "connection_id", (json_int_t)presence->connection_id, "expires_at",
			       (json_int_t)at_s, "expires_in",
			       (json_int_t)(at_s > now_s ? at_s - now_s : 0)));
}

static void renew_by_token(struct command *command, struct session *session, struct slice token)
{
	struct session_renewal renewal = {0};

	switch (session->ops->renew(session, token, &renewal)) {
	case 0:
		tell_end(command, session);
		break;
	case -EAGAIN:
		tell_problem(command, 503, renewal.reason, renewal.detail);
		break;
	default:
		tell_problem(command, 403, renewal.reason, renewal.detail);
		break;
	}
}

static void renew_run(struct command *command, struct session *session)
{
	const struct renew_args *args = command_args(command);

	if (expiry_at_s(session) == 0) {
		tell_problem(command, 409, "does_not_expire",
			     "The client has proved who it is by something that does not end.");
	} else if (args->expires_at_s == 0) {
		renew_by_token(command, session, args->token);
	} else if (args->expires_at_s <= clock_wall_ns() / NS_PER_S) {
		tell_problem(command, 400, "expires_at",
			     "'expires_at' is over already, by the clock of the client's node; "
			     "to close a client there is 'close'.");
	} else {
		expiry_move(session, args->expires_at_s);
		tell_end(command, session);
	}
}

const struct command_kind command_renew = {
	.id = COMMAND_ID_RENEW,
	.name = "renew",
	.members = "expires_at, token",
	.example = "{\"expires_at\": 1700000000} or {\"token\": \"...\"}",
	.args_size = sizeof(struct renew_args),
	.parse = renew_parse,
	.run = renew_run,
};
