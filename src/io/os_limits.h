/* SPDX-License-Identifier: Apache-2.0
 * os_limits.h - facts about the limits of this process and machine.
 *
 * Layer: io. Reads only, except os_limits_raise_nofile. Blocks on /proc reads:
 * for start-up and the admin thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct os_nofile {
	uint64_t soft;
	uint64_t hard;
};

/* RLIMIT_NOFILE of this process; RLIM_INFINITY comes as UINT64_MAX. */
struct os_nofile os_limits_nofile(void);

/* Raises the soft limit to the hard one. Returns what holds afterwards. */
struct os_nofile os_limits_raise_nofile(void);

/* Descriptors open in this process now; 0 if /proc cannot be read. */
uint64_t os_limits_open_files(void);

/* fs.file-max: files open at once on the whole machine. UINT64_MAX if unknown. */
uint64_t os_limits_file_max(void);

/* MemAvailable of /proc/meminfo, in bytes. UINT64_MAX if unknown. */
uint64_t os_limits_memory_available(void);
