/* SPDX-License-Identifier: Apache-2.0 */
#include "io/os_limits.h"

#include <dirent.h>
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
