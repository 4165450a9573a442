/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/serve_losses.h"

#include <stdlib.h>

#include "base/counter.h"
#include "base/log.h"

static void tell(const char *backend, uint64_t count)
{
	log_error("events are lost: their back end did not take them in time",
		  F_TEXT("backend", backend), F_UINT("events", count));
}

static void note(void *arg, const struct event_backend *backend)
{
	struct losses *losses = arg;
	struct loss *items = realloc(losses->items, (losses->count + 1) * sizeof(*items));

	if (items == NULL)
		return; /* then what was lost before is told too */
	losses->items = items;
	items[losses->count++] = (struct loss){
		.backend = backend,
		.before = backend_stats_lost(&backend->stats),
	};
}

void losses_begin(struct losses *losses, const struct server *server)
{
	*losses = (struct losses){0};
	backends_each(server_backends(server), note, losses);
}

static uint64_t before(const struct losses *losses, const struct event_backend *backend)
{
	for (size_t i = 0; i < losses->count; i++)
		if (losses->items[i].backend == backend)
			return losses->items[i].before;
	return 0;
}

static void judge(void *arg, const struct event_backend *backend)
{
	struct losses *losses = arg;
	uint64_t count = backend_stats_lost(&backend->stats) - before(losses, backend);

	if (count > 0)
		tell(backend->name, count);
	losses->has_any |= count > 0;
}

bool losses_tell(struct losses *losses, const struct server *server)
{
	backends_each(server_backends(server), judge, losses);
	free(losses->items);
	return losses->has_any;
}

static void tell_waiting(void *arg, const struct event_backend *backend)
{
	uint64_t count = counter_read(&backend->stats.waiting);

	(void)arg;
	if (count > 0)
		tell(backend->name, count);
}

void losses_tell_waiting(const struct server *server)
{
	backends_each(server_backends(server), tell_waiting, NULL);
	/* The events among them have left their back ends' queues. */
	uint64_t bytes = server_undelivered_bytes(server);

	if (bytes > 0)
		log_error("what waits for the broker is lost", F_UINT("bytes", bytes));
}
