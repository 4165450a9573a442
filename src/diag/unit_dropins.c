/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/unit_dropins.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Where systemd looks for units of the system, first what goes first. */
static const char *const places[] = {"/etc/systemd/system", "/run/systemd/system",
				     "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
				     "/lib/systemd/system"};

/* --- one directory --- */

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool has_name(const struct unit_dropins *dropins, const char *name)
{
	for (size_t i = 0; i < dropins->count; i++)
		if (strcmp(name_of(dropins->paths[i]), name) == 0)
			return true;
	return false;
}

static bool is_dropin(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".conf") == 0;
}

static int entry_take(const char *directory, const char *name, struct unit_dropins *dropins)
{
	if (!is_dropin(name) || has_name(dropins, name))
		return 0;
	if (dropins->count == UNIT_DROPINS_MAX)
		return -E2BIG;
	if (asprintf(&dropins->paths[dropins->count], "%s/%s", directory, name) < 0)
		return -ENOMEM;
	dropins->count++;
	return 0;
}

/* One that is not there has none in it. */
static int directory_read(const char *path, struct unit_dropins *dropins)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (directory == NULL)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	do {
		errno = 0;
		entry = readdir(directory);
		r = entry == NULL ? -errno : entry_take(path, entry->d_name, dropins);
	} while (entry != NULL && r == 0);
	closedir(directory);
	return r;
}

/* One that is nothing but a link to /dev/null takes others of its name away. */
static bool is_mask(const char *path)
{
	char target[PATH_MAX];

	return realpath(path, target) != NULL && strcmp(target, "/dev/null") == 0;
}

static void masks_remove(struct unit_dropins *dropins)
{
	size_t kept = 0;

	for (size_t i = 0; i < dropins->count; i++)
		if (is_mask(dropins->paths[i]))
			free(dropins->paths[i]);
		else
			dropins->paths[kept++] = dropins->paths[i];
	dropins->count = kept;
}

/* --- by the unit's name --- */

/* Where files are looked for; first what goes first. */
struct search {
	size_t count;
	char directories[ARRAY_LEN(places) + 1][PATH_MAX];
	struct unit_dropins *dropins;
};

/* "NAME.d" of all directories. */
static int name_read(const struct search *search, const char *name)
{
	char path[PATH_MAX + NAME_MAX + 8];
	int r = 0;

	for (size_t i = 0; i < search->count && r == 0; i++) {
		snprintf(path, sizeof(path), "%s/%s.d", search->directories[i], name);
		r = directory_read(path, search->dropins);
	}
	return r;
}

/* "gatehouse-eu-1.service" has "gatehouse-eu-.service" and "gatehouse-.service", too. */
static int beginnings_read(const struct search *search, const char *stem, const char *suffix)
{
	char name[NAME_MAX + 1];
	int r = 0;

	for (size_t len = strlen(stem); len > 1 && r == 0; len--) {
		if (stem[len - 1] != '-')
			continue;
		snprintf(name, sizeof(name), "%.*s%s", (int)len, stem, suffix);
		r = name_read(search, name);
	}
	return r;
}

static int names_read(const struct search *search, const char *name)
{
	char stem[NAME_MAX + 1], other[NAME_MAX + 1];
	const char *suffix = strrchr(name, '.'), *at = strchr(name, '@');

	if (suffix == NULL || strlen(name) > NAME_MAX)
		return 0;
	int r = name_read(search, name);

	if (r == 0 && at != NULL && at + 1 < suffix) {
		snprintf(other, sizeof(other), "%.*s@%s", (int)(at - name), name, suffix);
		r = name_read(search, other);
	}
	snprintf(stem, sizeof(stem), "%.*s", (int)((at == NULL ? suffix : at) - name), name);
	if (r == 0)
		r = beginnings_read(search, stem, suffix);
	return r < 0 ? r : name_read(search, suffix + 1);
}

/* --- the whole --- */

static void directory_add(struct search *search, const char *root, const char *path, size_t len)
{
	snprintf(search->directories[search->count++], PATH_MAX, "%s%.*s", root, (int)len, path);
}

static void places_find(const char *root, const char *file, struct search *search)
{
	const char *name = name_of(file);
	size_t len = name == file ? 0 : (size_t)(name - file) - 1;
	bool is_systemds = false;
	char place[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(place, sizeof(place), "%s%s", root, places[i]);
		is_systemds |= strlen(place) == len && memcmp(place, file, len) == 0;
	}
	for (size_t i = 0; is_systemds && i < ARRAY_LEN(places); i++)
		directory_add(search, root, places[i], strlen(places[i]));
	if (!is_systemds && name == file)
		directory_add(search, "", ".", 1);
	else if (!is_systemds)
		directory_add(search, "", file, len);
}

static int by_name(const void *left, const void *right)
{
	char *const *a = left, *const *b = right;

	return strcmp(name_of(*a), name_of(*b));
}

int unit_dropins_find(const char *root, const char *file, struct unit_dropins *out_dropins)
{
	struct search search = {.dropins = out_dropins};

	*out_dropins = (struct unit_dropins){0};
	places_find(root, file, &search);
	int r = names_read(&search, name_of(file));

	if (r < 0)
		unit_dropins_finish(out_dropins);
	masks_remove(out_dropins);
	if (out_dropins->count > 1)
		qsort(out_dropins->paths, out_dropins->count, sizeof(out_dropins->paths[0]),
		      by_name);
	return r;
}

void unit_dropins_finish(struct unit_dropins *dropins)
{
	for (size_t i = 0; i < dropins->count; i++)
		free(dropins->paths[i]);
	dropins->count = 0;
}
