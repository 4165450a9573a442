/* SPDX-License-Identifier: Apache-2.0
 * admit.c - whether a client may come in: the limits, and who else is there under
 * its name.
 *
 * A client that comes again while its older connection still holds a place - a fleet
 * behind a router that was restarted, whose dead sockets fill the gateway - must not be
 * kept out by itself. So if a place is missing, it inherits that of the connection which
 * it replaces, unless one has become free meanwhile. That happens in one step under the directory's
 * lock, with the replacement; the older one no longer gives back what it has lost, and no count is
 * ever exceeded. */
#include "conn/admit.h"

#include <errno.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/payload.h"
#include "conn/accept_rate.h"
#include "conn/address_limit.h"
#include "conn/admission.h"
#include "conn/blocked.h"
#include "conn/conn_log.h"
#include "conn/hull.h"
#include "conn/leave.h"
#include "conn/refuse.h"
#include "fleet/expiry.h"
#include "session/blocks.h"

enum directory_policy conn_policy(const struct config_route *route)
{
	switch (route->takeover) {
	case CONFIG_TAKEOVER_OLDEST:
		return DIRECTORY_OLDEST;
	case CONFIG_TAKEOVER_MANY:
		return DIRECTORY_MANY;
	case CONFIG_TAKEOVER_NEWEST:
		break;
	}
	return DIRECTORY_NEWEST;
}

/* --- the limits --- */

static bool is_open_for_all(struct conn *conn)
{
	struct service *service = conn->home->service;
	uint64_t total = admission_current(service->admission);

	if (__atomic_load_n(&service->is_draining, __ATOMIC_RELAXED))
		conn_refuse(conn, REFUSAL_DRAINING, total, 0);
	else if (!__atomic_load_n(&service->is_ready, __ATOMIC_ACQUIRE))
		conn_refuse(conn, REFUSAL_STARTING, total, 0);
	else if (payload_level() >= PAYLOAD_OVER)
		conn_refuse_for_memory(conn);
	else if (conn->is_reserve)
		conn_refuse_for_descriptors(conn);
	else
		return true;
	return false;
}

/* Behind every client that goes, what its back end does not have yet stays; so no more come
 * than can leave something. */
static bool has_backend_room(struct conn *conn)
{
	const struct backend *backend = conn_route(conn)->backend;

	if (backend->ops == NULL)
		return true;
	struct backend_pending pending = backend->ops->pending(backend);

	/* Behind those that have gone no more than half of what there is for all may wait. */
	uint64_t max = MIN(pending.max, payload_max() / 2);

	if (pending.bytes < max)
		return true;
	conn_refuse(conn, REFUSAL_BACKEND_PENDING, pending.bytes, max);
	return false;
}

static uint64_t route_max(const struct conn *conn)
{
	uint64_t max = conn_route(conn)->config->max_connections;

	return max == 0 ? UINT64_MAX : max;
}

static bool take_of_route(struct conn *conn)
{
	conn->has_route_place = places_take(&conn_route(conn)->load->connections, route_max(conn));
	return conn->has_route_place;
}

/* False: memory is out. Else *out_missing has those that it did not get. */
static bool take_places(struct conn *conn, uint8_t *out_missing)
{
	struct conn_home *home = conn->home;
	struct net_ip client = conn_client(conn);
	/* Who comes by a unix socket shares its "address" with all others. */
	struct address_limit *limit = net_ip_is_unix(&client) ? NULL : conn_home_addresses(home);
	int r = limit == NULL ? 0 : address_limit_enter(limit, &client);

	if (r == -ENOMEM)
		return false;
	conn->has_address_place = limit != NULL && r == 0;
	conn->address_table = home->address_now;
	conn->has_place = admission_enter(home->service->admission);
	*out_missing = r < 0 ? PLACE_ADDRESS : 0;
	if (!conn->has_place)
		*out_missing |= PLACE_GATEWAY;
	if (!take_of_route(conn))
		*out_missing |= PLACE_ROUTE;
	if (home->stats.connections >= counter_read(&home->service->worker_connections))
		*out_missing |= PLACE_WORKER;
	return true;
}

static void refuse_for_places(struct conn *conn, uint8_t missing)
{
	struct conn_home *home = conn->home;
	struct service *service = home->service;
	uint64_t max = admission_max(service->admission);

	if (missing & PLACE_ADDRESS) {
		max = conn_limits(conn)->max_connections_per_ip;
		conn_refuse(conn, REFUSAL_MAX_CONNECTIONS_PER_IP, max, max);
	} else if (missing & PLACE_ROUTE) {
		counter_add(&conn_route(conn)->load->connections_refused, 1);
		conn_refuse(conn, REFUSAL_ROUTE_CONNECTIONS, route_max(conn), route_max(conn));
	} else if (missing & PLACE_WORKER) {
		conn_refuse(conn, REFUSAL_NOFILE, home->stats.connections,
			    counter_read(&service->worker_connections));
	} else {
		conn_refuse(conn, __atomic_load_n(&service->full, __ATOMIC_RELAXED), max, max);
	}
}

