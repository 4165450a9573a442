/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/process_sockets.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/units.h"

/* --- the listeners of a namespace --- */

static void on_listener(void *arg, const struct sock_listener *listener)
{
	struct listener_table *table = arg;

	if (table->count == table->cap) {
		size_t cap = MAX(table->cap * 2, (size_t)64);
		struct listener_entry *grown = reallocarray(table->entries, cap,
							    sizeof(*table->entries));

		table->is_out_of_memory = table->is_out_of_memory || grown == NULL;
		if (grown == NULL)
			return;
		table->entries = grown;
		table->cap = cap;
	}
	table->entries[table->count++] = (struct listener_entry){.listener = *listener};
}

static int by_inode(const void *left, const void *right)
{
	uint32_t a = ((const struct listener_entry *)left)->listener.inode;
	uint32_t b = ((const struct listener_entry *)right)->listener.inode;

	return (a > b) - (a < b);
}

int listener_table_read(int diag, struct listener_table *table)
{
	int r = sock_diag_listeners(diag, on_listener, table);

	if (table->count > 0)
		qsort(table->entries, table->count, sizeof(*table->entries), by_inode);
	if (r < 0)
		return r;
	return table->is_out_of_memory ? -ENOMEM : 0;
}

struct listener_entry *listener_table_find(struct listener_table *table, uint32_t inode)
{
	struct listener_entry key = {.listener.inode = inode};

	if (table->count == 0)
		return NULL;
	return bsearch(&key, table->entries, table->count, sizeof(*table->entries), by_inode);
}

void listener_table_finish(struct listener_table *table)
{
	free(table->entries);
	*table = (struct listener_table){0};
}

/* --- the descriptors of a process --- */

char *process_path(const char *root, pid_t pid, const char *name, char *out, size_t size)
{
	snprintf(out, size, "%s/proc/%d/%s", root == NULL ? "" : root, (int)pid, name);
	return out;
}

static enum process_descriptor kind_of(const char *target, uint32_t *out_inode)
{
	if (strcmp(target, "anon_inode:[io_uring]") == 0)
		return PROCESS_RING;
	return sscanf(target, "socket:[%" SCNu32 "]", out_inode) == 1 ? PROCESS_SOCKET
								      : PROCESS_OTHER;
}

/* Only our own table has the descriptor that reads it. */
static bool is_reader(const char *root, pid_t pid, int reader, const char *name)
{
	uint64_t number;

	return root == NULL && pid == getpid() &&
	       units_parse_count(slice_from_text(name), &number) == UNITS_OK &&
	       number == (uint64_t)reader;
}

int process_descriptors_each(const char *root, pid_t pid, process_descriptor_fn *on_descriptor,
			     void *arg)
{
	char path[512], target[64];
	DIR *dir = opendir(process_path(root, pid, "fd", path, sizeof(path)));
	uint32_t inode = 0;

	if (dir == NULL)
		return -errno;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (entry->d_name[0] == '.' || is_reader(root, pid, dirfd(dir), entry->d_name))
			continue;
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (len < 0)
			continue; /* closed since it was listed */
		target[len] = 0;
		enum process_descriptor kind = kind_of(target, &inode);

		on_descriptor(arg, kind, inode);
	}
	closedir(dir);
	return 0;
}
