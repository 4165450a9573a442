/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "auth/auth.h"
#include "base/check.h"

struct auth_table {
	size_t count;
	struct auth *lists[]; /* by the route's number; NULL: none */
};

struct auth_table *auth_table_create(size_t route_count)
{
	struct auth_table *table = calloc(1, sizeof(*table) + route_count * sizeof(struct auth *));

	if (table != NULL)
		table->count = route_count;
	return table;
}

void auth_table_destroy(struct auth_table **table)
{
	struct auth_table *self = *table;

	*table = NULL;
	if (self == NULL)
		return;
	for (size_t i = 0; i < self->count; i++)
		auth_destroy(&self->lists[i]);
	free(self);
}

void auth_table_set(struct auth_table *table, size_t route, struct auth *auth)
{
	CHECK(route < table->count && table->lists[route] == NULL);
	table->lists[route] = auth;
}

struct auth *auth_table_at(const struct auth_table *table, size_t route)
{
	CHECK(table == NULL || route < table->count);
	return table == NULL ? NULL : table->lists[route];
}
