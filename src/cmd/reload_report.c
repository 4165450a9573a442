/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/reload_report.h"

#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "http/problem.h"

/* In the log; the answer of the API has all. */
#define LINES_MAX 100

void reload_report_finish(struct reload_report *report)
{
	config_report_finish(&report->mistakes);
	config_report_finish(&report->warnings);
	config_diff_finish(&report->diff);
	*report = (struct reload_report){0};
}

static bool is_good(const struct reload_report *report)
{
	return report->outcome == RELOAD_CHANGED || report->outcome == RELOAD_SAME;
}

static const char *message_of(enum reload_outcome outcome)
{
	switch (outcome) {
	case RELOAD_CHANGED:
		return "the configuration was read again, and is in force";
	case RELOAD_SAME:
		return "the configuration was read again: nothing of it has changed";
	case RELOAD_REFUSED:
		return "the configuration was read again and has mistakes: nothing was changed";
	default:
		return "the configuration was read again and could not be put in force: nothing "
		       "was "
		       "changed";
	}
}

/* --- the log --- */

static void lines_log(enum log_level level, const char *what, const struct config_report *lines)
{
	struct slice rest = buf_slice(&lines->text), line;
	char text[CONFIG_REPORT_LINE_MAX];

	while (slice_next(&rest, '\n', &line) && line.len > 0) {
		const struct log_field field = F_TEXT(what, text);

		snprintf(text, sizeof(text), "%.*s", SLICE_ARG(line));
		log_write(level, "configuration", &field, 1);
	}
}

static const char *kind_label(enum config_change_kind kind)
{
	switch (kind) {
	case CONFIG_ADDED:
		return "added";
	case CONFIG_REMOVED:
		return "removed";
	default:
		return "changed";
	}
}

static void change_log(const struct config_change *change)
{
	bool is_live = change->reload == CONFIG_LIVE;

	log_write(is_live ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
		  is_live ? "option" : "option needs a restart, and stays as it was",
		  (const struct log_field[]){
			  F_TEXT(kind_label(change->kind), change->name),
			  F_TEXT("before", change->before),
			  F_TEXT("after", change->after),
		  },
		  change->kind == CONFIG_CHANGED ? 3 : 1);
}

static void changes_log(const struct config_diff *diff)
{
	for (size_t i = 0; i < MIN(diff->count, (size_t)LINES_MAX); i++)
		change_log(&diff->items[i]);
	if (diff->count > LINES_MAX)
		log_info("more options have changed", F_UINT("options", diff->count - LINES_MAX));
}

void reload_report_log(const struct reload_report *report, const char *asked_by)
{
	if (is_good(report))
		log_info(message_of(report->outcome), F_TEXT("asked_by", asked_by),
			 F_TEXT("file", report->file[0] == 0 ? "none" : report->file),
			 F_TEXT("hash", report->hash),
			 F_UINT("changed", config_diff_count(&report->diff, CONFIG_LIVE)),
			 F_UINT("needs_restart", config_diff_count(&report->diff, CONFIG_RESTART)),
			 F_UINT("same", report->diff.same),
			 F_UINT("files_failed", report->files_failed));
	else
		log_error(message_of(report->outcome), F_TEXT("asked_by", asked_by),
			  F_TEXT("file", report->file[0] == 0 ? "none" : report->file),
			  F_UINT("mistakes", report->mistakes.count),
			  F_TEXT("in_force", report->hash));
	changes_log(&report->diff);
	lines_log(LOG_LEVEL_ERROR, "mistake", &report->mistakes);
	lines_log(LOG_LEVEL_WARN, "warning", &report->warnings);
}

/* --- the answer --- */

static json_t *lines_json(const struct config_report *lines)
{
	struct slice rest = buf_slice(&lines->text), line;
	json_t *list = json_array();

	while (slice_next(&rest, '\n', &line) && line.len > 0) {
		json_t *text = json_stringn((const char *)line.data, line.len);

		/* What is no UTF-8 comes from a file, in a value that is quoted. */
		json_array_append_new(list, text != NULL ? text
							 : json_string("a line that is no "
								       "UTF-8"));
	}
	return list;
}

static json_t *change_json(const struct config_change *change)
{
	if (change->kind != CONFIG_CHANGED)
		return json_pack("{s:s, s:s}", "change", kind_label(change->kind), "option",
				 change->name);
	return json_pack("{s:s, s:s, s:s, s:s}", "change", kind_label(change->kind), "option",
			 change->name, "before", change->before, "after", change->after);
}

static json_t *changes_json(const struct config_diff *diff, enum config_reload reload)
{
	json_t *list = json_array();

	for (size_t i = 0; i < diff->count; i++)
		if (diff->items[i].reload == reload)
			json_array_append_new(list, change_json(&diff->items[i]));
	return list;
}

unsigned reload_report_status(const struct reload_report *report)
{
	if (is_good(report))
		return 200;
	return report->outcome == RELOAD_REFUSED ? 422 : 500;
}

static json_t *problem(const struct reload_report *report)
{
	char detail[192];

	snprintf(detail, sizeof(detail),
		 "%zu mistake%s; nothing was changed, and the gateway "
		 "serves on with the configuration that is in force",
		 report->mistakes.count, report->mistakes.count == 1 ? "" : "s");
	json_t *body = problem_json(&(struct problem){
		.status = reload_report_status(report),
		.reason = report->outcome == RELOAD_REFUSED ? "configuration" : "reload",
		.detail = detail,
	});

	json_object_set_new(body, "outcome", json_string(reload_outcome_label(report->outcome)));
	json_object_set_new(body, "file", json_string(report->file));
	json_object_set_new(body, "hash", json_string(report->hash));
	json_object_set_new(body, "mistakes", lines_json(&report->mistakes));
	json_object_set_new(body, "warnings", lines_json(&report->warnings));
	return body;
}

json_t *reload_report_json(const struct reload_report *report)
{
	if (!is_good(report))
		return problem(report);
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:o}", "outcome",
		reload_outcome_label(report->outcome), "file", report->file, "hash", report->hash,
		"changed", changes_json(&report->diff, CONFIG_LIVE), "needs_restart",
		changes_json(&report->diff, CONFIG_RESTART), "same", (json_int_t)report->diff.same,
		"files_failed", (json_int_t)report->files_failed, "late_workers",
		(json_int_t)report->late_workers, "warnings", lines_json(&report->warnings));
}
