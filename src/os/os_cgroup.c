/* SPDX-License-Identifier: Apache-2.0
 * os_cgroup.c - the limits that the process's control groups set.
 *
 * A controller is in a hierarchy of its own (v1) or in the unified one (v2); a hybrid
 * machine has both. /proc/PID/cgroup tells the group in each, /proc/self/mountinfo
 * where and from which group on each can be seen. A limit of any group between the
 * process's own and the root holds, so the one with the least room left counts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "os/os_limits_private.h"

/* The file names of one controller in one version. */
struct controller {
	const char *name; /* as in /proc/PID/cgroup */
	const char *max;
	const char *used;
	const char *reclaimable; /* line of memory.stat; NULL: nothing is */
};

/* Only the inactive part of the page cache is counted as free: the kernel takes it
 * back first and for nothing, while the active part holds program text and files at
 * work. It is also what Kubernetes leaves out of the "working set" that it evicts by. */
static const struct {
	struct controller v1;
	struct controller v2;
} controllers[] = {
	{{"memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "},
	 {"memory", "memory.max", "memory.current", "inactive_file "}},
	{{"pids", "pids.max", "pids.current", NULL}, {"pids", "pids.max", "pids.current", NULL}},
};

/* v1 writes "no limit" as LONG_MAX rounded down to a page, of at most 64 KiB. */
#define V1_UNLIMITED (UINT64_C(0x7fffffffffffffff) & ~UINT64_C(0xffff))

/* --- lines of /proc/PID/cgroup: "4:memory:/a/b", and "0::/a/b" for v2 --- */

static bool list_has(const char *list, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	for (size_t at = 0; at < len; at++) {
		size_t item = 0;

		while (at + item < len && list[at + item] != ',')
			item++;
		if (item == name_len && strncmp(list + at, name, item) == 0)
			return true;
		at += item;
	}
	return false;
}

/* NULL if the line is not that of the hierarchy of `name` (NULL: the unified one). */
static const char *group_parse(const char *line, size_t len, const char *name)
{
	const char *end = line + len;
	const char *list = memchr(line, ':', len);
	const char *path = list == NULL ? NULL : memchr(list + 1, ':', (size_t)(end - list - 1));

	if (path == NULL || path[1] != '/')
		return NULL;
	size_t list_len = (size_t)(path - list) - 1;
	bool is_it = name == NULL ? list_len == 0 : list_has(list + 1, list_len, name);

	return is_it ? path + 1 : NULL;
}

static bool group_find(const char *text, const char *name, char out_group[OS_PATH_MAX])
{
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		const char *group = group_parse(line, len, name);

		if (group != NULL) {
			snprintf(out_group, OS_PATH_MAX, "%.*s", (int)(line + len - group), group);
			return true;
		}
		line += len + (line[len] == '\n');
	}
	return false;
}

/* --- lines of mountinfo, proc(5): "36 35 98:0 /root /mount opts ... - type source opts" --- */

struct mount {
	char root[OS_PATH_MAX];  /* group that is seen at `point` */
	char point[OS_PATH_MAX]; /* without target->root */
};

