/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/drain_json.h"

#include "base/clock.h"

static json_t *name(const char *text)
{
	return text[0] == 0 ? json_null() : json_string(text);
}

/* Rounded up: what is left of the last second is not nothing. */
static json_int_t seconds(uint64_t ns)
{
	return (json_int_t)((ns + NS_PER_S - 1) / NS_PER_S);
}

json_t *drain_json(const struct server_drain_report *report)
{
	bool was_ordered = report->asked_ns != 0;

	return json_pack(
		"{s:s, s:o, s:o, s:I, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
		drain_state_name(report->state), "route", name(report->scope.route), "group",
		name(report->scope.group), "percent", (json_int_t)report->scope.percent,
		"ends_process", report->is_ending, "left",
		report->is_counted ? json_integer((json_int_t)report->left) : json_null(), "busy",
		(json_int_t)report->busy, "closed", (json_int_t)report->closed, "closed_busy",
		(json_int_t)report->closed_busy, "delay_seconds",
		was_ordered && report->begin_ns > report->asked_ns
			? seconds(report->begin_ns - report->asked_ns)
			: 0,
		"over_seconds", was_ordered ? seconds(report->end_ns - report->begin_ns) : 0,
		"eta_seconds", seconds(report->eta_ns));
}
