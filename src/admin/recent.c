/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/recent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"

/* Of one name: as it was about a step ago, and about two. */
struct item {
	struct list_node node;
	struct durations older, newer;
	uint64_t stepped_ns, noted_ns;
	char name[];
};

struct recent {
	pthread_mutex_t mutex;
	struct list_node items;
};

struct recent *recent_create(void)
{
	struct recent *self = calloc(1, sizeof(*self));

	if (self == NULL)
		return NULL;
	list_init(&self->items);
	pthread_mutex_init(&self->mutex, NULL);
	return self;
}

static struct item *item_of(struct list_node *node)
{
	return CONTAINER_OF(node, struct item, node);
}

static void forget(struct recent *recent, uint64_t before_ns)
{
	for (struct list_node *node = recent->items.next, *next; node != &recent->items;
	     node = next) {
		next = node->next;
		if (item_of(node)->noted_ns >= before_ns)
			continue;
		list_remove(node);
		free(item_of(node));
	}
}

void recent_destroy(struct recent **recent)
{
	struct recent *self = *recent;

	*recent = NULL;
	if (self == NULL)
		return;
	forget(self, UINT64_MAX);
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

static struct item *find(struct recent *recent, const char *name)
{
	for (struct list_node *node = recent->items.next; node != &recent->items; node = node->next)
		if (strcmp(item_of(node)->name, name) == 0)
			return item_of(node);
	return NULL;
}

static struct item *add(struct recent *recent, const char *name, uint64_t now_ns)
{
	size_t len = strlen(name);
	struct item *item = calloc(1, sizeof(*item) + len + 1);

	if (item == NULL)
		return NULL;
	memcpy(item->name, name, len + 1);
	item->stepped_ns = now_ns;
	list_append(&recent->items, &item->node);
	return item;
}

void recent_note(struct recent *recent, const char *name, const struct durations *counted,
		 uint64_t now_ns)
{
	pthread_mutex_lock(&recent->mutex);
	struct item *item = find(recent, name);

	if (item == NULL)
		item = add(recent, name, now_ns);
	if (item != NULL)
		item->noted_ns = now_ns;
	if (item != NULL && now_ns - item->stepped_ns >= RECENT_STEP_NS) {
		item->older = item->newer;
		item->newer = *counted;
		item->stepped_ns = now_ns;
	}
	pthread_mutex_unlock(&recent->mutex);
}

void recent_tick(struct recent *recent, uint64_t now_ns)
{
	if (now_ns < 4 * RECENT_STEP_NS)
		return;
	pthread_mutex_lock(&recent->mutex);
	forget(recent, now_ns - 4 * RECENT_STEP_NS);
	pthread_mutex_unlock(&recent->mutex);
}

static uint64_t since(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0; /* one of the name was made anew */
}

void recent_cut(struct recent *recent, const char *name, struct durations *counted)
{
	pthread_mutex_lock(&recent->mutex);
	const struct item *item = find(recent, name);

	for (size_t i = 0; item != NULL && i < DURATIONS_BUCKETS; i++)
		counted->count[i] = since(counted->count[i], item->older.count[i]);
	if (item != NULL)
		counted->sum_us = since(counted->sum_us, item->older.sum_us);
	pthread_mutex_unlock(&recent->mutex);
}
