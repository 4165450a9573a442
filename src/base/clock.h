/* SPDX-License-Identifier: Apache-2.0
 * clock.h - time inside the program: monotonic nanoseconds.
 *
 * Layer: base. Thread-safe. */
#pragma once

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* CLOCK_MONOTONIC, in ns. */
uint64_t clock_now_ns(void);

/* CLOCK_REALTIME since the epoch, in ns: for log lines, reports, and
 * times that travel between programs. */
uint64_t clock_wall_ns(void);

/* "2026-01-31T23:59:59.123Z", of a time of clock_wall_ns (RFC 3339). Returns `out`. */
#define CLOCK_TEXT_MAX 48
char *clock_wall_format(uint64_t wall_ns, char out[CLOCK_TEXT_MAX]);
