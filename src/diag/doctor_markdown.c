/* SPDX-License-Identifier: Apache-2.0
 * doctor_markdown.c - the answer as a document: background, environment, limits, hypotheses with
 * their evidence, what binds, cure, and how to prove it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "diag/doctor.h"
#include "diag/doctor_format.h"
#include "diag/doctor_hypotheses.h"
#include "diag/limits_json.h"
#include "diag/report_page.h"

struct sheet {
	const struct doctor_case *asked;
	const struct doctor_answer *answer;
	const json_t *table; /* of the limits */
	struct report_page page;
};

static const char *word(const struct sheet *sheet, enum report_word which)
{
	return report_page_word(&sheet->page, which);
}

static bool has_process(const struct sheet *sheet)
{
	return sheet->asked->process != NULL;
}

/* --- background, environment --- */

static char *subject_text(const struct sheet *sheet, char *out, size_t size)
{
	const struct process *process = sheet->asked->process;

	if (process == NULL)
		snprintf(out, size, "%s", word(sheet, REPORT_WORD_CONFIGURATION));
	else
		snprintf(out, size, "%s (pid %d)", process->name, (int)process->pid);
	return out;
}

static void background_write(const struct sheet *sheet)
{
	const struct report_page *page = &sheet->page;
	char text[128];

	report_heading(page, REPORT_WORD_BACKGROUND);
	report_facts(page);
	report_fact(page, REPORT_WORD_SUBJECT, subject_text(sheet, text, sizeof(text)));
	if (sheet->asked->wanted > 0)
		report_fact_count(page, REPORT_WORD_QUESTION, sheet->asked->wanted);
	else
		report_fact(page, REPORT_WORD_QUESTION, word(sheet, REPORT_WORD_AS_CONFIGURED));
	char said[REPORT_SAID_MAX];

	report_fact(page, REPORT_WORD_ANSWER,
		    report_said(page->lang, sheet->answer->verdict, said));
	fprintf(page->to, "\n%s%s\n\n", word(sheet, REPORT_WORD_TIMES),
		word(sheet, REPORT_WORD_LAST_COLON));
	report_moment(page, time(NULL), REPORT_WORD_LIMITS_READ);
}

static void listeners_write(const struct sheet *sheet)
{
	const struct process *process = sheet->asked->process;
	char address[NET_ADDR_TEXT_MAX], text[NET_ADDR_TEXT_MAX + 96], some[UNITS_GROUPED_MAX];

	for (size_t i = 0; i < process->listener_count; i++) {
		const struct process_listener *from = &process->listeners[i];

		snprintf(text, sizeof(text), "%s%s%s%s%s%s",
			 net_addr_format(&from->address, address, sizeof(address)),
			 word(sheet, REPORT_WORD_BRACKET), word(sheet, REPORT_WORD_HELD_NOW),
			 word(sheet, REPORT_WORD_COLON),
			 units_format_grouped(from->established, some),
			 word(sheet, REPORT_WORD_LAST_BRACKET));
		report_fact(&sheet->page, REPORT_WORD_LISTENS, text);
	}
}

static void process_write(const struct sheet *sheet)
{
	const struct process *process = sheet->asked->process;
	char text[256];

	report_fact(&sheet->page, REPORT_WORD_PROCESS,
		    process->command[0] != 0 ? process->command : process->name);
	if (process->has_descriptors) {
		/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): from the table of words */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), word(sheet, REPORT_WORD_DESCRIPTORS_ARE),
			 (uintmax_t)process->sockets, (uintmax_t)process->rings,
			 (uintmax_t)process->others);
#pragma GCC diagnostic pop
		report_fact(&sheet->page, REPORT_WORD_DESCRIPTORS, text);
	}
	listeners_write(sheet);
	if (process->problem[0] != 0)
		report_fact(&sheet->page, REPORT_WORD_NOT_KNOWN, process->problem);
}

static void environment_write(const struct sheet *sheet)
{
	const struct limits_input *input = sheet->asked->input;
	const struct report_page *page = &sheet->page;
	char text[512], said[REPORT_SAID_MAX];

	report_heading(page, REPORT_WORD_ENVIRONMENT);
	report_facts(page);
	report_fact(page, REPORT_WORD_TOOL, "gatehouse doctor " GATEHOUSE_VERSION);
	report_machine(page);
	if (input->config != NULL) {
		snprintf(text, sizeof(text), "%s%s%s%s%s%ju", loop_engine_name(input->engine),
			 word(sheet, REPORT_WORD_BRACKET),
			 report_said(page->lang, input->engine_reason, said),
			 word(sheet, REPORT_WORD_LAST_BRACKET), word(sheet, REPORT_WORD_COMMA),
			 (uintmax_t)input->workers);
		report_fact(page, REPORT_WORD_ENGINE, text);
	}
	if (sheet->asked->raised_from > 0)
		report_fact_count(page, REPORT_WORD_RAISED, sheet->asked->raised_from);
	if (!has_process(sheet))
		return;
	report_fact_count(page, REPORT_WORD_HELD_NOW, input->connections);
	process_write(sheet);
}

/* --- limits, hypotheses --- */

static void limits_write(const struct sheet *sheet)
{
	report_heading(&sheet->page, REPORT_WORD_LIMITS_ALONE);
	if (!report_limits(&sheet->page, sheet->table))
		fprintf(sheet->page.to, "%s\n", word(sheet, REPORT_WORD_NOT_KNOWN));
}

