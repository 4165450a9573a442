/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/group/name_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

bool name_table_find(const struct name_table *table, const char *name, size_t *out_index)
{
	size_t from = 0, to = table->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(table->items[middle]->name, name);

		if (order == 0) {
			*out_index = middle;
			return true;
		}
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	*out_index = from;
	return false;
}

int name_table_insert(struct name_table *table, size_t index, struct named *item)
{
	if (table->count == table->cap) {
		size_t cap = MAX(2 * table->cap, (size_t)16);
		struct named **items = reallocarray(table->items, cap, sizeof(void *));

		if (items == NULL)
			return -ENOMEM;
		table->items = items;
		table->cap = cap;
	}
	memmove(&table->items[index + 1], &table->items[index],
		(table->count - index) * sizeof(void *));
	table->items[index] = item;
	table->count++;
	return 0;
}

void name_table_remove(struct name_table *table, const struct named *item)
{
	size_t index;
	bool is_there = name_table_find(table, item->name, &index);

	CHECK(is_there && table->items[index] == item);
	table->count--;
	memmove(&table->items[index], &table->items[index + 1],
		(table->count - index) * sizeof(void *));
}

void name_table_finish(struct name_table *table)
{
	free(table->items);
	*table = (struct name_table){0};
}
