/* SPDX-License-Identifier: Apache-2.0
 * doctor_json.c - the answer for programs. */
#include "diag/doctor.h"
#include "diag/limits_json.h"

static json_t *count(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* 0 stands for "none". */
static json_t *count_or_null(uint64_t value)
{
	return value == 0 ? json_null() : count(value);
}

static json_t *listeners(const struct process *process)
{
	json_t *array = json_array();
	char address[NET_ADDR_TEXT_MAX];

	for (size_t i = 0; i < process->listener_count; i++) {
		const struct process_listener *from = &process->listeners[i];

		net_addr_format(&from->address, address, sizeof(address));
		json_array_append_new(array,
				      json_pack("{s:s, s:I, s:I, s:o, s:o}", "address", address,
						"queue", (json_int_t)from->queue, "backlog",
						(json_int_t)from->backlog, "drops",
						from->has_drops ? count(from->drops) : json_null(),
						"established", count(from->established)));
	}
	return array;
}

/* What could not be read is null. */
static json_t *process_json(const struct process *process)
{
	static const char *const states[] = {
		[PROCESS_RUNS] = "running",
		[PROCESS_IS_ZOMBIE] = "zombie",
		[PROCESS_IS_KERNEL] = "kernel thread",
	};
	bool is_seen = process != NULL && process->has_descriptors;

	if (process == NULL)
		return json_null();
	return json_pack("{s:i, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s}", "pid",
			 (int)process->pid, "name", limits_json_text(process->name), "command",
			 limits_json_text(process->command), "state", states[process->state],
			 "sockets", is_seen ? count(process->sockets) : json_null(), "listening",
			 is_seen ? count(process->listening) : json_null(), "rings",
			 is_seen ? count(process->rings) : json_null(), "others",
			 is_seen ? count(process->others) : json_null(), "established",
			 is_seen ? count(process->established) : json_null(), "listeners",
			 listeners(process), "listeners_omitted",
			 (json_int_t)process->listeners_omitted, "problem", process->problem);
}

static json_t *changes(const struct doctor_answer *answer)
{
	json_t *array = json_array();

	for (size_t i = 0; i < answer->change_count; i++) {
		const struct doctor_change *change = &answer->changes[i];

		json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:s, s:s, s:b}", "limit", limit_label(change->limit),
				  "place", change->remedy.place, "text", change->remedy.text, "why",
				  change->remedy.why, "advice", change->is_advice));
	}
	return array;
}

json_t *doctor_json(const struct doctor_case *asked, const struct doctor_answer *answer)
{
	const struct limits_input *input = asked->input;
	bool is_gateway = input->config != NULL;
	json_t *more = json_pack(
		"{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "verdict",
		limits_json_text(answer->verdict), "fits", answer->is_good, "wanted",
		count_or_null(asked->wanted), "engine",
		is_gateway ? json_string(loop_engine_name(input->engine)) : json_null(),
		"engine_reason",
		is_gateway && input->engine_reason != NULL ? json_string(input->engine_reason)
							   : json_null(),
		"nofile_raised_from", count_or_null(asked->raised_from), "process",
		process_json(asked->process), "changes", changes(answer));
	json_t *all = asked->own_table != NULL ? json_deep_copy(asked->own_table)
					       : limits_json(input, asked->limits, answer->target);

	if (all == NULL || more == NULL || json_object_update(all, more) < 0) {
		json_decref(all);
		all = NULL;
	}
	json_decref(more);
	return all;
}

json_t *doctor_json_failure(const char *verdict, uint64_t wanted)
{
	return json_pack("{s:o, s:b, s:o, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:[], s:[]}",
			 "verdict", limits_json_text(verdict), "fits", 0, "wanted",
			 count_or_null(wanted), "binding", "next", "connections", "used", "engine",
			 "engine_reason", "nofile_raised_from", "process", "limits", "changes");
}
