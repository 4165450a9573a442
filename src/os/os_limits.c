/* SPDX-License-Identifier: Apache-2.0 */
#include "os/os_limits.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/check.h"
#include "os/os_limits_private.h"

#define KIB UINT64_C(1024)

/* --- descriptors --- */

static uint64_t limit_value(rlim_t value)
{
	return value == RLIM_INFINITY ? OS_UNLIMITED : (uint64_t)value;
}

struct os_nofile os_limits_nofile(void)
{
	struct rlimit limit;
	int r = getrlimit(RLIMIT_NOFILE, &limit);

	CHECK(r == 0);
	return (struct os_nofile){limit_value(limit.rlim_cur), limit_value(limit.rlim_max)};
}

unsigned os_limits_cores(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? 1 : (unsigned)CPU_COUNT(&cpus);
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

/* Returns a negative errno if the directory cannot be read. */
static int entries_count(const char *path, uint64_t *out_count)
{
	DIR *dir = opendir(path);
	uint64_t count = 0;

	if (dir == NULL)
		return -errno;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.')
			count++;
	closedir(dir);
	*out_count = count;
	return 0;
}

static void open_files_read(const struct os_target *target, struct os_value *out_value)
{
	char path[OS_PATH_MAX];
	struct statfs fs;
	struct stat info;
	uint64_t count = 0;

	snprintf(path, sizeof(path), "%s/proc/%s/fd", target->root, target->process);
	bool is_proc = statfs(path, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;

	/* From Linux 6.2 on the size is the number: a million entries need not be read,
	 * and it is told of processes that are not ours too. */
	if (is_proc && stat(path, &info) == 0 && info.st_size > 0) {
		os_value_set(out_value, path, (uint64_t)info.st_size);
		return;
	}
	int r = entries_count(path, &count);

	if (r < 0)
		os_value_fail(out_value, path, r, strerrordesc_np(-r));
	else /* less the one that we read the directory by */
		os_value_set(out_value, path, count - (is_proc && target->is_self ? 1 : 0));
}

/* --- facts about the process --- */

static void getrlimit_read(int resource, struct os_value *soft, struct os_value *hard)
{
	struct rlimit limit;
	int r = getrlimit((__rlimit_resource_t)resource, &limit);

	CHECK(r == 0);
	os_value_set(soft, "getrlimit", limit_value(limit.rlim_cur));
	if (hard != NULL)
		os_value_set(hard, "getrlimit", limit_value(limit.rlim_max));
}

static void process_read_limits(const struct os_target *target, struct os_limits *limits)
{
	struct os_text text;

	if (target->is_self) {
		getrlimit_read(RLIMIT_NOFILE, &limits->nofile_soft, &limits->nofile_hard);
		getrlimit_read(RLIMIT_MEMLOCK, &limits->memlock_bytes, NULL);
		return;
	}
	os_text_read(&text, target, "/proc/%s/limits", target->process);
	os_text_value(&text, "Max open files ", 0, 1, &limits->nofile_soft);
	os_text_value(&text, "Max open files ", 1, 1, &limits->nofile_hard);
	os_text_value(&text, "Max locked memory ", 0, 1, &limits->memlock_bytes);
	os_text_finish(&text);
}

static void process_read_memory(const struct os_target *target, struct os_limits *limits)
{
	struct os_text text;

	os_text_read(&text, target, "/proc/%s/status", target->process);
	os_text_value(&text, "RssAnon:", 0, KIB, &limits->resident_anon_bytes);
	os_text_finish(&text);
}

/* --- facts about the machine --- */

/* systemd sets the largest number there is, in order not to have this limit. */
static void file_max_read(const struct os_target *target, struct os_value *out_value)
{
	os_file_value(target, "/proc/sys/fs/file-max", 0, 1, out_value);
	if (out_value->is_known && out_value->value >= INT64_MAX)
		out_value->value = OS_UNLIMITED;
}

static void machine_read(const struct os_target *target, struct os_limits *limits)
{
	struct os_text text;

	os_file_value(target, "/proc/sys/fs/nr_open", 0, 1, &limits->nr_open);
	file_max_read(target, &limits->file_max);
	os_file_value(target, "/proc/sys/fs/file-nr", 0, 1, &limits->file_used);
	os_file_value(target, "/proc/sys/kernel/io_uring_disabled", 0, 1,
		      &limits->io_uring_disabled);
	os_text_read(&text, target, "/proc/meminfo");
	os_text_value(&text, "MemTotal:", 0, KIB, &limits->memory_total_bytes);
	os_text_value(&text, "MemAvailable:", 0, KIB, &limits->memory_available_bytes);
	os_text_value(&text, "SUnreclaim:", 0, KIB, &limits->slab_bytes);
	os_text_finish(&text);
}

void os_limits_read(const struct os_source *source, struct os_limits *out_limits)
{
	bool is_self = source->pid == 0 || source->pid == getpid();
	struct os_target target = {
		.root = source->root != NULL ? source->root : "",
		.is_self = is_self && source->root == NULL,
	};

	if (source->pid == 0)
		snprintf(target.process, sizeof(target.process), "self");
	else
		snprintf(target.process, sizeof(target.process), "%d", (int)source->pid);
	process_read_limits(&target, out_limits);
	process_read_memory(&target, out_limits);
	open_files_read(&target, &out_limits->open_files);
	machine_read(&target, out_limits);
	os_cgroup_read(&target, out_limits);
	os_network_read(&target, out_limits);
}

uint64_t os_limits_open_files(void)
{
	const struct os_target target = {.root = "", .process = "self", .is_self = true};
	struct os_value value;

	open_files_read(&target, &value);
	return value.is_known ? value.value : 0;
}
