/* SPDX-License-Identifier: Apache-2.0
 * bench_plateau.c - where a ramp stopped rising, and whose limit that was (bench_verdict.h): what
 * the refusals name, else what the tester lacks, what the server has used up by its own table or as
 * a process, or what the kernel counted. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "bench/judge/bench_verdict.h"

/* --- is there one? --- */

/* The refusal names it: "max_connections; current=1000; max=1000". */
static bool has_name(const struct bench_cause *cause)
{
	return cause->kind == BENCH_CAUSE_HTTP && cause->label[0] != 0;
}

static bool is_unanswered(const struct bench_cause *cause)
{
	return bench_cause_side(cause) == BENCH_BETWEEN;
}

/* Of those that began after a first one failed, more failed than stayed: the reason, not
 * a slip in between. Where nobody answers while a limit of the server is used up, that is the
 * reason too, however early a first one had to wait. */
static bool has_stopped_rising(const struct bench_result *result, const struct bench_cause *cause,
			       const struct bench_evidence *evidence)
{
	return result->totals.failed > 0 && result->ramp_open < result->wanted &&
	       (has_name(cause) || result->held_late <= result->totals.failed ||
		(is_unanswered(cause) && evidence->limit[0] != 0));
}

/* The server answers every handshake, and closes what is too many for it while others
 * still come up. */
static bool closes_in_the_ramp(const struct bench_result *result, const struct bench_cause *cause)
{
	return result->totals.failed == 0 && result->totals.held > 0 &&
	       (cause->kind == BENCH_CAUSE_CLOSED || cause->kind == BENCH_CAUSE_LOST) &&
	       cause->first_s <= result->connect_s;
}

/* The most frequent cause of those that count; NULL: none. */
static const struct bench_cause *main_cause(const struct bench_result *result)
{
	const struct bench_cause *best = NULL;

	for (unsigned i = 0; i < result->causes.count; i++) {
		const struct bench_cause *cause = &result->causes.rows[i];
		bool counts = bench_cause_is_early(cause) || closes_in_the_ramp(result, cause);

		if (counts && (best == NULL || cause->count > best->count))
			best = cause;
	}
	return best;
}

/* --- whose is it? --- */

struct finding {
	enum bench_side side;
	char limit[64]; /* "" if it is not known */
	char text[400]; /* "the server's max_connections" */
};

__attribute__((format(printf, 4, 5))) static bool
find(struct finding *finding, enum bench_side side, const char *limit, const char *format, ...)
{
	va_list args;

	finding->side = side;
	snprintf(finding->limit, sizeof(finding->limit), "%s", limit);
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	return true;
}

/* What the tester lacks, by the error that it got. */
static bool find_mine(const struct bench_cause *cause, const struct bench_evidence *evidence,
		      struct finding *finding)
{
	static const struct {
		int code;
		const char *limit; /* as in the limits table */
		const char *text;
	} rows[] = {
		{EMFILE, "nofile", "descriptors"},
		{ENFILE, "fs.file-max", "files of the machine"},
		{EADDRNOTAVAIL, "ip_local_port_range", "source ports"},
		{ENOMEM, "memory", "memory"},
		{ENOBUFS, "memory", "memory"},
	};
	char value[32];
	/* A ring whose table is full says ENFILE. */
	bool is_ring = cause->code == ENFILE && strcmp(evidence->tester_limit, "nofile") == 0;
	int code = is_ring ? EMFILE : cause->code;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].code != code)
			continue;
		if (strcmp(rows[i].limit, evidence->tester_limit) == 0)
			return find(finding, BENCH_MINE, rows[i].limit, "the tester's own %s is %s",
				    rows[i].limit,
				    units_format_grouped(evidence->tester_limit_value, value));
		return find(finding, BENCH_MINE, rows[i].limit,
			    "the tester's own %s (%s are used up)", rows[i].limit, rows[i].text);
	}
	return find(finding, BENCH_MINE, "", "the tester itself: %s", strerrordesc_np(cause->code));
}

static bool find_named(const struct bench_cause *cause, struct finding *finding)
{
	char name[64];

	if (!has_name(cause))
		return false;
	snprintf(name, sizeof(name), "%.*s",
		 (int)MIN(strcspn(cause->label, "; "), sizeof(name) - 1), cause->label);
	return find(finding, BENCH_YOURS, name, "the server's %s", name);
}

/* The server's own table, or its process, has a limit that is used up. */
static bool find_used_up(const struct bench_evidence *evidence, struct finding *finding)
{
	char used[32], value[32];

	if (evidence->limit[0] == 0)
		return false;
	return find(finding, BENCH_YOURS, evidence->limit, "the server's %s (%s%suses %s of %s)",
		    evidence->limit, evidence->process, evidence->process[0] == 0 ? "it " : " ",
		    units_format_grouped(evidence->limit_used, used),
		    units_format_grouped(evidence->limit_value, value));
}

