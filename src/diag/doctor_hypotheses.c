/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/doctor_hypotheses.h"

#include <stdarg.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "diag/doctor_format.h"

struct judge {
	const struct doctor_case *asked;
	const struct doctor_answer *answer;
	enum report_lang lang;
	struct doctor_hypothesis *row;
};

/* Of what was said in English. */
static const char *said(const struct judge *judge, const char *english, char out[REPORT_SAID_MAX])
{
	return report_said(judge->lang, english, out);
}

/* Adds to the evidence. The words decide how many texts they take: all are strings. */
static void say(const struct judge *judge, enum report_word word, ...)
{
	char *evidence = judge->row->evidence;
	size_t size = sizeof(judge->row->evidence), len = strlen(evidence);
	const char *semicolon = report_word(judge->lang, REPORT_WORD_SEMICOLON);
	va_list args;

	if (len > 0 && len + strlen(semicolon) < size)
		len += (size_t)snprintf(evidence + len, size - len, "%s", semicolon);
	va_start(args, word);
	/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): from the table of words */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(evidence + len, size - len, report_word(judge->lang, word), args);
#pragma GCC diagnostic pop
	va_end(args);
}

static const struct limit *row_of(const struct judge *judge, enum limit_id id)
{
	return &judge->asked->limits->rows[id];
}

static char *value_of(const struct limit *row, char out[DOCTOR_NUMBER_MAX])
{
	return doctor_value(limit_unit(row->id), row->value, out);
}

/* --- limits that cap --- */

/* `auto` only repeats what it was taken from. Without a number that is asked for it is what binds.
 */
static bool is_in_the_way(const struct judge *judge, const struct limit *row)
{
	uint64_t target = judge->answer->target;

	if (judge->asked->limits->is_auto && row->id == LIMIT_ID_MAX_CONNECTIONS)
		return false;
	return target > 0 ? row->connections < target : row == limits_binding(judge->asked->limits);
}

static void cap_judge(const struct judge *judge, enum limit_id id)
{
	const struct limit *row = row_of(judge, id);
	char value[DOCTOR_NUMBER_MAX], allowed[UNITS_GROUPED_MAX], text[REPORT_SAID_MAX];

	if (row->connections != LIMIT_NO_CAP) {
		say(judge, REPORT_WORD_DE_ALLOWS, limit_label(id),
		    row->state == LIMIT_KNOWN ? value_of(row, value) : limit_state_name(row->state),
		    units_format_grouped(row->connections, allowed));
		if (row->set_by[0] != 0)
			say(judge, REPORT_WORD_DE_SET_BY, said(judge, row->set_by, text));
		if (is_in_the_way(judge, row))
			judge->row->outcome = REPORT_CONFIRMED;
	} else if (row->state == LIMIT_UNKNOWN) {
		say(judge, REPORT_WORD_DE_UNKNOWN, limit_label(id), said(judge, row->note, text));
		if (judge->row->outcome == REPORT_EXCLUDED)
			judge->row->outcome = REPORT_OPEN;
	} else {
		say(judge, REPORT_WORD_DE_FREE, limit_label(id));
	}
}

/* --- the others --- */

static void judge_starts(const struct judge *judge)
{
	const struct limits_input *input = judge->asked->input;
	const struct process *process = judge->asked->process;
	char text[REPORT_SAID_MAX];

	if (judge->asked->obstacle != NULL) {
		judge->row->outcome = REPORT_CONFIRMED;
		say(judge, REPORT_WORD_DE_STARTS, loop_engine_name(input->engine),
		    said(judge, judge->asked->obstacle, text));
	} else if (process != NULL) {
		judge->row->outcome = process->state == PROCESS_RUNS ? REPORT_EXCLUDED
								     : REPORT_CONFIRMED;
		say(judge,
		    process->state == PROCESS_RUNS ? REPORT_WORD_DE_RUNS : REPORT_WORD_DE_GONE);
	} else {
		say(judge, REPORT_WORD_DE_STARTS, loop_engine_name(input->engine),
		    said(judge, input->engine_reason, text));
	}
}

