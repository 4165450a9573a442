/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_loads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/counter.h"

struct named_load {
	struct route_load load; /* first: it is known by that */
	struct list_node node;
	size_t takers;
	char name[];
};

struct route_loads {
	struct list_node items; /* below: guarded by the mutex */
	pthread_mutex_t mutex;
};

struct route_loads *route_loads_create(void)
{
	struct route_loads *loads = calloc(1, sizeof(*loads));

	if (loads == NULL)
		return NULL;
	list_init(&loads->items);
	pthread_mutex_init(&loads->mutex, NULL);
	return loads;
}

void route_loads_destroy(struct route_loads **loads)
{
	struct route_loads *self = *loads;

	*loads = NULL;
	if (self == NULL)
		return;
	CHECK(list_is_empty(&self->items));
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

static struct named_load *item_of(struct list_node *node)
{
	return CONTAINER_OF(node, struct named_load, node);
}

static struct named_load *find(struct route_loads *loads, const char *name)
{
	for (struct list_node *node = loads->items.next; node != &loads->items; node = node->next)
		if (strcmp(item_of(node)->name, name) == 0)
			return item_of(node);
	return NULL;
}

static struct named_load *add(struct route_loads *loads, const char *name)
{
	size_t len = strlen(name);
	struct named_load *item = calloc(1, sizeof(*item) + len + 1);

	if (item == NULL)
		return NULL;
	memcpy(item->name, name, len + 1);
	list_append(&loads->items, &item->node);
	return item;
}

struct route_load *route_loads_take(struct route_loads *loads, const char *name)
{
	pthread_mutex_lock(&loads->mutex);
	struct named_load *item = find(loads, name);

	if (item == NULL)
		item = add(loads, name);
	if (item != NULL)
		item->takers++;
	pthread_mutex_unlock(&loads->mutex);
	return item == NULL ? NULL : &item->load;
}

void route_loads_give(struct route_loads *loads, struct route_load *load)
{
	struct named_load *item = CONTAINER_OF(load, struct named_load, load);

	pthread_mutex_lock(&loads->mutex);
	CHECK(item->takers > 0);
	bool is_last = --item->takers == 0;

	if (is_last)
		list_remove(&item->node);
	pthread_mutex_unlock(&loads->mutex);
	if (is_last)
		free(item);
}

void route_loads_each(struct route_loads *loads,
		      void (*each)(void *arg, const char *name, const struct route_load *load),
		      void *arg)
{
	pthread_mutex_lock(&loads->mutex);
	for (struct list_node *node = loads->items.next; node != &loads->items; node = node->next)
		each(arg, item_of(node)->name, &item_of(node)->load);
	pthread_mutex_unlock(&loads->mutex);
}

uint64_t route_loads_connections(struct route_loads *loads, const char *name)
{
	pthread_mutex_lock(&loads->mutex);
	const struct named_load *item = find(loads, name);
	uint64_t connections = item == NULL ? 0 : counter_read(&item->load.connections);

	pthread_mutex_unlock(&loads->mutex);
	return connections;
}