static bool take_from_rate(struct conn *conn)
{
	struct service *service = conn->home->service;
	uint64_t wait_ns;

	if (accept_rate_take(&service->accept_rate, loop_now(conn->home->loop), &wait_ns))
		return true;
	conn_refuse(conn, REFUSAL_ACCEPT_RATE, conn_limits(conn)->accept_rate,
		    conn_limits(conn)->accept_rate);
	return false;
}

/* --- the directory --- */

struct successor {
	const struct conn *conn;
	uint8_t missing;
};

/* Rulesets share it: a route that stays goes on with its places. */
static const struct route_load *load_of(const struct client_route *client)
{
	return CONTAINER_OF(client, const struct route, client)->load;
}

static bool may_inherit(const struct presence *older, void *arg)
{
	const struct successor *successor = arg;
	struct conn_home *home = successor->conn->home;
	struct net_ip older_ip = presence_remote(older), newer_ip = conn_client(successor->conn);

	if ((successor->missing & PLACE_WORKER) && older->mailbox != &home->mailbox)
		return false;
	if ((successor->missing & PLACE_ROUTE) &&
	    load_of(older->route) != conn_route(successor->conn)->load)
		return false;
	return (successor->missing & PLACE_ADDRESS) == 0 ||
	       address_limit_is_same(conn_home_addresses(home), &older_ip, &newer_ip);
}

/* Is one connected under its name that could leave it what is missing? It may be gone when
 * it comes to that. */
static bool has_older(struct successor *successor)
{
	const struct conn *conn = successor->conn;
	struct presence *older = directory_find(conn->home->service->directory,
						presence_route_name(conn_presence(conn)),
						conn_presence(conn)->client_id);
	bool is_there = older != NULL && may_inherit(older, successor);

	presence_unref(&older);
	return is_there;
}

/* Takeovers at once, or slower ones in a row, from which on it is no device that comes back, but
 * two that throw each other out, or one that comes back when it is told not to. */
#define HOT_FROM 3
#define ROW_FROM 5

static void tell_takeovers(struct conn *conn, const struct presence *older)
{
	struct conn_home *home = conn->home;
	char older_ip[NET_IP_TEXT_MAX];
	struct net_ip ip = presence_remote(older);
	uint64_t suppressed;

	if (!log_gate_pass(&home->service->takeover_gate, loop_now(home->loop), &suppressed))
		return;
	net_ip_format(&ip, older_ip, sizeof(older_ip));
	conn_log_warn(conn,
		      "a client is taken over again and again: two devices with one id, or one "
		      "that comes back after 4001",
		      F_TEXT("older", older_ip), F_UINT("older_port", older->remote_port),
		      F_UINT("older_connection_id", older->connection_id),
		      F_UINT("suppressed", suppressed));
}

/* Drops the reference. */
static void refuse_takeover(struct conn *conn, struct presence *older)
{
	uint64_t max = conn_limits(conn)->takeover_rate;

	tell_takeovers(conn, older);
	presence_unref(&older);
	conn_refuse(conn, REFUSAL_TAKEOVER_RATE, max, max);
}

static void evict_all(struct conn *conn, struct presence *list)
{
	struct presence *older;

	if (list != NULL)
		stat_add(&conn->home->stats.takeovers, 1);
	if (list != NULL && (conn_presence(conn)->takeover_heat >= HOT_FROM ||
			     conn_presence(conn)->takeover_row >= ROW_FROM)) {
		stat_add(&conn->home->stats.takeovers_repeated, 1);
		tell_takeovers(conn, list);
	}
	while ((older = directory_pop(&list)) != NULL)
		presence_evict(&older);
}

/* False: not so soon again, and the client is answered. */
static bool may_take_over(struct conn *conn)
{
	struct presence *older;

	if (directory_may_take_over(conn->home->service->directory, conn_presence(conn), &older))
		return true;
	refuse_takeover(conn, older);
	return false;
}

static bool inherit(struct conn *conn, uint8_t missing)
{
	struct successor successor = {.conn = conn, .missing = missing};
	struct directory_heir heir = {
		.places = missing, .may_inherit = may_inherit, .arg = &successor};
	struct presence *older;

	if (!directory_inherit(conn->home->service->directory, conn_presence(conn), &heir,
			       &older)) {
		if (may_take_over(conn))
			refuse_for_places(conn, missing);
		return false;
	}
	conn->has_place = true;
	if (missing & PLACE_ADDRESS) { /* else it has its own, or, by a unix socket, needs none */
		conn->has_address_place = true;
		conn->address_table = conn->home->address_now;
	}
	conn->has_route_place = true;
	evict_all(conn, older);
	return true;
}

