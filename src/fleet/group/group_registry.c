/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/group/group_registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fleet/group/name_table.h"

struct entry {
	struct named named;
	uint64_t members;
	char name[];
};

struct group_registry {
	pthread_mutex_t mutex;
	struct name_table table;
	size_t groups_max;
	uint64_t members;
	uint64_t refused;
};

static bool is_name_byte(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
}

bool group_name_is_good(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_byte(name.data[i]))
			return false;
	return name.len > 0 && name.len <= GROUP_NAME_MAX;
}

struct group_registry *group_registry_create(size_t groups_max)
{
	struct group_registry *registry = calloc(1, sizeof(*registry));

	if (registry == NULL)
		return NULL;
	pthread_mutex_init(&registry->mutex, NULL);
	registry->groups_max = groups_max;
	return registry;
}

void group_registry_destroy(struct group_registry **registry)
{
	struct group_registry *self = *registry;

	if (self == NULL)
		return;
	CHECK(self->table.count == 0 && self->members == 0);
	name_table_finish(&self->table);
	pthread_mutex_destroy(&self->mutex);
	free(self);
	*registry = NULL;
}

void group_registry_set_max(struct group_registry *registry, size_t groups_max)
{
	pthread_mutex_lock(&registry->mutex);
	registry->groups_max = groups_max;
	pthread_mutex_unlock(&registry->mutex);
}

/* --- members --- */

static int entry_add(struct group_registry *registry, const char *name, size_t index)
{
	size_t len = strlen(name);
	struct entry *entry = malloc(sizeof(*entry) + len + 1);

	if (entry == NULL)
		return -ENOMEM;
	memcpy(entry->name, name, len + 1);
	entry->named.name = entry->name;
	entry->members = 0;
	int r = name_table_insert(&registry->table, index, &entry->named);

	if (r < 0)
		free(entry);
	return r;
}

static struct entry *entry_at(const struct group_registry *registry, size_t index)
{
	return CONTAINER_OF(registry->table.items[index], struct entry, named);
}

static int enter(struct group_registry *registry, const char *name, size_t groups_max)
{
	size_t index;
	int r = 0;

	pthread_mutex_lock(&registry->mutex);
	bool is_new = !name_table_find(&registry->table, name, &index);

	if (is_new && registry->table.count >= groups_max) {
		registry->refused++;
		r = -ENOSPC;
	} else if (is_new) {
		r = entry_add(registry, name, index);
	}
	if (r == 0) {
		entry_at(registry, index)->members++;
		registry->members++;
	}
	pthread_mutex_unlock(&registry->mutex);
	return r;
}

int group_registry_enter(struct group_registry *registry, const char *name)
{
	return enter(registry, name, registry->groups_max);
}

int group_registry_restore(struct group_registry *registry, const char *name)
{
	return enter(registry, name, SIZE_MAX);
}

void group_registry_leave(struct group_registry *registry, const char *name)
{
	size_t index;

	pthread_mutex_lock(&registry->mutex);
	bool is_there = name_table_find(&registry->table, name, &index);

	CHECK(is_there);
	struct entry *entry = entry_at(registry, index);

	registry->members--;
	if (--entry->members == 0) {
		name_table_remove(&registry->table, &entry->named);
		free(entry);
	}
	pthread_mutex_unlock(&registry->mutex);
}

/* --- questions --- */

size_t group_registry_list(struct group_registry *registry, const char *after,
			   struct group_facts *out, size_t limit, bool *out_is_end)
{
	size_t index, count = 0;

	pthread_mutex_lock(&registry->mutex);
	if (name_table_find(&registry->table, after, &index))
		index++;
	for (; index < registry->table.count && count < limit; index++, count++) {
		const struct entry *entry = entry_at(registry, index);

		memcpy(out[count].name, entry->name, strlen(entry->name) + 1);
		out[count].members = entry->members;
	}
	*out_is_end = index == registry->table.count;
	pthread_mutex_unlock(&registry->mutex);
	return count;
}

void group_registry_totals(struct group_registry *registry, struct group_totals *out_totals)
{
	pthread_mutex_lock(&registry->mutex);
	*out_totals = (struct group_totals){.groups = registry->table.count,
					    .members = registry->members,
					    .refused = registry->refused};
	pthread_mutex_unlock(&registry->mutex);
}
