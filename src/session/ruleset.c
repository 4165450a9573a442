/* SPDX-License-Identifier: Apache-2.0 */
#include "session/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/counter.h"

struct ruleset *ruleset_create(struct config *config)
{
	struct ruleset *ruleset = malloc(sizeof(*ruleset));

	if (ruleset == NULL)
		return NULL;
	*ruleset = (struct ruleset){.references = 1};
	if (!config_hash(config, ruleset->hash)) {
		free(ruleset);
		return NULL;
	}
	ruleset->config = *config;
	*config = (struct config){0};
	return ruleset;
}

void ruleset_take_routes(struct ruleset *ruleset, struct route_table *routes,
			 void (*destroy)(struct route_table **routes))
{
	CHECK(ruleset->routes == NULL);
	ruleset->routes = routes;
	ruleset->routes_destroy = destroy;
}

void ruleset_take_auth(struct ruleset *ruleset, struct auth_table *auth,
		       void (*destroy)(struct auth_table **auth))
{
	CHECK(ruleset->auth == NULL);
	ruleset->auth = auth;
	ruleset->auth_destroy = destroy;
}

bool ruleset_add_closing(struct ruleset *ruleset, const char *name)
{
	struct ruleset_closing *closing = &ruleset->closing;
	char **items = realloc(closing->items, (closing->count + 1) * sizeof(*items));

	if (items == NULL)
		return false;
	closing->items = items;
	items[closing->count] = strdup(name);
	if (items[closing->count] == NULL)
		return false;
	closing->count++;
	return true;
}

static void ruleset_free(struct ruleset *ruleset)
{
	if (ruleset->routes != NULL)
		ruleset->routes_destroy(&ruleset->routes);
	if (ruleset->auth != NULL)
		ruleset->auth_destroy(&ruleset->auth);
	for (size_t i = 0; i < ruleset->closing.count; i++)
		free(ruleset->closing.items[i]);
	free(ruleset->closing.items);
	config_finish(&ruleset->config);
	free(ruleset);
}

void ruleset_unref(struct ruleset **ruleset)
{
	struct ruleset *self = *ruleset;

	*ruleset = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	struct ruleset_bin *bin = self->bin;

	if (bin == NULL) {
		ruleset_free(self);
		return;
	}
	pthread_mutex_lock(&bin->mutex);
	self->next = bin->first;
	bin->first = self;
	pthread_mutex_unlock(&bin->mutex);
}

/* --- the bin --- */

void ruleset_bin_init(struct ruleset_bin *bin)
{
	*bin = (struct ruleset_bin){0};
	pthread_mutex_init(&bin->mutex, NULL);
}

void ruleset_use_bin(struct ruleset *ruleset, struct ruleset_bin *bin)
{
	CHECK(ruleset->bin == NULL);
	ruleset->bin = bin;
	counter_add(&bin->alive, 1);
}

void ruleset_bin_empty(struct ruleset_bin *bin)
{
	pthread_mutex_lock(&bin->mutex);
	struct ruleset *first = bin->first;

	bin->first = NULL;
	pthread_mutex_unlock(&bin->mutex);
	while (first != NULL) {
		struct ruleset *next = first->next;

		ruleset_free(first);
		counter_sub(&bin->alive, 1);
		first = next;
	}
}

void ruleset_bin_finish(struct ruleset_bin *bin)
{
	ruleset_bin_empty(bin);
	CHECK(counter_read(&bin->alive) == 0);
	pthread_mutex_destroy(&bin->mutex);
}
