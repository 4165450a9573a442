/* SPDX-License-Identifier: Apache-2.0
 * command_caller.c - a caller is the number of an ask of the older process, whose result goes back
 * over the road; or the subject of a reply, which is answered over this process's own bus; or
 * nobody, who is told nothing. */
#include "fleet/command/command_caller.h"

#include <stdlib.h>

#include "bus/bus_subject.h"
#include "fleet/command/command_road.h"
#include "fleet/fleet.h"
#include "fleet/link.h"

enum caller_tag {
	CALLER_TAG_REPLY = 1, /* text: the subject */
	CALLER_TAG_ASK = 2,   /* number: of the older process; neither: nobody wants to know */
};

struct caller {
	struct command_road *road;
	uint64_t number;
};

void command_caller_export(const struct command *command, struct state_writer *out)
{
	if (command->ask.home != NULL)
		state_put_u64(out, CALLER_TAG_ASK, command->ask.number);
	else if (command->on_end == link_answer)
		state_put_text(out, CALLER_TAG_REPLY, command->arg);
}

static void answer_ask(struct command *command)
{
	struct caller *caller = command->arg;

	command_road_tell(caller->road, caller->number, &command->result);
	free(caller);
	command_destroy(&command);
}

static bool caller_set(struct command *command, uint64_t number)
{
	struct command_road *road = fleet_command_road(command->fleet);
	struct caller *caller = road == NULL ? NULL : malloc(sizeof(*caller));

	if (caller == NULL)
		return false;
	*caller = (struct caller){road, number};
	command->arg = caller;
	command->on_end = answer_ask;
	return true;
}

static bool reply_set(struct command *command, struct slice reply)
{
	command->on_end = link_answer;
	command->arg = NULL;
	if (reply.len == 0)
		return true;
	if (!bus_subject_is_valid(reply))
		return false;
	command->arg = slice_to_text(reply);
	return command->arg != NULL;
}

bool command_caller_import(struct command *command, struct slice state)
{
	struct slice reply = {0};
	uint64_t number = 0;
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, state);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == CALLER_TAG_REPLY)
			reply = field.value;
		else if (field.tag == CALLER_TAG_ASK)
			is_good = state_u64(&field, &number);
		else
			is_good = !state_must_understand(field.tag);
	}
	if (!is_good || reader.is_bad)
		return false;
	return number != 0 ? caller_set(command, number) : reply_set(command, reply);
}

void command_caller_discard(struct command *command)
{
	free(command->arg);
	command_destroy(&command);
}