/* Nobody answered; the kernel may know why. */
static bool find_unanswered(const struct bench_cause *cause, const struct bench_evidence *evidence,
			    struct finding *finding)
{
	const struct bench_kernel *kernel = &evidence->kernel;
	const char *who = evidence->process[0] == 0 ? "the server" : evidence->process;
	uint64_t overflows = kernel->values[BENCH_KERNEL_LISTEN_OVERFLOWS];
	char lost[32];

	if (evidence->is_conntrack_full)
		return find(finding, BENCH_MINE, "nf_conntrack_max",
			    "this machine's nf_conntrack_max, its table of flows is full");
	if (evidence->is_local && overflows > 0)
		return find(finding, BENCH_YOURS, "listen backlog",
			    "the server's listen backlog (%s does not accept; the kernel counted "
			    "%s ListenOverflows)",
			    who, units_format_grouped(overflows, lost));
	if (cause->kind == BENCH_CAUSE_HANDSHAKE_TIMEOUT)
		return find(finding, BENCH_BETWEEN, "",
			    "%s takes TCP connections but answers no handshake", who);
	return find(finding, BENCH_BETWEEN, "",
		    "TCP is not answered any more (%s SYNs were sent again)",
		    units_format_grouped(kernel->values[BENCH_KERNEL_SYN_RETRANSMITS], lost));
}

/* The server did something, and named nothing. */
static void find_yours(const struct bench_cause *cause, struct finding *finding)
{
	char text[300];

	bench_cause_text(cause, text, sizeof(text));
	switch (cause->kind) {
	case BENCH_CAUSE_HTTP:
		find(finding, BENCH_YOURS, "", "the server refuses with %s and names no limit",
		     text);
		break;
	case BENCH_CAUSE_CONNECT:
		find(finding, BENCH_YOURS, "", "the server stopped to take connections (%s)",
		     strerrordesc_np(cause->code));
		break;
	case BENCH_CAUSE_HANDSHAKE_LOST:
		/* By a reset or by its end: what the server had read by then decides. */
		find(finding, BENCH_YOURS, "",
		     "the server ends the others before it answers their handshake: is it out of "
		     "threads or descriptors?");
		break;
	case BENCH_CAUSE_CLOSED:
	case BENCH_CAUSE_LOST:
		find(finding, BENCH_YOURS, "", "the server ends the others: %s", text);
		break;
	default:
		find(finding, BENCH_YOURS, "", "the server: %s", text);
	}
}

static void cause_judge(const struct bench_cause *cause, const struct bench_evidence *evidence,
			struct finding *finding)
{
	if (bench_cause_side(cause) == BENCH_MINE)
		find_mine(cause, evidence, finding);
	else if (find_named(cause, finding) || find_used_up(evidence, finding))
		return;
	else if (is_unanswered(cause))
		find_unanswered(cause, evidence, finding);
	else
		find_yours(cause, finding);
}

/* --- the whole --- */

/* No attempt found a listener. */
static bool is_wrong_port(const struct bench_result *result)
{
	return result->totals.connected == 0 &&
	       bench_causes_not_listening(&result->causes) == result->totals.failed;
}

/* Another service, or another path of it. */
static bool is_no_websocket(const struct bench_cause *cause)
{
	return cause->kind == BENCH_CAUSE_HTTP &&
	       (cause->code == 200 || cause->code == 404 || cause->code == 426);
}

void bench_plateau_find(const struct bench_result *result, const struct bench_evidence *evidence,
			struct bench_plateau *out_plateau)
{
	const struct bench_cause *cause = main_cause(result);
	struct finding finding = {0};
	char at[32];

	*out_plateau = (struct bench_plateau){0};
	if (cause == NULL)
		return;
	if (is_wrong_port(result)) {
		out_plateau->side = BENCH_YOURS;
		snprintf(out_plateau->text, sizeof(out_plateau->text), "%s", evidence->listening);
		return;
	}
	bool is_closing = closes_in_the_ramp(result, cause);

	if (!is_closing && !has_stopped_rising(result, cause, evidence))
		return;
	cause_judge(cause, evidence, &finding);
	out_plateau->at = is_closing ? result->totals.connected - cause->count : result->ramp_open;
	/* With none at all nothing rose; but a limit is a limit. */
	if (out_plateau->at == 0 && finding.limit[0] == 0) {
		out_plateau->side = finding.side;
		if (is_no_websocket(cause))
			snprintf(out_plateau->text, sizeof(out_plateau->text), "%s",
				 bench_cause_advice(cause));
		return;
	}
	out_plateau->is_found = true;
	out_plateau->side = finding.side;
	memcpy(out_plateau->limit, finding.limit, sizeof(finding.limit));
	snprintf(out_plateau->text, sizeof(out_plateau->text), "plateau at %s: %s",
		 units_format_grouped(out_plateau->at, at), finding.text);
}
