/* SPDX-License-Identifier: Apache-2.0
 * doctor_text.c - the answer for a terminal. */
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "diag/doctor.h"
#include "diag/doctor_format.h"

/* Escape sequences, all empty without colours. */
struct palette {
	const char *good;
	const char *bad;
	const char *strong;
	const char *faint;
	const char *end;
};

static const struct palette colours = {"\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"};
static const struct palette plain = {"", "", "", "", ""};

/* --- the table --- */

enum column { LIMIT, SCOPE, VALUE, USED, ALLOWS, SOURCE, COLUMN_COUNT };

struct line {
	char cells[COLUMN_COUNT - 1][DOCTOR_NUMBER_MAX];
	char source[512];
};

static void cell(struct line *line, enum column column, const char *text)
{
	snprintf(line->cells[column], sizeof(line->cells[column]), "%s", text);
}

static const char *value_text(const struct limit *row, char out[DOCTOR_NUMBER_MAX])
{
	if (row->state != LIMIT_KNOWN)
		return limit_state_name(row->state);
	if (row->id == LIMIT_ID_IO_URING)
		return row->value != 0 ? "yes" : "no";
	return doctor_value(limit_unit(row->id), row->value, out);
}

static void line_make(const struct limit *row, struct line *line)
{
	char number[DOCTOR_NUMBER_MAX];

	cell(line, LIMIT, limit_label(row->id));
	cell(line, SCOPE, limit_scope_name(row->id));
	cell(line, VALUE, value_text(row, number));
	cell(line, USED,
	     row->has_used ? doctor_value(limit_unit(row->id), row->used, number) : "-");
	cell(line, ALLOWS,
	     row->connections != LIMIT_NO_CAP ? units_format_grouped(row->connections, number)
					      : "-");
	snprintf(line->source, sizeof(line->source), "%s%s%s", row->source,
		 row->set_by[0] != 0 ? ", " : "", row->set_by);
}

static void line_print(const struct line *line, const int widths[COLUMN_COUNT], FILE *to)
{
	/* Words to the left, numbers to the right. */
	fprintf(to, "%-*s  %-*s  %*s  %*s  %*s%s%s\n", widths[LIMIT], line->cells[LIMIT],
		widths[SCOPE], line->cells[SCOPE], widths[VALUE], line->cells[VALUE], widths[USED],
		line->cells[USED], widths[ALLOWS], line->cells[ALLOWS],
		line->source[0] != 0 ? "  " : "", line->source);
}

static void table_print(const struct doctor_case *asked, const struct palette *palette, FILE *to)
{
	struct line head = {{"limit", "scope", "value", "used", "allows"}, "read from"};
	struct line lines[LIMIT_ID_COUNT];
	int widths[COLUMN_COUNT] = {0};

	for (int column = 0; column < SOURCE; column++)
		widths[column] = (int)strlen(head.cells[column]);
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		line_make(&asked->limits->rows[asked->limits->order[i]], &lines[i]);
		for (int column = 0; column < SOURCE; column++)
			widths[column] = MAX(widths[column], (int)strlen(lines[i].cells[column]));
	}
	fprintf(to, "\n%s", palette->strong);
	line_print(&head, widths, to);
	fprintf(to, "%s", palette->end);
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++)
		line_print(&lines[i], widths, to);
}

/* What decides about the verdict, or could not be read. What the others mean does not
 * change from one machine to the next: docs/limits.md has it, and the JSON. */
static bool is_worth_a_note(const struct limit *row)
{
	return row->connections != LIMIT_NO_CAP || row->state == LIMIT_UNKNOWN;
}

/* Below the table, so that the table fits one screen. */
static void notes_print(const struct doctor_case *asked, const struct palette *palette, FILE *to)
{
	fprintf(to, "\n%s", palette->faint);
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &asked->limits->rows[asked->limits->order[i]];
		bool has_cost = row->cost[0] != 0, has_note = row->note[0] != 0;

		if (is_worth_a_note(row) && (has_cost || has_note))
			fprintf(to, "%s: %s%s%s%s\n", limit_label(row->id),
				has_cost ? "each connection takes " : "", row->cost,
				has_cost && has_note ? "; " : "", row->note);
	}
	fprintf(to, "%s", palette->end);
}

