/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_loads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/aligned.h"
#include "base/check.h"
#include "base/counter.h"

struct named_load {
	struct route_load load; /* first: it is known by that */
	struct list_node node;
	size_t takers;
	char name[];
};

struct route_loads {
	size_t workers;
	struct list_node items;      /* below: guarded by the mutex */
	size_t detailed;             /* of them */
	size_t unused;               /* of them: nobody takes them any more */
	bool has_others;             /* or had */
	struct route_counts dropped; /* of others that are there no more */
	pthread_mutex_t mutex;
};

#define LABEL(NAME, label, help) label,
#define HELP(NAME, label, help)  help,
static const char *const failure_labels[] = {ROUTE_FAILURE_TABLE(LABEL)};
static const char *const failure_helps[] = {ROUTE_FAILURE_TABLE(HELP)};

const char *route_failure_label(enum route_failure failure)
{
	CHECK(failure < ROUTE_FAILURE_COUNT);
	return failure_labels[failure];
}

const char *route_failure_help(enum route_failure failure)
{
	CHECK(failure < ROUTE_FAILURE_COUNT);
	return failure_helps[failure];
}

struct route_loads *route_loads_create(size_t workers)
{
	struct route_loads *loads = calloc(1, sizeof(*loads));

	if (loads == NULL)
		return NULL;
	loads->workers = workers;
	list_init(&loads->items);
	pthread_mutex_init(&loads->mutex, NULL);
	return loads;
}

static struct named_load *item_of(struct list_node *node)
{
	return CONTAINER_OF(node, struct named_load, node);
}

/* Under the mutex. */
static void drop(struct route_loads *loads, struct named_load *item)
{
	struct route_counts sum;

	CHECK(item->takers == 0 && loads->unused > 0);
	list_remove(&item->node);
	loads->unused--;
	loads->detailed -= item->load.is_detailed;
	if (!item->load.is_detailed) {
		route_load_sum(&item->load, &sum);
		route_counts_add(&loads->dropped, &sum);
	}
	free(item->load.cells);
	free(item);
}

/* Which was given back first; that with details, if `is_detailed`. There may be none. */
static void drop_first_unused(struct route_loads *loads, bool is_detailed)
{
	for (struct list_node *node = loads->items.next; node != &loads->items; node = node->next) {
		struct named_load *item = item_of(node);

		if (item->takers > 0 || (is_detailed && !item->load.is_detailed))
			continue;
		drop(loads, item);
		return;
	}
	CHECK(is_detailed); /* the caller knows of one */
}

void route_loads_destroy(struct route_loads **loads)
{
	struct route_loads *self = *loads;

	*loads = NULL;
	if (self == NULL)
		return;
	while (!list_is_empty(&self->items))
		drop_first_unused(self, false);
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

static struct named_load *find(struct route_loads *loads, const char *name)
{
	for (struct list_node *node = loads->items.next; node != &loads->items; node = node->next)
		if (strcmp(item_of(node)->name, name) == 0)
			return item_of(node);
	return NULL;
}

/* With details, if it `may` have some and there is room. */
static struct named_load *add(struct route_loads *loads, const char *name, bool may)
{
	size_t len = strlen(name);
	struct named_load *item = calloc(1, sizeof(*item) + len + 1);
	size_t size = loads->workers * sizeof(struct route_cell);
	struct route_cell *cells = aligned_zeroed(_Alignof(struct route_cell), size);

	if (item == NULL || cells == NULL) {
		free(item);
		free(cells);
		return NULL;
	}
	if (may && loads->detailed == ROUTE_DETAILS_MAX)
		drop_first_unused(loads, true);
	item->load = (struct route_load){
		.cells = cells,
		.cell_count = loads->workers,
		.is_detailed = may && loads->detailed < ROUTE_DETAILS_MAX,
	};
	loads->detailed += item->load.is_detailed;
	loads->has_others |= !item->load.is_detailed;
	memcpy(item->name, name, len + 1);
	list_append(&loads->items, &item->node);
	loads->unused++;
	return item;
}

struct route_load *route_loads_take(struct route_loads *loads, const char *name)
{
	pthread_mutex_lock(&loads->mutex);
	struct named_load *item = find(loads, name);

	if (item == NULL)
		item = add(loads, name, true);
	if (item != NULL && item->takers++ == 0) {
		item->load.is_unused = false;
		loads->unused--;
	}
	pthread_mutex_unlock(&loads->mutex);
	return item == NULL ? NULL : &item->load;
}

/* Under the mutex: now the last of those that nobody takes. */
static void keep_unused(struct route_loads *loads, struct named_load *item)
{
	item->load.is_unused = true;
	list_remove(&item->node);
	list_append(&loads->items, &item->node);
	if (loads->unused > ROUTE_UNUSED_MAX)
		drop_first_unused(loads, false);
}

bool route_loads_keep(struct route_loads *loads, const char *name, bool is_detailed)
{
	pthread_mutex_lock(&loads->mutex);
	struct named_load *item = find(loads, name);
	bool is_there = item != NULL;

	if (!is_there)
		item = add(loads, name, is_detailed);
	if (!is_there && item != NULL)
		keep_unused(loads, item);
	pthread_mutex_unlock(&loads->mutex);
	return item != NULL;
}

void route_loads_give(struct route_loads *loads, struct route_load *load)
{
	struct named_load *item = CONTAINER_OF(load, struct named_load, load);

	pthread_mutex_lock(&loads->mutex);
	CHECK(item->takers > 0);
	if (--item->takers == 0) {
		loads->unused++;
		keep_unused(loads, item);
	}
	pthread_mutex_unlock(&loads->mutex);
}

void route_counts_add(struct route_counts *into, const struct route_counts *from)
{
	/* Nothing but uint64_t in it, so it can be added as a row of them. */
	_Static_assert(sizeof(*into) % sizeof(uint64_t) == 0, "a row of numbers");
	uint64_t *to = (uint64_t *)(void *)into;
	const uint64_t *values = (const uint64_t *)(const void *)from;

	for (size_t i = 0; i < sizeof(*into) / sizeof(uint64_t); i++)
		to[i] += counter_read(&values[i]);
}

void route_load_sum(const struct route_load *load, struct route_counts *out_sum)
{
	memset(out_sum, 0, sizeof(*out_sum));
	for (size_t i = 0; i < load->cell_count; i++)
		route_counts_add(out_sum, &load->cells[i].counts);
}

bool route_loads_others(struct route_loads *loads, struct route_counts *out_sum)
{
	struct route_counts sum;

	pthread_mutex_lock(&loads->mutex);
	bool has_others = loads->has_others;

	*out_sum = loads->dropped;
	for (struct list_node *node = loads->items.next; node != &loads->items; node = node->next) {
		if (item_of(node)->load.is_detailed)
			continue;
		route_load_sum(&item_of(node)->load, &sum);
		route_counts_add(out_sum, &sum);
	}
	pthread_mutex_unlock(&loads->mutex);
	return has_others;
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
