/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_listeners.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "server/server_private.h"

_Static_assert(SERVER_DOORS_MAX < LISTENER_PLACES, "all that there may be at a time have one");

/* Under the mutex. LISTENER_OTHERS: none is left. */
static unsigned place_of(struct server_listeners *self, const char *name)
{
	for (size_t i = 1; i <= self->count; i++)
		if (strcmp(self->names[i], name) == 0)
			return (unsigned)i;
	if (self->count + 1 == LISTENER_PLACES) {
		self->has_others = true;
		return LISTENER_OTHERS;
	}
	snprintf(self->names[++self->count], sizeof(self->names[0]), "%s", name);
	return (unsigned)self->count;
}

void server_listeners_place(struct server_listeners *self, struct server_door *door)
{
	char name[CONFIG_PLACE_TEXT_MAX];
	unsigned place = door->is_admin ? LISTENER_OTHERS
					: place_of(self, config_place_format(&door->place, name));

	for (size_t i = 0; i < door->each_count; i++)
		door->each[i].place = place;
}

unsigned server_listener_of(struct server *server, struct slice name)
{
	char text[CONFIG_PLACE_TEXT_MAX];

	if (name.len == 0 || name.len >= sizeof(text))
		return LISTENER_OTHERS;
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(name));
	pthread_mutex_lock(&server->mutex);
	unsigned place = place_of(&server->listeners, text);

	pthread_mutex_unlock(&server->mutex);
	return place;
}

void server_listener_name(struct server *server, unsigned place, char out[CONFIG_PLACE_TEXT_MAX])
{
	CHECK(place < LISTENER_PLACES);
	pthread_mutex_lock(&server->mutex);
	snprintf(out, CONFIG_PLACE_TEXT_MAX, "%s", server->listeners.names[place]);
	pthread_mutex_unlock(&server->mutex);
}

static void add(struct listener_stats *into, const struct listener_stats *from)
{
	uint64_t *sums = (uint64_t *)into;
	const uint64_t *counts = (const uint64_t *)from;

	_Static_assert(sizeof(*into) % sizeof(*sums) == 0, "a row of numbers");
	for (size_t i = 0; i < sizeof(*into) / sizeof(*sums); i++)
		sums[i] += counter_read(&counts[i]);
}

static bool is_counted(const struct listener_stats *stats)
{
	static const struct listener_stats nothing;

	return memcmp(stats, &nothing, sizeof(nothing)) != 0;
}

bool server_listener(const struct server *server, size_t index, char *out_name, size_t size,
		     struct listener_stats *out_stats)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;
	const struct server_listeners *listeners = &server->listeners;

	memset(out_stats, 0, sizeof(*out_stats));
	pthread_mutex_lock(mutex);
	size_t place = index < listeners->count ? index + 1 : LISTENER_OTHERS;

	snprintf(out_name, size, "%s", listeners->names[place]);
	for (size_t i = 0; index <= listeners->count && i < server->worker_count; i++)
		if (server->slots[i].worker != NULL)
			add(out_stats, &server->slots[i].worker->home.listeners[place]);
	bool is_found = index < listeners->count ||
			(index == listeners->count &&
			 (listeners->has_others || is_counted(out_stats)));

	pthread_mutex_unlock(mutex);
	return is_found;
}
