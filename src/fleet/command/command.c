/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/command/command.h"
#include "fleet/command/command_trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "fleet/fleet.h"

const struct command_kind command_unknown = {.id = COMMAND_ID_UNKNOWN, .name = "unknown"};

/* By their ids. */
static const struct command_kind *const kinds[COMMAND_ID_COUNT] = {
	[COMMAND_ID_UNKNOWN] = &command_unknown, [COMMAND_ID_SEND] = &command_send,
	[COMMAND_ID_INSPECT] = &command_inspect, [COMMAND_ID_CLOSE] = &command_close,
	[COMMAND_ID_JOIN] = &command_join,       [COMMAND_ID_LEAVE] = &command_leave,
	[COMMAND_ID_CALL] = &command_call,       [COMMAND_ID_HOLDER] = &command_holder,
	[COMMAND_ID_CLAIM] = &command_claim,     [COMMAND_ID_RENEW] = &command_renew,
	[COMMAND_ID_ACTIONS] = &command_actions,
};

_Static_assert(ARRAY_LEN(kinds) <= COMMAND_KINDS_MAX, "raise it");

const struct command_kind *command_kind_at(size_t index)
{
	return index < ARRAY_LEN(kinds) ? kinds[index] : NULL;
}

static const struct command_kind *kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i]->members != NULL && strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

/* --- arguments --- */

/* `names`: "code, reason". */
static bool is_among(const char *names, const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || strpbrk(name, ", ") != NULL)
		return false;
	for (const char *at = strstr(names, name); at != NULL; at = strstr(at + 1, name))
		if ((at == names || at[-1] == ' ') && (at[len] == 0 || at[len] == ','))
			return true;
	return false;
}

static bool members_check(struct command *command, json_t *members)
{
	const char *allowed = command->kind->members, *key;
	json_t *value;

	json_object_foreach(members, key, value)
	{
		if (is_among(allowed, key))
			continue;
		command_problem(command, &(struct problem){
						 .status = 400,
						 .reason = "member",
						 .detail = "The body has an unknown member.",
						 .seen = slice_from_text(key),
						 .allowed = allowed[0] == 0 ? "none" : allowed,
					 });
		return false;
	}
	return true;
}

/* Takes the reference. */
static bool read_members(struct command *command, json_t *members)
{
	command->json = members;
	return members_check(command, members) &&
	       (command->kind->parse == NULL || command->kind->parse(command, members));
}

/* NULL: it is none, and the command has ended. */
static json_t *object_load(struct command *command, struct slice text)
{
	char detail[JSON_ERROR_TEXT_LENGTH + 64] = "The body is no JSON object.";
	json_error_t error;
	json_t *json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES,
				  &error);

	if (json_is_object(json))
		return json;
	if (json == NULL) {
		char *near = strstr(error.text, " near '"); /* may be cut within a character */

		if (near != NULL)
			*near = 0;
		snprintf(detail, sizeof(detail), "The body is no JSON object: %s.", error.text);
	}
	json_decref(json);
	command_problem(command, &(struct problem){
					 .status = 400,
					 .reason = "json",
					 .detail = detail,
					 .seen = text,
					 .allowed = command->kind->example,
				 });
	return NULL;
}

bool command_read(struct command *command, struct slice json)
{
	json_t *members = json.len == 0 ? json_object() : object_load(command, json);

	if (members != NULL)
		return read_members(command, members);
	if (!command_has_ended(command))
		command_done(command, 503, NULL);
	return false;
}

/* "inspect, close" */
static const char *names_write(char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i]->members != NULL && used < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s",
						 used == 0 ? "" : ", ", kinds[i]->name);
	return out;
}

static void problem_unknown(struct command *command, const char *name)
{
	char names[COMMAND_KINDS_MAX * 16];

	command_problem(command,
			&(struct problem){
				.status = 400,
				.reason = "command",
				.detail = "'command' names no command.",
				.seen = slice_from_text(name == NULL ? "not a string" : name),
				.allowed = names_write(names, sizeof(names)),
			});
}

struct command *command_parse(const struct fleet *fleet, struct slice json)
{
	struct command *command = command_create(fleet, &command_unknown);
	json_t *object = command == NULL ? NULL : object_load(command, json);

	if (object == NULL)
		return command;
	const char *name = json_string_value(json_object_get(object, "command"));
	const struct command_kind *kind = name == NULL ? NULL : kind_find(name);

	if (kind == NULL) {
		problem_unknown(command, name);
		json_decref(object);
		return command;
	}
	command_destroy(&command);
	command = command_create(fleet, kind);
	if (command == NULL) {
		json_decref(object);
		return NULL;
	}
	json_object_del(object, "command");
	read_members(command, object);
	return command;
}

char *command_format(const struct command *command)
{
	json_t *object = command->json == NULL ? json_object() : json_copy(command->json);
	char *text = NULL;

	if (json_object_set_new(object, "command", json_string(command->kind->name)) == 0)
		text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

/* --- life --- */

struct command *command_create(const struct fleet *fleet, const struct command_kind *kind)
{
	struct command *command = calloc(1, sizeof(*command) + kind->args_size);

	if (command == NULL)
		return NULL;
	command->kind = kind;
	command->fleet = fleet;
	return command;
}

void command_destroy(struct command **command)
{
	struct command *self = *command;

	*command = NULL;
	if (self == NULL)
		return;
	command_trace_leave(self);
	if (self->kind->finish != NULL)
		self->kind->finish(self);
	json_decref(self->json);
	free(self->result.owned);
	free(self);
}

void command_run(struct command *command, struct session *session,
		 void (*on_end)(struct command *command), void *arg)
{
	command->on_end = on_end;
	command->arg = arg;
	command->kind->run(command, session);
}