static void judge_own(const struct judge *judge)
{
	char text[REPORT_SAID_MAX];

	if (judge->asked->own_problem != NULL) {
		judge->row->outcome = REPORT_OPEN;
		say(judge, REPORT_WORD_DE_UNKNOWN, limit_label(LIMIT_ID_MAX_CONNECTIONS),
		    said(judge, judge->asked->own_problem, text));
		return;
	}
	cap_judge(judge, LIMIT_ID_MAX_CONNECTIONS);
}

static void judge_used_up(const struct judge *judge)
{
	char percent[16];

	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = row_of(judge, (enum limit_id)i);

		if (limit_percent(row) < DOCTOR_USED_UP)
			continue;
		judge->row->outcome = REPORT_CONFIRMED;
		snprintf(percent, sizeof(percent), "%u", limit_percent(row));
		say(judge, REPORT_WORD_DE_USED, limit_label(row->id), percent);
	}
	if (judge->row->evidence[0] == 0)
		say(judge, REPORT_WORD_DE_NONE_USED);
}

static void queue_judge(const struct judge *judge, const struct process_listener *listener)
{
	char address[NET_ADDR_TEXT_MAX], waiting[UNITS_GROUPED_MAX], backlog[UNITS_GROUPED_MAX],
		lost[UNITS_GROUPED_MAX];

	if (listener->queue > listener->backlog || (listener->has_drops && listener->drops > 0))
		judge->row->outcome = REPORT_CONFIRMED;
	say(judge, REPORT_WORD_DE_QUEUE,
	    net_addr_format(&listener->address, address, sizeof(address)),
	    units_format_grouped(listener->queue, waiting),
	    units_format_grouped(listener->backlog, backlog),
	    listener->has_drops ? units_format_grouped(listener->drops, lost) : "?");
}

/* Of a process its own; else what the whole machine has lost, at whatever listener that was. */
static void judge_queue(const struct judge *judge)
{
	static const enum limit_id counted[] = {LIMIT_ID_LISTEN_OVERFLOWS, LIMIT_ID_LISTEN_DROPS};
	const struct process *process = judge->asked->process;
	char lost[DOCTOR_NUMBER_MAX], text[REPORT_SAID_MAX];

	for (size_t i = 0; process != NULL && i < MIN(process->listener_count, 8u); i++)
		queue_judge(judge, &process->listeners[i]);
	if (judge->row->evidence[0] != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
		const struct limit *row = row_of(judge, counted[i]);

		if (row->state == LIMIT_UNKNOWN) {
			judge->row->outcome = REPORT_OPEN;
			say(judge, REPORT_WORD_DE_UNKNOWN, limit_label(row->id),
			    said(judge, row->note, text));
		} else if (row->state == LIMIT_KNOWN && row->value > 0) {
			judge->row->outcome = REPORT_OPEN;
			say(judge, REPORT_WORD_DE_COUNTED, limit_label(row->id),
			    units_format_grouped(row->value, lost));
		}
	}
	if (judge->row->evidence[0] == 0)
		say(judge, REPORT_WORD_DE_NOTHING_COUNTED);
}

static void judge_burst(const struct judge *judge)
{
	static const enum limit_id waiting[] = {LIMIT_ID_SOMAXCONN, LIMIT_ID_SYN_BACKLOG};
	char value[DOCTOR_NUMBER_MAX], text[REPORT_SAID_MAX];

	for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {
		const struct limit *row = row_of(judge, waiting[i]);

		if (row->state == LIMIT_KNOWN)
			say(judge, REPORT_WORD_DE_WAIT, limit_label(row->id), value_of(row, value));
		else
			say(judge, REPORT_WORD_DE_UNKNOWN, limit_label(row->id),
			    said(judge, row->note, text));
		if (row->state != LIMIT_KNOWN)
			judge->row->outcome = REPORT_OPEN;
	}
	for (size_t i = 0; i < judge->answer->change_count; i++)
		if (judge->answer->changes[i].is_advice)
			judge->row->outcome = REPORT_CONFIRMED;
}

