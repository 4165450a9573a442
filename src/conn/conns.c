/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/conns.h"

#include "conn/admission.h"
#include "conn/hull.h"
#include "conn/phase_body.h"
#include "conn/phase_head.h"
#include "conn/phases.h"
#include "conn/removed_routes.h"
#include "conn/uplink_ears.h"
#include "conn/ws_pace.h"
#include "proto/ws_deflate.h"
#include "proto/ws_inflate.h"

/* For the request of one that comes while the gateway is stopping. */
#define LATE_PATIENCE_MS UINT64_C(1000)

static void on_fleet_gone(struct fleet_home *fleet)
{
	struct conn_home *home = CONTAINER_OF(fleet, struct conn_home, fleet);

	home->on_gone(home);
}

void conns_init(struct conn_home *home, struct service *service,
		void (*on_gone)(struct conn_home *home))
{
	*home = (struct conn_home){
		.service = service,
		.ruleset = ruleset_ref(service->ruleset),
		.phases = conn_phases,
		.ears = &uplink_ears,
		.take = conn_body_take,
		.on_gone = on_gone,
		.address_limits = {service->address_limit},
	};
	ws_paces_set(home);
	pool_init(&home->conn_pool, sizeof(struct conn));
	pool_init(&home->head_pool, sizeof(struct head_rx));
	pool_init(&home->frame_pool, sizeof(struct frame_rx));
	list_init(&home->uplinks);
	mailbox_init(&home->mailbox);
}

void conns_start(struct conn_home *home, struct loop *loop)
{
	home->loop = loop;
	fleet_home_init(&home->fleet, home->service->fleet, loop, on_fleet_gone);
	home->fleet.random = &home->random;
	memory_guard_start(home);
	change_over_start(home);
	removed_routes_init(home);
}

bool conns_accept(struct conn_home *home, const struct tcp_accepted *accepted,
		  struct tls_context *tls, unsigned listener)
{
	struct conn *conn = conn_begin(home, accepted, tls, listener);

	if (conn == NULL) {
		stat_add(&home->stats.connections_refused[REFUSAL_MEMORY], 1);
		stat_add(&home->listeners[listener].connections_refused, 1);
		return false;
	}
	if (home->is_closed)
		conn_drain(conn); /* it was on its way when the listener closed */
	else if (home->is_draining)
		conn_timer_start(conn, MIN(LATE_PATIENCE_MS, conn_limits(conn)->handshake_timeout));
	return true;
}

void conns_change_rules(struct conn_home *home, struct ruleset *ruleset)
{
	change_over_rules(home, ruleset);
	ruleset_unref(&ruleset);
	removed_routes_close(home);
}

/* Its memory stays until the turn ends. */
void conns_each(struct conn_home *home, void (*call)(struct conn *conn))
{
	struct pool_walk walk;
	struct conn *conn;

	pool_walk_start(&walk, &home->conn_pool);
	while ((conn = pool_walk_next(&walk)) != NULL)
		call(conn);
	pool_walk_stop(&walk);
}

void conns_drain(struct conn_home *home)
{
	home->is_draining = true;
	removed_routes_stop(home);
	conns_each(home, conn_drain);
}

void conns_retire(struct conn_home *home)
{
	home->has_retired = true;
	conns_each(home, conn_end_kept);
}

void conns_abort(struct conn_home *home)
{
	conns_each(home, conn_abort);
	for (struct list_node *node = home->uplinks.next, *next; node != &home->uplinks;
	     node = next) {
		struct uplink *uplink = CONTAINER_OF(node, struct uplink, node);

		next = node->next; /* it may be freed */
		uplink->backend->ops->abort(uplink);
	}
	fleet_home_abort(&home->fleet);
}

bool conns_have_left(const struct conn_home *home)
{
	const struct admission *admission = home->service->admission;

	return (admission == NULL || admission_current(admission) == 0) &&
	       home->stats.connections == 0 && list_is_empty(&home->uplinks) &&
	       fleet_home_is_idle(&home->fleet);
}

void conns_close(struct conn_home *home)
{
	home->is_closed = true;
	conns_each(home, conn_drain);
}

bool conns_are_gone(const struct conn_home *home)
{
	return home->conn_pool.live_count == 0 && list_is_empty(&home->uplinks) &&
	       fleet_home_is_idle(&home->fleet);
}

void conns_finish(struct conn_home *home)
{
	if (home->spare_frames != NULL)
		ws_decoder_finish(&home->spare_frames->decoder);
	pool_put(&home->frame_pool, home->spare_frames);
	pool_finish(&home->frame_pool);
	pool_finish(&home->head_pool);
	CHECK(home->conn_pool.live_count == 0 && home->calls == 0);
	ws_deflater_destroy(&home->deflater);
	ws_inflater_destroy(&home->inflater);
	memory_guard_finish(home);
	change_over_finish(home);
	pool_finish(&home->conn_pool);
	fleet_home_finish(&home->fleet);
	mailbox_finish(&home->mailbox);
	ruleset_unref(&home->ruleset);
}
