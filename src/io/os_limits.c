/* SPDX-License-Identifier: Apache-2.0 */
#include "io/os_limits.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/check.h"

static uint64_t limit_value(rlim_t value)
{
	return value == RLIM_INFINITY ? UINT64_MAX : (uint64_t)value;
}

struct os_nofile os_limits_nofile(void)
{
	struct rlimit limit;
	int r = getrlimit(RLIMIT_NOFILE, &limit);

	CHECK(r == 0);
	return (struct os_nofile){limit_value(limit.rlim_cur), limit_value(limit.rlim_max)};
}

struct os_nofile os_limits_raise_nofile(void)
{
	struct rlimit limit;

	/* Fails where a sandbox forbids it; what holds is reported either way. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return os_limits_nofile();
}

uint64_t os_limits_open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (dir == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.')
			count++;
	closedir(dir);
	return count - 1; /* the directory's own descriptor */
}

uint64_t os_limits_file_max(void)
{
	FILE *file = fopen("/proc/sys/fs/file-max", "re");
	uint64_t value;

	if (file == NULL)
		return UINT64_MAX;
	bool is_read = fscanf(file, "%" SCNu64, &value) == 1;

	fclose(file);
	return is_read ? value : UINT64_MAX;
}

uint64_t os_limits_memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kib;
	uint64_t bytes = UINT64_MAX;

	if (file == NULL)
		return UINT64_MAX;
	while (bytes == UINT64_MAX && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			bytes = kib * 1024;
	fclose(file);
	return bytes;
}
