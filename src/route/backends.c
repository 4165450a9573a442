/* SPDX-License-Identifier: Apache-2.0 */
#include "route/backends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "route/backend_nats.h"
#include "route/backend_webhook.h"

const struct backend_type *const backend_types[] = {
	[CONFIG_BACKEND_WEBHOOK] = &backend_webhook,
	[CONFIG_BACKEND_NATS] = &backend_nats,
};

struct backends {
	struct ruleset *ruleset;
	struct event_source source;
	size_t count;
	struct event_backend *items[];
};

static const struct backend_type *type_of(const struct config *config, size_t index)
{
	return backend_types[config->backends[index].type];
}

int backends_create(struct ruleset *ruleset, const char *node, struct bus *bus,
		    struct backends **out_backends, struct backend_error *out_error)
{
	const struct config *config = &ruleset->config;
	size_t count = config->backend_count;
	struct backends *backends = calloc(1, sizeof(*backends) + count * sizeof(void *));
	int r = 0;

	if (backends == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "out of memory");
		return -ENOMEM;
	}
	const struct backend_world world = {config, &backends->source, bus};

	backends->ruleset = ruleset_ref(ruleset);
	event_source_init(&backends->source, node);
	while (backends->count < count && r == 0) {
		r = type_of(config, backends->count)
			    ->create(&world, backends->count, &backends->items[backends->count],
				     out_error);
		backends->count += r == 0;
	}
	if (r < 0)
		backends_destroy(&backends);
	else
		*out_backends = backends;
	return r;
}

int backends_check_one(const struct config *config, size_t index, struct backend_error *out_error)
{
	const struct backend_type *type = type_of(config, index);

	return type->check == NULL ? 0 : type->check(config, index, out_error);
}

void backends_destroy(struct backends **backends)
{
	if (*backends == NULL)
		return;
	for (size_t i = 0; i < (*backends)->count; i++)
		(*backends)->items[i]->type->destroy((*backends)->items[i]);
	ruleset_unref(&(*backends)->ruleset);
	free(*backends);
	*backends = NULL;
}

const struct backend *backends_find(const struct backends *backends, const char *name)
{
	if (strcmp(name, CONFIG_ECHO) == 0)
		return &backend_echo;
	for (size_t i = 0; i < backends->count; i++)
		if (strcmp(backends->items[i]->base.name, name) == 0)
			return &backends->items[i]->base;
	CHECK(false);
}

size_t backends_count(const struct backends *backends)
{
	return backends->count;
}

struct event_backend *backends_at(const struct backends *backends, size_t index)
{
	return backends->items[index];
}

bool event_backend_is_down(const struct event_backend *backend)
{
	return backend->type->is_down != NULL && backend->type->is_down(backend);
}

/* --- from process to process --- */

struct event_road *backends_take_road(struct backends *backends, struct event_road *road)
{
	return __atomic_exchange_n(&backends->source.road, road, __ATOMIC_ACQ_REL);
}

const char *backends_run_id(const struct backends *backends)
{
	return backends->source.run_id;
}

bool backends_keep_run_id(struct backends *backends, struct slice run_id)
{
	return event_source_keep_run_id(&backends->source, run_id);
}