static bool enter(struct conn *conn, enum directory_policy policy)
{
	struct presence *older;
	bool is_in = directory_enter(conn->home->service->directory, conn_presence(conn), policy,
				     &older);

	if (is_in) {
		evict_all(conn, older);
		return true;
	}
	if (policy == DIRECTORY_NEWEST) {
		refuse_takeover(conn, older);
		return false;
	}
	presence_unref(&older);
	conn_conflict(conn);
	return false;
}

/* --- all together --- */

/* The rate comes last of the limits: whoever finds no place anyway takes nothing of it. */
static bool take_limits(struct conn *conn, struct conn_entry *entry)
{
	struct successor self = {.conn = conn};

	if (entry->policy == DIRECTORY_OLDEST && has_older(&self)) {
		conn_conflict(conn);
		return false;
	}
	if (entry->policy == DIRECTORY_NEWEST && conn_route(conn)->backend->ops != NULL &&
	    !may_take_over(conn))
		return false;
	if (!take_places(conn, &entry->missing)) {
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return false;
	}
	self.missing = entry->missing;
	if (entry->missing != 0 && (entry->policy != DIRECTORY_NEWEST || !has_older(&self))) {
		refuse_for_places(conn, entry->missing);
		return false;
	}
	return take_from_rate(conn);
}

bool conn_reserve(struct conn *conn, struct conn_entry *entry)
{
	CHECK(!conn->has_place && !conn->has_address_place && !conn->has_route_place &&
	      !conn->is_counted);
	if (!is_open_for_all(conn) || !has_backend_room(conn))
		return false;
	if (!take_limits(conn, entry)) {
		conn_leave(conn);
		return false;
	}
	conn_count(conn);
	return true;
}

/* While the back end decided, places may have become free, also that of the older one. */
static uint8_t take_missing(struct conn *conn, uint8_t missing)
{
	struct conn_home *home = conn->home;
	struct net_ip client = conn_client(conn);

	struct address_limit *limit = conn_home_addresses(home);

	if ((missing & PLACE_ADDRESS) &&
	    (limit == NULL || address_limit_enter(limit, &client) == 0)) {
		conn->has_address_place = limit != NULL;
		conn->address_table = home->address_now;
		missing &= (uint8_t)~PLACE_ADDRESS;
	}
	if ((missing & PLACE_GATEWAY) && admission_enter(home->service->admission)) {
		conn->has_place = true;
		missing &= (uint8_t)~PLACE_GATEWAY;
	}
	if ((missing & PLACE_ROUTE) && take_of_route(conn))
		missing &= (uint8_t)~PLACE_ROUTE;
	/* It counts there itself by now. */
	if (home->stats.connections <= counter_read(&home->service->worker_connections))
		missing &= (uint8_t)~PLACE_WORKER;
	return missing;
}

/* What it has proved may end. */
static int wait_for_expiry(struct conn *conn)
{
	struct presence_proof proof;

	if (!presence_proof(conn_presence(conn), &proof) || proof.expires_at_s == 0)
		return 0;
	struct client *client = client_of(&conn->home->fleet, conn_session(conn));

	return client == NULL ? -ENOMEM : expiry_begin(client, proof.expires_at_s);
}

static int enter_fleet(struct conn *conn, const struct conn_entry *entry)
{
	struct session *session = conn_session(conn);
	int r = fleet_client_enter(&conn->home->fleet, session);

	if (r == 0 && session->client != NULL)
		takeover_enter(session->client, entry->policy);
	return r == 0 ? wait_for_expiry(conn) : r;
}

/* One that was blocked in this moment, so that it was not found there yet. */
static bool was_just_blocked(struct conn *conn)
{
	const char *client_id = conn_presence(conn)->client_id;
	struct block block;

	if (!conn_block_find(conn, client_id, &block))
		return false;
	conn_depart_refused(conn);
	conn_leave(conn);
	conn_block_refuse(conn, client_id, &block);
	return true;
}

/* The directory comes behind all: whoever is in it is in. */
bool conn_enter(struct conn *conn, const struct conn_entry *entry)
{
	CHECK(conn->is_counted); /* conn_reserve was good */
	/* Blocked while others were asked, or under a name that they gave. */
	if (conn_is_blocked(conn, conn_presence(conn)->client_id)) {
		conn_leave(conn);
		return false;
	}
	uint8_t missing = entry->missing == 0 ? 0 : take_missing(conn, entry->missing);
	bool is_in = missing == 0 ? enter(conn, entry->policy) : inherit(conn, missing);

	if (!is_in) {
		conn_leave(conn);
		return false;
	}
	if (enter_fleet(conn, entry) < 0) {
		conn_depart_refused(conn);
		conn_leave(conn);
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return false;
	}
	return !was_just_blocked(conn);
}
