/* SPDX-License-Identifier: Apache-2.0 */
#include "route/backend_nats.h"

#include <errno.h>
#include <stdio.h>

static int create(const struct backend_world *world, size_t index,
		  struct event_backend **out_backend, struct backend_error *out_error)
{
	const struct config_backend *config = &world->config->backends[index];
	struct backend_nats *backend = calloc(1, sizeof(*backend));

	if (backend == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "out of memory");
		return -ENOMEM;
	}
	event_backend_init(&backend->base, config, world->source, &backend_nats);
	backend->base.retries = (uint32_t)config->retries;
	backend->base.is_asked = config->connect == CONFIG_CONNECT_ASK;
	backend->bus = world->bus;
	*out_backend = &backend->base;
	return 0;
}

static void destroy(struct event_backend *base)
{
	free(CONTAINER_OF(base, struct backend_nats, base));
}

/* It has no answers to messages. */
static bool can_end(enum event_type type, enum event_outcome outcome)
{
	(void)type;
	return outcome != EVENT_ANSWER_TOO_BIG && outcome != EVENT_ANSWER_UNREADABLE;
}

const struct backend_type backend_nats = {
	.carrier = &carrier_nats,
	.create = create,
	.destroy = destroy,
	.can_end = can_end,
};
