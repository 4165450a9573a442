/* SPDX-License-Identifier: Apache-2.0
 * name_table.h - things by their names, in the order of the names.
 *
 * Layer: fleet. A sorted array of pointers: found in a few comparisons, walked page by page
 * from any name on; one that comes or goes moves those behind it. Zero-initialise. Not
 * thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* At the head of whatever is in the table. */
struct named {
	const char *name;
};

struct name_table {
	struct named **items;
	size_t count;
	size_t cap;
};

/* Is it there? *out_index is where it is or would be; written in any case. */
bool name_table_find(const struct name_table *table, const char *name, size_t *out_index);

/* At the index of name_table_find. 0 or -ENOMEM. */
int name_table_insert(struct name_table *table, size_t index, struct named *item);

/* It must be there. */
void name_table_remove(struct name_table *table, const struct named *item);

/* Frees the array, not what is in it. */
void name_table_finish(struct name_table *table);