static void hypotheses_write(const struct sheet *sheet)
{
	struct doctor_hypothesis rows[DOCTOR_HYPOTHESIS_COUNT];

	doctor_hypotheses_judge(sheet->asked, sheet->answer, sheet->page.lang, rows);
	report_hypotheses(&sheet->page);
	for (int i = 0; i < DOCTOR_HYPOTHESIS_COUNT; i++)
		report_hypothesis(
			&sheet->page,
			doctor_hypothesis_text((enum doctor_hypothesis_id)i, sheet->page.lang),
			rows[i].outcome, rows[i].evidence);
}

/* --- what binds, and the cure --- */

static void binding_write(const struct sheet *sheet)
{
	const struct limit *binding = limits_binding(sheet->asked->limits);
	FILE *to = sheet->page.to;

	report_heading(&sheet->page, REPORT_WORD_BINDS);
	report_say(&sheet->page, sheet->answer->verdict);
	fputc('\n', to);
	if (binding == NULL || binding->note[0] == 0)
		return;
	fputs("\n- ", to);
	report_code(limit_label(binding->id), to);
	fputs(word(sheet, REPORT_WORD_COLON), to);
	report_say(&sheet->page, binding->note);
	fputc('\n', to);
}

static size_t changes_write(const struct sheet *sheet, bool is_advice)
{
	const struct doctor_answer *answer = sheet->answer;
	size_t written = 0;

	for (size_t i = 0; i < answer->change_count; i++) {
		const struct doctor_change *change = &answer->changes[i];

		if (change->is_advice != is_advice)
			continue;
		if (written == 0 && is_advice)
			fprintf(sheet->page.to, "\n%s%s\n\n", word(sheet, REPORT_WORD_ADVICE),
				word(sheet, REPORT_WORD_LAST_COLON));
		report_remedy(&sheet->page, change->remedy.place, change->remedy.text,
			      change->remedy.why);
		written++;
	}
	return written;
}

/* Nothing has to be changed; what would have to be for more? */
static void next_write(const struct sheet *sheet)
{
	const struct limit *binding = limits_binding(sheet->asked->limits);
	const char *label = binding == NULL ? NULL : limit_label(binding->id);
	const json_t *row = report_limit_row(sheet->table, label);

	fprintf(sheet->page.to, "%s\n", word(sheet, REPORT_WORD_NOTHING_TO_CURE));
	if (row == NULL)
		return;
	fprintf(sheet->page.to, "\n%s%s", word(sheet, REPORT_WORD_NEXT_LIMIT),
		word(sheet, REPORT_WORD_COLON));
	report_code(label, sheet->page.to);
	fputs(word(sheet, REPORT_WORD_BRACKET), sheet->page.to);
	report_row_number(&sheet->page, row, "connections");
	fprintf(sheet->page.to, "%s\n\n", word(sheet, REPORT_WORD_LAST_BRACKET));
	report_remedies(&sheet->page, row);
}

static void cure_write(const struct sheet *sheet)
{
	report_heading(&sheet->page, REPORT_WORD_CURE);
	if (changes_write(sheet, false) == 0 && sheet->answer->is_good)
		next_write(sheet);
	changes_write(sheet, true);
}

static void proof_write(const struct sheet *sheet)
{
	const struct doctor_case *asked = sheet->asked;
	uint64_t connections = sheet->answer->target > 0 ? sheet->answer->target : 10000;
	FILE *to = sheet->page.to;

	report_heading(&sheet->page, REPORT_WORD_PROOF);
	fprintf(to, "%s\n\n    gatehouse doctor ", word(sheet, REPORT_WORD_ASK_AGAIN));
	if (has_process(sheet))
		fprintf(to, "--pid %d ", (int)sheet->asked->process->pid);
	fprintf(to, "--connections %" PRIu64 "\n    gatehouse bench '%s' -c %" PRIu64, connections,
		asked->clients_url == NULL ? "ws://HOST:PORT/PATH" : asked->clients_url,
		connections);
	if (asked->limits_url != NULL)
		fprintf(to, " --limits %s", asked->limits_url);
	fputs(" --report PROOF.md\n", to);
}

int doctor_write_markdown(const struct doctor_case *asked, const struct doctor_answer *answer,
			  enum report_lang lang, FILE *to)
{
	json_t *table = asked->own_table != NULL
				? json_deep_copy(asked->own_table)
				: limits_json(asked->input, asked->limits, answer->target);
	const struct sheet sheet = {asked, answer, table, {lang, to}};
	char subject[128];

	errno = EIO;
	fprintf(to, "# %s%s", word(&sheet, REPORT_WORD_DOCTOR_TITLE),
		word(&sheet, REPORT_WORD_COLON));
	report_text(subject_text(&sheet, subject, sizeof(subject)), to);
	fprintf(to, "%s%s%s\n", word(&sheet, REPORT_WORD_BRACKET),
		word(&sheet, answer->is_good ? REPORT_WORD_FITS : REPORT_WORD_DOES_NOT_FIT),
		word(&sheet, REPORT_WORD_LAST_BRACKET));
	background_write(&sheet);
	environment_write(&sheet);
	limits_write(&sheet);
	hypotheses_write(&sheet);
	binding_write(&sheet);
	cure_write(&sheet);
	proof_write(&sheet);
	json_decref(table);
	return fflush(to) == 0 && !ferror(to) ? 0 : -errno;
}
