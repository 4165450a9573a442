/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/serve_losses.h"

#include <stdlib.h>

#include "base/counter.h"
#include "base/log.h"

static uint64_t lost(const struct server *server, size_t index)
{
	return backend_stats_lost(&backends_at(server_backends(server), index)->stats);
}

static void tell(const struct server *server, size_t index, uint64_t count)
{
	log_error("events are lost: their back end did not take them in time",
		  F_TEXT("backend", backends_at(server_backends(server), index)->base.name),
		  F_UINT("events", count));
}

void losses_begin(struct losses *losses, const struct server *server)
{
	size_t count = backends_count(server_backends(server));

	losses->before = calloc(count + 1, sizeof(losses->before[0]));
	for (size_t i = 0; i < count && losses->before != NULL; i++)
		losses->before[i] = lost(server, i);
}

bool losses_tell(struct losses *losses, const struct server *server)
{
	bool has_any = false;

	for (size_t i = 0; i < backends_count(server_backends(server)); i++) {
		uint64_t before = losses->before == NULL ? 0 : losses->before[i];
		uint64_t count = lost(server, i) - before;

		if (count > 0)
			tell(server, i, count);
		has_any |= count > 0;
	}
	free(losses->before);
	return has_any;
}

void losses_tell_waiting(const struct server *server)
{
	const struct backends *backends = server_backends(server);

	for (size_t i = 0; i < backends_count(backends); i++) {
		uint64_t count = counter_read(&backends_at(backends, i)->stats.waiting);

		if (count > 0)
			tell(server, i, count);
	}
	/* The events among them have left their back ends' queues. */
	uint64_t bytes = server_undelivered_bytes(server);

	if (bytes > 0)
		log_error("what waits for the broker is lost", F_UINT("bytes", bytes));
}
