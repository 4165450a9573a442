/* SPDX-License-Identifier: Apache-2.0
 * reload_report.h - what became of reading the configuration again, for the log and for the answer.
 *
 * Layer: cmd. */
#pragma once

#include <jansson.h>

#include "config/config_diff.h"
#include "config/config_report.h"
#include "server/reload.h"

struct reload_report {
	enum reload_outcome outcome;
	struct config_report mistakes; /* REFUSED and FAILED: why */
	struct config_report warnings;
	struct config_diff diff;     /* else: what is different */
	size_t files_failed;         /* certificates and the like, that could not be read again */
	size_t late_workers;         /* that have not changed over yet */
	char hash[CONFIG_HASH_TEXT]; /* of the configuration in force */
	char file[512];              /* that was read; "" = none */
};

/* Zeroed is fine. */
void reload_report_finish(struct reload_report *report);

/* One line for all, and one for each change, mistake and warning, of which there may be many. */
void reload_report_log(const struct reload_report *report, const char *asked_by);

/* What POST /api/v1/reload answers: of what is not good a problem document. NULL: memory is out. */
unsigned reload_report_status(const struct reload_report *report);
json_t *reload_report_json(const struct reload_report *report);
