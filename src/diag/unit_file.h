/* SPDX-License-Identifier: Apache-2.0
 * unit_file.h - what a unit of systemd says, as far as it concerns the gateway.
 *
 * Layer: diag. Pure. Of the syntax (systemd.syntax(7)) it knows sections, assignments, comments,
 * and lines that go on behind a backslash; of each value the last assignment counts, and an empty
 * one takes back those before it. Drop-ins (unit_dropins.h) are other files, merged in their order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define UNIT_VALUE_MAX 1024 /* [bytes] of a value with its NUL; a longer one is cut */

/* Of [Service]. X(member, key) */
#define UNIT_KEYS(X)                      \
	X(type, "Type")                   \
	X(exec_start, "ExecStart")        \
	X(limit_nofile, "LimitNOFILE")    \
	X(timeout_stop, "TimeoutStopSec") \
	X(timeout, "TimeoutSec")          \
	X(watchdog, "WatchdogSec")        \
	X(notify_access, "NotifyAccess")  \
	X(kill_signal, "KillSignal")

struct unit_value {
	char text[UNIT_VALUE_MAX]; /* "": it does not say */
	unsigned from; /* which of the files assigned it last: as unit_file_merge was told */
};

struct unit_file {
#define UNIT_MEMBER(member, key) struct unit_value member;
	UNIT_KEYS(UNIT_MEMBER)
};

/* False: there is no section [Service], so that it is no unit of a service. */
bool unit_file_read(struct slice text, struct unit_file *out_unit);

/* What another file says, over what those before it said: a drop-in of the unit. */
void unit_file_merge(struct slice text, unsigned from, struct unit_file *unit);

#define UNIT_FOREVER UINT64_MAX

/* A time of systemd.time(7): "90", "5min 20s", "infinity". False: it is none, or has a unit that is
 * longer than a week. [ms], UNIT_FOREVER */
bool unit_time_read(const char *text, uint64_t *out_ms);

/* A limit of systemd.exec(7): "1000", "1000:2000" (the second counts: the gateway raises the first
 * to it), "infinity", which is UNIT_FOREVER. */
bool unit_limit_read(const char *text, uint64_t *out_limit);

/* Of the command of ExecStart: the value of -c or --config. False: it has none. */
bool unit_config_read(const char *exec_start, char out[UNIT_VALUE_MAX]);