/* --- the process --- */

static void listener_print(const struct process_listener *listener, FILE *to)
{
	char address[NET_ADDR_TEXT_MAX], established[DOCTOR_NUMBER_MAX], drops[DOCTOR_NUMBER_MAX];

	net_addr_format(&listener->address, address, sizeof(address));
	fprintf(to,
		"  listens on %s: %s connections; %u wait to be accepted, backlog %u; %s lost\n",
		address, units_format_grouped(listener->established, established), listener->queue,
		listener->backlog,
		listener->has_drops ? units_format_grouped(listener->drops, drops)
				    : "unknown how many");
}

static void process_print(const struct process *process, FILE *to)
{
	fprintf(to, "\n%s\n", process->command[0] != 0 ? process->command : process->name);
	if (process->has_descriptors)
		fprintf(to,
			"  descriptors: %ju sockets, of which %ju listen; %ju io_uring rings; "
			"%ju others\n",
			(uintmax_t)process->sockets, (uintmax_t)process->listening,
			(uintmax_t)process->rings, (uintmax_t)process->others);
	for (size_t i = 0; i < process->listener_count; i++)
		listener_print(&process->listeners[i], to);
	if (process->listeners_omitted > 0)
		fprintf(to, "  and %zu listening sockets more\n", process->listeners_omitted);
	else if (process->has_descriptors && process->listener_count == 0 &&
		 process->problem[0] == 0)
		fprintf(to, "  listens on no TCP port\n");
	if (process->problem[0] != 0)
		fprintf(to, "  unknown: %s\n", process->problem);
}

/* A short backlog is no limit of the table: it is the program's own. */
static void backlogs_print(const struct doctor_case *asked, FILE *to)
{
	const struct limit *somaxconn = &asked->limits->rows[LIMIT_ID_SOMAXCONN];
	const struct process *process = asked->process;
	char address[NET_ADDR_TEXT_MAX], lost[DOCTOR_NUMBER_MAX];

	for (size_t i = 0; process != NULL && i < process->listener_count; i++) {
		const struct process_listener *listener = &process->listeners[i];
		bool is_of_kernel = somaxconn->state == LIMIT_KNOWN &&
				    listener->backlog >= somaxconn->value;

		if (!listener->has_drops || listener->drops == 0)
			continue;
		fprintf(to, "\n%s has lost %s connections, most likely at a full queue. ",
			net_addr_format(&listener->address, address, sizeof(address)),
			units_format_grouped(listener->drops, lost));
		if (is_of_kernel)
			fprintf(to,
				"Raise its backlog with a restart and:\n    sysctl -w "
				"net.core.somaxconn=%ju\n",
				(uintmax_t)somaxconn->value * 2);
		else
			fprintf(to, "Its backlog of %u is its own setting for listen(2).\n",
				listener->backlog);
	}
}

/* --- the changes --- */

static const char *const places[] = {"configuration", "shell",      "systemd", "compose",
				     "docker",        "kubernetes", "sysctl",  "machine"};

static bool is_in(const struct doctor_change *change, const char *place, bool is_advice)
{
	return change->is_advice == is_advice && strcmp(change->remedy.place, place) == 0;
}

