/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/metrics/process_stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/os_limits.h"

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void read_memory(struct process_stats *stats)
{
	FILE *file = fopen("/proc/self/statm", "re");
	uint64_t pages, resident;
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);

	if (file == NULL)
		return;
	if (fscanf(file, "%" SCNu64 " %" SCNu64, &pages, &resident) == 2) {
		stats->virtual_bytes = pages * page_size;
		stats->resident_bytes = resident * page_size;
	}
	fclose(file);
}

/* Field 22 of /proc/self/stat, in clock ticks since boot (proc(5)). The second field
 * is a name that may hold anything, so counting starts behind its last ')'. */
static uint64_t start_ticks(void)
{
	char line[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	uint64_t ticks = 0;

	if (file == NULL)
		return 0;
	const char *at = fgets(line, sizeof(line), file) == NULL ? NULL : strrchr(line, ')');

	fclose(file);
	for (int field = 2; at != NULL && field < 22; field++) {
		at = strchr(at, ' ');
		if (at != NULL)
			at++;
	}
	if (at == NULL || sscanf(at, "%" SCNu64, &ticks) != 1)
		return 0;
	return ticks;
}

static double boot_time(void)
{
	char line[256];
	FILE *file = fopen("/proc/stat", "re");
	uint64_t seconds = 0;

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "btime %" SCNu64, &seconds) == 1)
			break;
	fclose(file);
	return (double)seconds;
}

void process_stats_read(struct process_stats *out_stats)
{
	struct process_stats stats = {0};
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		stats.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
	read_memory(&stats);
	stats.start_time_seconds = boot_time() +
				   (double)start_ticks() / (double)sysconf(_SC_CLK_TCK);
	stats.open_fds = os_limits_open_files();
	stats.max_fds = os_limits_nofile().soft;
	*out_stats = stats;
}
