/* SPDX-License-Identifier: Apache-2.0
 * timestamp.h - points in time as people and programs write them.
 *
 * Layer: base. Pure functions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define TIMESTAMP_ALLOWED                                                                    \
	"RFC 3339 (2026-01-31T23:59:59Z, 2026-01-31T23:59:59.5+08:00) or seconds since the " \
	"epoch (1769903999, 1769903999.5), from 1970 to 9999"

/* In ms since the epoch; what is finer is cut off. A space is taken for the 'T' and, as a query's
 * '+' becomes one, for the '+' too. A leap second is the second after it. False: it is none of the
 * two, and nothing is written. */
bool timestamp_parse(struct slice text, uint64_t *out_ms);
