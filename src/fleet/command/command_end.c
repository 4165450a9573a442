/* SPDX-License-Identifier: Apache-2.0
 * command_end.c - how a command ends: with a status and a body, once, and counted. Its kinds call
 * it, and it knows none of them. */
#include "fleet/command/command.h"
#include "fleet/command/command_trace.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/counter.h"
#include "fleet/fleet.h"

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
	counter_add(&fleet->commands->ended[kind->id][outcome_of(status)], 1);
}

static void end(struct command *command, const struct command_result *result)
{
	CHECK(!command_has_ended(command));
	command->result = *result;
	command_trace_end(command);
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
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));

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

void command_lost(struct command *command, const struct problem *problem)
{
	if (command->kind->lose != NULL)
		command->kind->lose(command);
	else
		command_problem(command, problem);
}

void command_answer(struct command *command, unsigned status, struct slice body)
{
	char *text = slice_to_text(body);

	if (text == NULL)
		command_done(command, 503, NULL);
	else
		end(command, &(struct command_result){status, slice_of(text, body.len), text});
}