/* `why` is what was said last. */
static void place_print(const struct doctor_answer *answer, const char *place, bool is_advice,
			char why[LIMIT_WHY_MAX], FILE *to)
{
	const char *separator = "for";
	bool has_any = false;

	for (size_t i = 0; i < answer->change_count; i++) {
		const struct doctor_change *change = &answer->changes[i];

		if (!is_in(change, place, is_advice))
			continue;
		if (!has_any)
			fprintf(to, "  %s, ", place);
		/* Two lines for one limit name it once. */
		if (!has_any || answer->changes[i - 1].limit != change->limit)
			fprintf(to, "%s %s", separator, limit_label(change->limit));
		has_any = true;
		separator = " and";
	}
	if (!has_any)
		return;
	fprintf(to, ":\n");
	for (size_t i = 0; i < answer->change_count; i++) {
		const struct limit_remedy *remedy = &answer->changes[i].remedy;

		if (!is_in(&answer->changes[i], place, is_advice))
			continue;
		fprintf(to, "    %s\n", remedy->text);
		/* The same for all places where one limit is set: once is enough. */
		if (remedy->why[0] != 0 && strcmp(remedy->why, why) != 0)
			fprintf(to, "      (%s)\n", remedy->why);
		snprintf(why, LIMIT_WHY_MAX, "%s", remedy->why);
	}
}

static bool has_changes(const struct doctor_answer *answer, bool is_advice)
{
	for (size_t i = 0; i < answer->change_count; i++)
		if (answer->changes[i].is_advice == is_advice)
			return true;
	return false;
}

static void changes_print(const struct doctor_answer *answer, bool is_advice, FILE *to)
{
	char number[DOCTOR_NUMBER_MAX], why[LIMIT_WHY_MAX] = "";

	if (!has_changes(answer, is_advice))
		return;
	if (is_advice)
		fprintf(to, "\nAdvice, for when many come at once:\n");
	else
		fprintf(to,
			"\nWhat to change for %s connections. For each limit one place is enough: "
			"configuration,\nor what starts the process (shell, systemd, compose, "
			"docker, kubernetes):\n",
			units_format_grouped(answer->target, number));
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		place_print(answer, places[i], is_advice, why, to);
}

/* Those in the way that nothing here can raise are not passed over. */
static void unraisable_print(const struct doctor_case *asked, const struct doctor_answer *answer,
			     FILE *to)
{
	struct limit_remedy remedies[LIMIT_REMEDIES_MAX];

	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &asked->limits->rows[asked->limits->order[i]];

		if (row->connections < answer->target &&
		    doctor_remedies(asked, row, answer->target, remedies) == 0 &&
		    !(asked->limits->is_auto && row->id == LIMIT_ID_MAX_CONNECTIONS))
			fprintf(to, "\nNothing can raise %s that far.\n", limit_label(row->id));
	}
}

static void facts_print(const struct doctor_case *asked, FILE *to)
{
	char soft[DOCTOR_NUMBER_MAX], hard[DOCTOR_NUMBER_MAX];
	const struct os_value *now = &asked->input->os->nofile_soft;

	if (asked->input->config != NULL)
		fprintf(to, "engine: %s (%s); %ju workers\n",
			loop_engine_name(asked->input->engine), asked->input->engine_reason,
			(uintmax_t)asked->input->workers);
	if (asked->raised_from != 0)
		fprintf(to,
			"nofile: the soft limit of %s is raised to the hard one, %s, as serve "
			"does\n",
			units_format_grouped(asked->raised_from, soft),
			units_format_grouped(now->value, hard));
}

void doctor_print(const struct doctor_case *asked, const struct doctor_answer *answer,
		  bool has_colours, FILE *to)
{
	const struct palette *palette = has_colours ? &colours : &plain;

	fprintf(to, "%s%s%s\n", answer->is_good ? palette->good : palette->bad, answer->verdict,
		palette->end);
	if (asked->process != NULL && asked->process->state != PROCESS_RUNS)
		return;
	facts_print(asked, to);
	if (asked->process != NULL)
		process_print(asked->process, to);
	table_print(asked, palette, to);
	notes_print(asked, palette, to);
	changes_print(answer, false, to);
	unraisable_print(asked, answer, to);
	changes_print(answer, true, to);
	backlogs_print(asked, to);
	if (has_changes(answer, false))
		fprintf(to, "\n%s%s%s\n", palette->bad, answer->verdict, palette->end);
	if (answer->target == 0)
		fprintf(to, "\nWhat to change for more: gatehouse doctor --connections N%s\n",
			asked->process != NULL ? " --pid PID" : "");
}
