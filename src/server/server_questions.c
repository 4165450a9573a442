/* SPDX-License-Identifier: Apache-2.0
 * server_questions.c - what any thread may ask of a server. */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "fleet/nodes.h"
#include "server/server_private.h"

enum server_status server_status(const struct server *server)
{
	if (__atomic_load_n(&server->is_draining, __ATOMIC_RELAXED))
		return SERVER_DRAINING;
	/* Until then clients are refused, though the last worker listens already. */
	if (!__atomic_load_n(&server->public_service.is_ready, __ATOMIC_ACQUIRE))
		return SERVER_STARTING;
	return server_workers_listening(server) == server->worker_count ? SERVER_READY
									: SERVER_STARTING;
}

const char *server_status_name(enum server_status status)
{
	switch (status) {
	case SERVER_STARTING:
		return "starting";
	case SERVER_READY:
		return "ready";
	case SERVER_DRAINING:
		return "draining";
	}
	return "unknown";
}

void server_stats(const struct server *server, struct stats *out_sum)
{
	struct stats sum = {0};

	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;

	pthread_mutex_lock(mutex);
	for (size_t i = 0; i < server->worker_count; i++)
		if (server->slots[i].worker != NULL)
			stats_merge(&sum, &server->slots[i].worker->home.stats);
	pthread_mutex_unlock(mutex);
	*out_sum = sum;
}

bool server_worker_stats(const struct server *server, size_t index, struct stats *out_stats)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;
	struct stats stats = {0};

	pthread_mutex_lock(mutex);
	CHECK(index < server->worker_count);
	const struct worker *worker = server->slots[index].worker;

	if (worker != NULL)
		stats_merge(&stats, &worker->home.stats);
	pthread_mutex_unlock(mutex);
	*out_stats = stats;
	return worker != NULL;
}

static void tls_stats_merge(struct tls_stats *into, const struct tls_stats *from)
{
	uint64_t *sums = (uint64_t *)into;
	const uint64_t *counts = (const uint64_t *)from;

	_Static_assert(sizeof(*into) % sizeof(*sums) == 0, "all fields are counters");
	for (size_t i = 0; i < sizeof(*into) / sizeof(*sums); i++)
		sums[i] += counter_read(&counts[i]);
}

void server_tls_stats(const struct server *server, struct tls_stats *out_sum)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;

	*out_sum = (struct tls_stats){0};
	pthread_mutex_lock(mutex);
	for (size_t i = 0; i <= server->worker_count; i++)
		if (server->slots[i].worker != NULL)
			tls_stats_merge(out_sum, &server->slots[i].worker->tls);
	pthread_mutex_unlock(mutex);
}

bool server_certificate(const struct server *server, size_t index, char *out_listener, size_t size,
			int64_t *out_expires_at)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;
	char text[CONFIG_PLACE_TEXT_MAX];
	bool is_found = false;

	pthread_mutex_lock(mutex);
	for (size_t i = 0; i < server->doors.count && !is_found; i++) {
		const struct server_door *door = server->doors.items[i];

		if (door->tls == NULL || index-- > 0)
			continue;
		is_found = true;
		snprintf(out_listener, size, "%s", config_place_format(&door->place, text));
		*out_expires_at = server_tls_expires_at(door->tls);
	}
	pthread_mutex_unlock(mutex);
	return is_found;
}

int64_t server_certificates_expire_at(const struct server *server)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;
	int64_t first = 0;

	pthread_mutex_lock(mutex);
	for (size_t i = 0; i < server->doors.count; i++)
		if (server->doors.items[i]->tls != NULL) {
			int64_t one = server_tls_expires_at(server->doors.items[i]->tls);

			first = first == 0 ? one : MIN(first, one);
		}
	pthread_mutex_unlock(mutex);
	return first;
}

void server_kept(const struct server *server, uint64_t *out_kept, uint64_t *out_max)
{
	*out_kept = admission_current(&server->public_service.kept);
	*out_max = admission_max(&server->public_service.kept);
}

uint64_t server_windows_used(const struct server *server)
{
	return __atomic_load_n(&server->public_service.windows_used, __ATOMIC_RELAXED);
}

uint64_t server_refused_browsers(const struct server *server)
{
	return admission_current(&server->public_service.refused_browsers);
}

uint64_t server_fullest_worker(const struct server *server)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;
	uint64_t most = 0;

	pthread_mutex_lock(mutex);
	for (size_t i = 0; i < server->worker_count; i++)
		if (server->slots[i].worker != NULL)
			most = MAX(most,
				   counter_read(&server->slots[i].worker->home.stats.sockets));
	pthread_mutex_unlock(mutex);
	return most;
}

uint64_t server_fullest_address(const struct server *server)
{
	return server_addresses_fullest((struct server *)(uintptr_t)server);
}

uint64_t server_max_connections(const struct server *server)
{
	return admission_max(&server->admission);
}

