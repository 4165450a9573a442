/* SPDX-License-Identifier: Apache-2.0
 * metrics_page.h - the page of /metrics while it is written.
 *
 * Layer: admin; for metrics*.c alone. */
#pragma once

#include <inttypes.h>

#include "base/buf.h"
#include "base/durations.h"

#define PRINT(out, ...) buf_printf(out, HTTP_BODY_MAX, __VA_ARGS__)

/* The samples of a histogram; `labels` as in 'backend="a"', or empty. */
void metrics_print_durations(struct buf *out, const char *name, const char *labels,
			     const struct durations *durations, const uint64_t *edges_us);
