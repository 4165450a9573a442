/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/check_unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/units.h"
#include "diag/unit_dropins.h"
#include "diag/unit_file.h"

#define UNIT_FILE_MAX 1048576

/* [ms] What systemd takes where the unit says nothing (systemd-system.conf(5)), as Debian has it.
 */
#define TIMEOUT_DEFAULT_MS UINT64_C(90000)

struct check {
	const char *file;
	const struct config *config;
	struct unit_dropins dropins;
	struct unit_file unit;
	size_t mistakes;
};

/* The file that unit_file calls so: the unit, or a drop-in. */
static const char *file_of(const struct check *check, unsigned from)
{
	return from == 0 ? check->file : check->dropins.paths[from - 1];
}

static void __attribute__((format(printf, 3, 4)))
mistake(struct check *check, unsigned from, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", file_of(check, from));
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	check->mistakes++;
}

static void __attribute__((format(printf, 3, 4)))
warn(const struct check *check, unsigned from, const char *format, ...)
{
	va_list args;

	printf("warning: %s: ", file_of(check, from));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* --- times --- */

static uint64_t end_ms(const struct config_server *server)
{
	return server->drain_delay + server->drain_spread + server->drain_timeout;
}

/* systemd sends SIGKILL then, whoever is left. */
static void timeout_check(struct check *check)
{
	bool has_both = check->unit.timeout_stop.text[0] == 0 && check->unit.timeout.text[0] != 0;
	const char *key = has_both ? "TimeoutSec" : "TimeoutStopSec";
	const struct unit_value *value = has_both ? &check->unit.timeout
						  : &check->unit.timeout_stop;
	const char *text = value->text;
	const struct config_server *server = &check->config->server;
	uint64_t ms = TIMEOUT_DEFAULT_MS;
	char parts[3][32], sum[32];

	if (text[0] != 0 && !unit_time_read(text, &ms)) {
		mistake(check, value->from, "%s=%s is no time such as 330 or 5min 30s", key, text);
		return;
	}
	if (ms > end_ms(server))
		return;
	mistake(check, value->from,
		"%s=%s is not longer than the gateway may take to end: server.drain_delay %s, "
		"drain_spread %s and drain_timeout %s; make it longer than %s, or those shorter",
		key, text[0] != 0 ? text : "90 (the default)",
		units_format_duration_ms(server->drain_delay, parts[0], sizeof(parts[0])),
		units_format_duration_ms(server->drain_spread, parts[1], sizeof(parts[1])),
		units_format_duration_ms(server->drain_timeout, parts[2], sizeof(parts[2])),
		units_format_duration_ms(end_ms(server), sum, sizeof(sum)));
}

static bool tells_manager(const struct unit_file *unit)
{
	return strcmp(unit->type.text, "notify") == 0 ||
	       strcmp(unit->type.text, "notify-reload") == 0;
}

static void type_check(const struct check *check)
{
	const struct unit_file *unit = &check->unit;
	bool has_watchdog = unit->watchdog.text[0] != 0;

	if (!tells_manager(unit))
		warn(check, unit->type.from,
		     "Type=%s: with notify systemd knows when the gateway serves, and gives it the "
		     "time that a drain needs",
		     unit->type.text[0] == 0 ? "simple (the default)" : unit->type.text);
	if (!tells_manager(unit) && has_watchdog && unit->notify_access.text[0] == 0)
		warn(check, unit->watchdog.from,
		     "WatchdogSec=%s, but without Type=notify nothing is heard of the "
		     "gateway: it would be restarted again and again",
		     unit->watchdog.text);
	/* The successor of an upgrade is another process. */
	if (tells_manager(unit) && strcmp(unit->notify_access.text, "all") != 0)
		warn(check, unit->notify_access.from,
		     "NotifyAccess=%s: with all, the new process of an upgrade is heard, too",
		     unit->notify_access.text[0] == 0 ? "main (the default)"
						      : unit->notify_access.text);
}

static void signal_check(struct check *check)
{
	const char *text = check->unit.kill_signal.text;

	if (text[0] != 0 && strcmp(text, "SIGTERM") != 0 && strcmp(text, "SIGINT") != 0)
		mistake(check, check->unit.kill_signal.from,
			"KillSignal=%s does not end the gateway: remove it, which is SIGTERM",
			text);
}

/* --- limits --- */

/* The same plan as at the start, with the unit's limit in the stead of this shell's. */
static void nofile_check(struct check *check, const struct plan_facts *facts)
{
	const char *text = check->unit.limit_nofile.text;
	unsigned from = check->unit.limit_nofile.from;
	char why[PLAN_EXPLAIN_MAX];
	uint64_t limit;

	if (text[0] == 0) {
		warn(check, from,
		     "it has no LimitNOFILE: systemd's default counts, often 524288; say how "
		     "many connections there may be");
		return;
	}
	if (!unit_limit_read(text, &limit)) {
		mistake(check, from, "LimitNOFILE=%s is no number, and not infinity", text);
		return;
	}
	if (facts == NULL || limit == UNIT_FOREVER)
		return;
	struct plan_facts as_unit = *facts;
	struct plan plan;

	as_unit.os.nofile_soft.value = as_unit.os.nofile_hard.value = limit;
	plan_make(check->config, &as_unit, &plan);
	if (!plan.fits && limits_binding(&plan.limits)->id == LIMIT_ID_NOFILE)
		mistake(check, from,
			"with LimitNOFILE=%s server.max_connections cannot be held: %s", text,
			plan_explain(&plan, why));
}

/* --- what is started --- */

static void config_check(const struct check *check)
{
	char file[UNIT_VALUE_MAX];

	if (check->config->file != NULL && unit_config_read(check->unit.exec_start.text, file) &&
	    strcmp(file, check->config->file) != 0)
		warn(check, check->unit.exec_start.from,
		     "it starts with %s, and %s is what was checked", file, check->config->file);
}

/* --- the files --- */

/* False: it cannot be read, and is told as a mistake. */
static bool load(struct check *check, const char *file, struct file_content *out_content)
{
	int r = file_load(file, UNIT_FILE_MAX, out_content);

	if (r == 0)
		return true;
	fprintf(stderr, "%s: it cannot be read: %s\n", file, strerror(-r));
	check->mistakes++;
	return false;
}

static bool unit_load(struct check *check)
{
	struct file_content content;

	if (!load(check, check->file, &content))
		return false;
	bool is_unit = unit_file_read(slice_of(content.data, content.len), &check->unit);

	free(content.data);
	if (!is_unit)
		mistake(check, 0, "it has no section [Service]: is it the unit of a service?");
	return is_unit;
}

static void dropins_load(struct check *check)
{
	struct file_content content;
	int r = unit_dropins_find("", check->file, &check->dropins);

	if (r < 0)
		mistake(check, 0, "its drop-ins cannot be read: %s", strerror(-r));
	for (size_t i = 0; i < check->dropins.count; i++) {
		const char *path = check->dropins.paths[i];

		printf("drop-in: %s\n", path);
		if (!load(check, path, &content))
			continue;
		unit_file_merge(slice_of(content.data, content.len), (unsigned)i + 1, &check->unit);
		free(content.data);
	}
}

size_t check_unit(const char *file, const struct config *config, const struct plan_facts *facts)
{
	struct check check = {.file = file, .config = config};

	if (!unit_load(&check))
		return check.mistakes;
	dropins_load(&check);
	timeout_check(&check);
	signal_check(&check);
	nofile_check(&check, facts);
	type_check(&check);
	config_check(&check);
	unit_dropins_finish(&check.dropins);
	return check.mistakes;
}
