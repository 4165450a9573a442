/* SPDX-License-Identifier: Apache-2.0 */
#include "route/backend_nats.h"

#include <errno.h>

static void destroy(struct event_backend *base)
{
	free(CONTAINER_OF(base, struct backend_nats, base));
}

int backend_nats_create(const struct config_backend *config, const struct event_source *source,
			struct bus *bus, struct event_backend **out_backend)
{
	struct backend_nats *backend = calloc(1, sizeof(*backend));

	if (backend == NULL)
		return -ENOMEM;
	event_backend_init(&backend->base, config, source, &carrier_nats);
	backend->base.destroy = destroy;
	backend->base.retries = (uint32_t)config->retries;
	backend->base.is_asked = config->connect == CONFIG_CONNECT_ASK;
	backend->bus = bus;
	*out_backend = &backend->base;
	return 0;
}