/* What the configuration sets itself: whether it keeps anybody out, the clients decide. */
static void judge_paced(const struct judge *judge)
{
	static const enum limit_id paced[] = {LIMIT_ID_MAX_CONNECTIONS_PER_IP,
					      LIMIT_ID_ROUTE_CONNECTIONS, LIMIT_ID_ACCEPT_RATE,
					      LIMIT_ID_TLS_HANDSHAKE_RATE};
	char value[DOCTOR_NUMBER_MAX];

	for (size_t i = 0; i < ARRAY_LEN(paced); i++) {
		const struct limit *row = row_of(judge, paced[i]);

		if (row->state != LIMIT_KNOWN)
			continue;
		judge->row->outcome = REPORT_OPEN;
		say(judge, REPORT_WORD_DE_SET, limit_label(row->id), value_of(row, value));
	}
	if (judge->row->evidence[0] == 0)
		say(judge, REPORT_WORD_DE_NOT_SET);
}

static void judge_ports(const struct judge *judge)
{
	const struct limit *row = row_of(judge, LIMIT_ID_EPHEMERAL_PORTS);
	char value[DOCTOR_NUMBER_MAX];

	say(judge, REPORT_WORD_DE_PORTS,
	    row->state == LIMIT_KNOWN ? value_of(row, value) : limit_state_name(row->state));
}

/* --- all of them --- */

void doctor_hypotheses_judge(const struct doctor_case *asked, const struct doctor_answer *answer,
			     enum report_lang lang,
			     struct doctor_hypothesis out[DOCTOR_HYPOTHESIS_COUNT])
{
	static const struct {
		void (*judge)(const struct judge *judge); /* NULL: by the limits that cap */
		size_t count;
		enum limit_id caps[2];
	} rules[] = {
		[DOCTOR_HYPOTHESIS_STARTS] = {.judge = judge_starts},
		[DOCTOR_HYPOTHESIS_OWN] = {.judge = judge_own},
		[DOCTOR_HYPOTHESIS_DESCRIPTORS] = {NULL, 1, {LIMIT_ID_NOFILE}},
		[DOCTOR_HYPOTHESIS_FILES] = {NULL, 1, {LIMIT_ID_FILE_MAX}},
		[DOCTOR_HYPOTHESIS_MEMORY] = {NULL, 2, {LIMIT_ID_MEMORY, LIMIT_ID_CGROUP_MEMORY}},
		[DOCTOR_HYPOTHESIS_THREADS] = {NULL, 1, {LIMIT_ID_PIDS}},
		[DOCTOR_HYPOTHESIS_CONNTRACK] = {NULL, 1, {LIMIT_ID_CONNTRACK}},
		[DOCTOR_HYPOTHESIS_USED_UP] = {.judge = judge_used_up},
		[DOCTOR_HYPOTHESIS_QUEUE] = {.judge = judge_queue},
		[DOCTOR_HYPOTHESIS_BURST] = {.judge = judge_burst},
		[DOCTOR_HYPOTHESIS_PACED] = {.judge = judge_paced},
		[DOCTOR_HYPOTHESIS_PORTS] = {.judge = judge_ports},
	};

	for (int i = 0; i < DOCTOR_HYPOTHESIS_COUNT; i++) {
		const struct judge judge = {asked, answer, lang, &out[i]};

		out[i] = (struct doctor_hypothesis){.outcome = REPORT_EXCLUDED};
		if (rules[i].judge != NULL)
			rules[i].judge(&judge);
		for (size_t k = 0; k < rules[i].count; k++)
			cap_judge(&judge, rules[i].caps[k]);
		CHECK(out[i].evidence[0] != 0);
	}
}

const char *doctor_hypothesis_text(enum doctor_hypothesis_id id, enum report_lang lang)
{
#define DOCTOR_HYPOTHESIS_WORD(NAME) REPORT_WORD_DH_##NAME,
	static const enum report_word words[] = {DOCTOR_HYPOTHESES(DOCTOR_HYPOTHESIS_WORD)};

	return report_word(lang, words[id]);
}
