/* SPDX-License-Identifier: Apache-2.0 */
#include "route/backends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "route/backend_nats.h"

struct backends {
	struct event_source source;
	size_t count;
	struct event_backend *items[];
};

static int create(const struct config *config, size_t index, const struct event_source *source,
		  struct bus *bus, struct event_backend **out_backend,
		  struct backend_error *out_error)
{
	if (config->backends[index].type == CONFIG_BACKEND_WEBHOOK)
		return backend_webhook_create(config, index, source, out_backend, out_error);
	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	return backend_nats_create(&config->backends[index], source, bus, out_backend);
}

int backends_create(const struct config *config, const char *node, struct bus *bus,
		    struct backends **out_backends, struct backend_error *out_error)
{
	size_t count = config->backend_count;
	struct backends *backends = calloc(1, sizeof(*backends) + count * sizeof(void *));
	int r = 0;

	if (backends == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "out of memory");
		return -ENOMEM;
	}
	event_source_init(&backends->source, node);
	while (backends->count < count && r == 0) {
		r = create(config, backends->count, &backends->source, bus,
			   &backends->items[backends->count], out_error);
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
	if (config->backends[index].type != CONFIG_BACKEND_WEBHOOK)
		return 0;
	return backend_webhook_check(config, index, out_error);
}

void backends_destroy(struct backends **backends)
{
	if (*backends == NULL)
		return;
	for (size_t i = 0; i < (*backends)->count; i++)
		(*backends)->items[i]->destroy((*backends)->items[i]);
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
