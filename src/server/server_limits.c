/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_limits.h"

#include <string.h>

#include "auth/pace.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/payload.h"
#include "base/saturate.h"
#include "server/server_private.h"

/* The limit that max_connections was taken from, if it is `auto`. */
static enum refusal refusal_when_full(const struct plan *plan)
{
	const struct limit *binding = limits_binding(&plan->limits);
	const char *label = limit_label(binding == NULL ? LIMIT_ID_MAX_CONNECTIONS : binding->id);

	for (unsigned i = 0; i < REFUSAL_COUNT; i++)
		if (strcmp(refusal_table[i].label, label) == 0)
			return i;
	return REFUSAL_MAX_CONNECTIONS;
}

/* HTTP connections that are kept take of the sockets that are left free for handshakes, but
 * not more than half of them. */
static uint64_t kept_max(const struct config *config, const struct plan *plan)
{
	uint64_t held = MIN(plan->capacity.worker_connections, plan->max_connections);
	uint64_t spare = saturating_sub(plan->capacity.worker_sockets, held) / 2;
	uint64_t wanted = config->server.keep_alive_max, max = MIN(wanted, spare);

	/* No limit is silent. */
	if (max < wanted)
		log_info("fewer HTTP connections can be kept than server.keep_alive_max",
			 F_UINT("kept", max), F_UINT("keep_alive_max", wanted),
			 F_TEXT("remedy", "raise the descriptor limit (ulimit -n, LimitNOFILE=) or "
					  "lower server.max_connections"));
	return max;
}

static void service_limits_set(struct service *service, const struct config *config,
			       const struct plan *plan, uint64_t kept)
{
	counter_set(&service->worker_connections, plan->capacity.worker_connections);
	__atomic_store_n(&service->full, refusal_when_full(plan), __ATOMIC_RELAXED);
	admission_set_max(&service->kept, kept);
	admission_set_max(&service->refused_browsers, config->server.refuse_browsers_max);
}

/* Those that are there only once the server has started, or only if somebody needs them. */
static void proofs_limits_set(struct server *server, const struct config *config)
{
	blocks_set_max(server->blocks, config->admin.blocks_max);
	if (server->proofs.tickets != NULL)
		tickets_set_max(server->proofs.tickets, config->admin.tickets_max);
	if (server->auth.hasher != NULL)
		hasher_set_max(server->auth.hasher, config->server.password_queue);
	if (server->auth.pace != NULL)
		pace_set_max(server->auth.pace, config->server.auth_failures);
}

void server_limits_set(struct server *server, const struct config *config, const struct plan *plan)
{
	uint64_t kept = kept_max(config, plan);

	admission_set_max(&server->admission, plan->max_connections);
	service_limits_set(&server->public_service, config, plan, kept);
	service_limits_set(&server->admin_service, config, plan, kept);
	accept_rate_set(&server->public_service.accept_rate, config->server.accept_rate,
			config->server.accept_burst, clock_now_ns());
	counter_set(&server->admin_service.max_body, config->admin.max_body);
	counter_set(&server->admin_service.max_calls, config->admin.max_calls);
	directory_pace_takeovers(server->directory, config->server.takeover_rate);
	group_registry_set_max(server->fleet.groups, config->server.max_groups);
	payload_set_max(plan->payload_memory);
	server_addresses_set(server, config->server.max_connections_per_ip,
			     (unsigned)config->server.ipv6_prefix);
	if (server->fleet.bus != NULL)
		bus_set_limits(server->fleet.bus, config->bus.pending_max,
			       (uint32_t)config->bus.requests_max);
	proofs_limits_set(server, config);
}

struct tls_limits server_tls_share(const struct config *config, uint64_t workers, bool is_admin)
{
	uint64_t rate = is_admin ? 0 : config->server.tls_handshake_rate;
	uint64_t most = config_tls_handshakes_max(config, workers);

	return (struct tls_limits){
		.handshakes_max = (most + workers - 1) / workers,
		.handshake_step_ns = rate == 0 ? 0 : NS_PER_S * workers / rate,
	};
}