uint64_t server_connections(const struct server *server)
{
	return admission_current(&server->admission);
}

uint64_t server_clients(const struct server *server)
{
	return directory_count(server->directory);
}

struct auth_world server_auth(const struct server *server)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;

	pthread_mutex_lock(mutex);
	struct auth_world world = server->auth;

	pthread_mutex_unlock(mutex);
	return world;
}

struct backends *server_backends(const struct server *server)
{
	return server->backends;
}

struct route_loads *server_route_loads(const struct server *server)
{
	return server->loads;
}

struct ruleset *server_ruleset(const struct server *server)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;

	pthread_mutex_lock(mutex);
	struct ruleset *ruleset = ruleset_ref(server->ruleset);

	pthread_mutex_unlock(mutex);
	return ruleset;
}

uint64_t server_rulesets(const struct server *server)
{
	return counter_read(&server->bin.alive);
}

json_t *server_nodes_json(const struct server *server)
{
	return server->nodes.nodes == NULL ? NULL : nodes_json(server->nodes.nodes);
}

const struct trace_stats *server_trace_stats(const struct server *server)
{
	return tracer_stats(server->tracing.tracer);
}

struct fleet *server_fleet(const struct server *server)
{
	return (struct fleet *)&server->fleet;
}

static void keys_look(void *arg, const struct jwks_status *status)
{
	bool *has_all = arg;

	*has_all &= status->keys > 0;
}

bool server_has_keys(const struct server *server)
{
	bool has_all = true;

	jwks_pool_each(server->proofs.jwks, keys_look, &has_all);
	return has_all;
}

struct jwks_pool *server_jwks(const struct server *server)
{
	return server->proofs.jwks;
}

struct tickets *server_tickets(const struct server *server)
{
	return server->proofs.tickets;
}

uint64_t server_undelivered_bytes(const struct server *server)
{
	struct bus_stats stats;

	bus_stats(server->fleet.bus, &stats);
	return stats.broker_pending_bytes;
}

bool server_is_bus_connected(const struct server *server)
{
	struct bus_status status;

	bus_status(server->fleet.bus, &status);
	return status.is_connected;
}

struct block_road *server_block_road(struct server *server)
{
	return &server->block_road;
}

void server_blocks_stats(const struct server *server, struct blocks_stats *out_stats)
{
	blocks_stats(server->blocks, clock_wall_ns() / NS_PER_MS, out_stats);
}

struct directory *server_directory(const struct server *server)
{
	return server->directory;
}

void server_admin_calls(const struct server *server, uint64_t *out_calls, uint64_t *out_refused)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;

	pthread_mutex_lock(mutex);
	const struct worker *admin = server->slots[server->worker_count].worker;
	pthread_mutex_unlock(mutex);
	/* Its thread may answer before the one that started it knows of it. */
	*out_calls = admin == NULL ? 0 : counter_read(&admin->home.calls);
	*out_refused = admin == NULL ? 0 : counter_read(&admin->home.calls_refused);
}

uint64_t server_admin_sockets(const struct server *server)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;

	pthread_mutex_lock(mutex);
	const struct worker *admin = server->slots[server->worker_count].worker;
	pthread_mutex_unlock(mutex);
	return admin == NULL ? 0 : counter_read(&admin->home.stats.sockets);
}

uint64_t server_workers_listening(const struct server *server)
{
	return __atomic_load_n(&server->listening, __ATOMIC_RELAXED);
}

const struct server_options *server_options(const struct server *server)
{
	return &server->options;
}

const char *server_binding_limit(const struct server *server)
{
	return refusal_table[__atomic_load_n(&server->public_service.full, __ATOMIC_RELAXED)].label;
}

uint64_t server_started_ns(const struct server *server)
{
	return server->started_ns;
}

const char *server_node(const struct server *server)
{
	return server->admin_service.node;
}

bool server_worker_load(const struct server *server, size_t index, struct durations *out_lags,
			uint64_t *out_busy_ns)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;

	pthread_mutex_lock(mutex);
	CHECK(index < server->worker_count);
	const struct worker *worker = server->slots[index].worker;

	if (worker != NULL) {
		*out_busy_ns = worker_busy_ns(worker);
		for (size_t i = 0; i < DURATIONS_BUCKETS; i++)
			out_lags->count[i] = counter_read(&worker->load.lags.count[i]);
		out_lags->sum_us = counter_read(&worker->load.lags.sum_us);
	}
	pthread_mutex_unlock(mutex);
	return worker != NULL;
}

size_t server_worker_count(const struct server *server)
{
	return server->worker_count;
}

struct worker *server_worker(struct server *server, size_t index)
{
	pthread_mutex_lock(&server->mutex);
	CHECK(index < server->worker_count);
	struct worker *worker = server->slots[index].worker;
	pthread_mutex_unlock(&server->mutex);
	return worker;
}
