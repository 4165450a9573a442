/* SPDX-License-Identifier: Apache-2.0
 * check_unit.h - does a unit of systemd fit the configuration that it starts?
 *
 * Layer: cmd. Reads the unit. */
#pragma once

#include <stddef.h>

#include "config/config.h"
#include "diag/plan.h"

/* With its drop-ins, which are named on standard output. Says on standard error what would go
 * wrong, and on standard output, behind "warning: ", what is worth a look. `facts` of this machine,
 * or NULL: its limits are not judged. Returns how much would go wrong. */
size_t check_unit(const char *file, const struct config *config, const struct plan_facts *facts);
