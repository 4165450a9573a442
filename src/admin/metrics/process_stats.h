/* SPDX-License-Identifier: Apache-2.0
 * process_stats.h - the numbers of the standard process_* metrics.
 *
 * Layer: admin. Reads /proc/self: some 100 microseconds, for the admin thread. */
#pragma once

#include <stdint.h>

struct process_stats {
	double cpu_seconds;
	double start_time_seconds; /* since the epoch */
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t open_fds;
	uint64_t max_fds;
};

/* What cannot be read is 0. */
void process_stats_read(struct process_stats *out_stats);
