/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/command/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/counter.h"
#include "fleet/fleet.h"

const struct command_kind command_unknown = {.name = "unknown"};

static const struct command_kind *const kinds[] = {
	&command_unknown, &command_send, &command_inspect, &command_close, &command_join,
	&command_leave,   &command_call, &command_holder,  &command_claim,
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

/* --- the end --- */

static enum command_outcome outcome_of(unsigned status)
{
	if (status < 400)
		return COMMAND_DONE;
	if (status == 404)
		return COMMAND_NOT_CONNECTED;
	if (status < 500)
		return COMMAND_REFUSED;
	return status == 504 ? COMMAND_TIMED_OUT : COMMAND_FAILED;
}

const char *command_outcome_label(enum command_outcome outcome)
{
#define OUTCOME_LABEL(NAME, label) label,
	static const char *const labels[] = {COMMAND_OUTCOMES(OUTCOME_LABEL)};

	CHECK((size_t)outcome < ARRAY_LEN(labels));
	return labels[outcome];
}

void command_count(const struct fleet *fleet, const struct command_kind *kind, unsigned status)
{
	size_t index = 0;

	while (index < ARRAY_LEN(kinds) && kinds[index] != kind)
		index++;
	CHECK(index < ARRAY_LEN(kinds));
	counter_add(&fleet->commands->ended[index][outcome_of(status)], 1);
}

static void end(struct command *command, const struct command_result *result)
{
	CHECK(!command_has_ended(command));
	command->result = *result;
	if (command->on_end != NULL)
		command->on_end(command);
}

/* Before the closing brace. Takes over `text`; NULL in and out: memory is out. */
static char *text_extend(char *text, struct slice members)
{
	size_t len = text == NULL ? 0 : strlen(text);
	char *longer = text == NULL ? NULL : realloc(text, len + members.len + 2);

	if (longer == NULL) {
		free(text);
		return NULL;
	}
	longer[len - 1] = ',';
	memcpy(longer + len, members.data, members.len);
	memcpy(longer + len + members.len, "}", 2);
	return longer;
}

/* Takes over `text`; NULL: memory is out. */
static void done(struct command *command, unsigned status, char *text)
{
	static const char no_memory[] =
		"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
		"\"detail\":\"The gateway is out of memory.\",\"reason\":\"no_memory\"}";
	struct command_result result = {503, SLICE_LITERAL(no_memory), NULL};

	if (text != NULL)
		result = (struct command_result){status, slice_from_text(text), text};
	command_count(command->fleet, command->kind, result.status);
	end(command, &result);
}

static char *text_of(json_t *body)
{
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

	json_decref(body);
	return text;
}

void command_done(struct command *command, unsigned status, json_t *body)
{
	done(command, status, text_of(body));
}

void command_done_raw(struct command *command, unsigned status, json_t *body, struct slice members)
{
	done(command, status, text_extend(text_of(body), members));
}

void command_problem(struct command *command, const struct problem *problem)
{
	command_done(command, problem->status, problem_json(problem));
}

void command_not_connected(struct command *command, struct slice client_id)
{
	command_problem(command, &(struct problem){
					 .status = 404,
					 .reason = "not_connected",
					 .detail = "This client is not connected.",
					 .seen = client_id,
				 });
}

void command_answer(struct command *command, unsigned status, struct slice body)
{
	char *text = slice_to_text(body);

	if (text == NULL)
		command_done(command, 503, NULL);
	else
		end(command, &(struct command_result){status, slice_of(text, body.len), text});
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