/* \040 and its like stand for blanks, tabs, line ends and backslashes. */
static void octal_decode(char *text)
{
	char *to = text;

	for (const char *at = text; *at != '\0'; to++) {
		unsigned code;

		if (at[0] == '\\' && sscanf(at + 1, "%3o", &code) == 1 && strlen(at) >= 4) {
			*to = (char)code;
			at += 4;
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

/* True if the line is a mount of the hierarchy of `name` (NULL: of v2). */
static bool mount_parse(const char *line, size_t len, const char *name, struct mount *out_mount)
{
	const char *tail = memmem(line, len, " - ", 3);
	char type[32];
	const char *options;
	int used = 0;

	if (tail == NULL ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", out_mount->root, out_mount->point) != 2)
		return false;
	if (sscanf(tail, " - %31s %*s %n", type, &used) != 1 || used == 0)
		return false;
	octal_decode(out_mount->root);
	octal_decode(out_mount->point);
	options = tail + used;
	if (name == NULL)
		return strcmp(type, "cgroup2") == 0;
	return strcmp(type, "cgroup") == 0 &&
	       list_has(options, len - (size_t)(options - line), name);
}

/* What of `group` is below `root`: "" if they are the same; NULL if it is not below. */
static const char *below(const char *group, const char *root)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(group, root, len) != 0 || (group[len] != '\0' && group[len] != '/'))
		return NULL;
	return strcmp(group + len, "/") == 0 ? "" : group + len;
}

/* Fills *out_mount with the mount that shows most of what is above `group`. */
static bool mount_find(const char *text, const char *name, const char *group,
		       struct mount *out_mount)
{
	struct mount mount;
	bool is_found = false;

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (mount_parse(line, len, name, &mount) && below(group, mount.root) != NULL &&
		    (!is_found || strlen(mount.root) < strlen(out_mount->root))) {
			*out_mount = mount;
			is_found = true;
		}
		line += len + (line[len] == '\n');
	}
	return is_found;
}

/* --- the walk --- */

struct walk {
	const struct os_target *target;
	const struct controller *controller;
	bool is_v1;
	bool has_limit;
	struct os_value *max;
	struct os_value *used;
};

static void used_read(const struct walk *walk, const char *directory, struct os_value *out_used)
{
	struct os_value cache;
	struct os_text text;

	os_text_read(&text, walk->target, "%s/%s", directory, walk->controller->used);
	os_text_value(&text, "", 0, 1, out_used);
	os_text_finish(&text);
	if (walk->controller->reclaimable == NULL || !out_used->is_known)
		return;
	os_text_read(&text, walk->target, "%s/memory.stat", directory);
	os_text_value(&text, walk->controller->reclaimable, 0, 1, &cache);
	os_text_finish(&text);
	/* Without the number all of it counts as used, which errs on the safe side. */
	if (cache.is_known)
		out_used->value -= MIN(cache.value, out_used->value);
}

static uint64_t room(const struct os_value *max, const struct os_value *used)
{
	uint64_t taken = used->is_known ? used->value : 0;

	return max->value > taken ? max->value - taken : 0;
}

/* Looks at one group. False: its limit cannot be read, and so the tightest is not
 * known either: *walk->max says why. */
static bool group_read(struct walk *walk, const char *directory)
{
	struct os_value max;
	struct os_value used;
	struct os_text text;

	os_text_read(&text, walk->target, "%s/%s", directory, walk->controller->max);
	os_text_value(&text, "", 0, 1, &max);
	int error = text.error;

	os_text_finish(&text);
	/* The root has no such file, nor a group whose parent does not pass the controller
	 * on: no limit is set there. */
	if (error == -ENOENT)
		return true;
	if (!max.is_known) {
		*walk->max = max;
		return false;
	}
	if (walk->is_v1 && max.value >= V1_UNLIMITED)
		max.value = OS_UNLIMITED;
	used_read(walk, directory, &used);
	bool is_first = !walk->max->is_known;
	bool is_tighter = max.value != OS_UNLIMITED &&
			  (!walk->has_limit || room(&max, &used) < room(walk->max, walk->used));

	if (is_first || is_tighter) {
		*walk->max = max;
		*walk->used = used;
		walk->has_limit = max.value != OS_UNLIMITED;
	}
	return true;
}

static void both_fail(struct walk *walk, const char *source, int error, const char *reason)
{
	os_value_fail(walk->max, source, error, reason);
	os_value_fail(walk->used, source, error, reason);
}

/* From `group` up to the root of the mount. */
static void walk_up(struct walk *walk, const struct mount *mount, const char *group)
{
	char directory[2 * OS_PATH_MAX];
	char source[OS_PATH_MAX * 4];
	struct stat info;
	size_t shortest = strlen(mount->point);

	snprintf(directory, sizeof(directory), "%s%s", mount->point, below(group, mount->root));
	snprintf(source, sizeof(source), "%s%s", walk->target->root, directory);
	if (stat(source, &info) < 0) {
		both_fail(walk, source, -errno, strerrordesc_np(errno));
		return;
	}
	snprintf(source, sizeof(source), "%s%s/%s", walk->target->root, directory,
		 walk->controller->max);
	both_fail(walk, source, -ENOENT, "no group has this file");
	for (;;) {
		if (!group_read(walk, directory))
			return;
		if (strlen(directory) <= shortest)
			break;
		*strrchr(directory, '/') = '\0';
	}
	if (!walk->max->is_known)
		os_value_set(walk->max, source, OS_UNLIMITED);
}

static void controller_read(struct walk *walk, const struct os_text *groups,
			    const struct os_text *mounts, const struct controller *v1,
			    const struct controller *v2)
{
	const struct os_text *bad = groups->problem != NULL ? groups : mounts;
	char group[OS_PATH_MAX];
	char reason[192];
	struct mount mount;

	if (bad->problem != NULL) {
		both_fail(walk, bad->path, bad->error, bad->problem);
		return;
	}
	const char *text = (const char *)groups->content.data;

	walk->is_v1 = group_find(text, v1->name, group);
	walk->controller = walk->is_v1 ? v1 : v2;
	if (!walk->is_v1 && !group_find(text, NULL, group)) {
		snprintf(reason, sizeof(reason), "names no group of the %s controller", v1->name);
		both_fail(walk, groups->path, 0, reason);
		return;
	}
	if (!mount_find((const char *)mounts->content.data, walk->is_v1 ? v1->name : NULL, group,
			&mount)) {
		snprintf(reason, sizeof(reason), "no mount shows the %s controller of group %.100s",
			 v1->name, group);
		both_fail(walk, mounts->path, 0, reason);
		return;
	}
	walk_up(walk, &mount, group);
}

void os_cgroup_read(const struct os_target *target, struct os_limits *limits)
{
	struct os_value *values[][2] = {
		{&limits->cgroup_memory_max_bytes, &limits->cgroup_memory_used_bytes},
		{&limits->pids_max, &limits->pids_used},
	};
	struct os_text groups;
	struct os_text mounts;

	os_text_read(&groups, target, "/proc/%s/cgroup", target->process);
	os_text_read(&mounts, target, "/proc/self/mountinfo");
	for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
		struct walk walk = {.target = target, .max = values[i][0], .used = values[i][1]};

		controller_read(&walk, &groups, &mounts, &controllers[i].v1, &controllers[i].v2);
	}
	os_text_finish(&groups);
	os_text_finish(&mounts);
}
