/* SPDX-License-Identifier: Apache-2.0
 * conn_home.h - one worker's part of the connections: what they live in, borrow and count.
 *
 * Layer: conn. Lies in the worker's memory. All but the stats and the mailbox belongs to its
 * thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/pool.h"
#include "base/random.h"
#include "conn/change_over.h"
#include "conn/listener_stats.h"
#include "conn/memory_guard.h"
#include "conn/removed_routes.h"
#include "conn/service.h"
#include "conn/stats.h"
#include "fleet/client.h"
#include "http/http_date.h"
#include "io/mailbox.h"
#include "proto/http_head.h"
#include "proto/ws_handshake.h"

struct address_limit;
struct conn_phase;
struct conn_tap;
struct frame_rx;
struct ws_deflater;
struct ws_inflater;
struct uplink_handler;

/* The rates of one client (ws_pace.h). */
struct ws_paces {
	uint64_t message_ns;       /* from one message to the next; 0: no limit */
	uint64_t message_burst_ns; /* the same for a whole burst */
	uint64_t byte_rate;        /* [bytes/s] 0: no limit */
	bool is_on;                /* one of them */
	bool is_closing;           /* message_rate_action: close */
};

/* [bytes] Of a subprotocol that is agreed on for show. */
#define UPGRADE_SUBPROTOCOL_MAX 64

/* What the connection that is being refused asked for (phase_refusing.h). */
struct refused_upgrade {
	const struct conn *conn; /* NULL: nothing is remembered */
	uint8_t key[WS_KEY_LEN];
	char subprotocol[UPGRADE_SUBPROTOCOL_MAX + 1]; /* "" = none was offered */
};

struct conn_home {
	struct service *service;
	struct ruleset *ruleset; /* in force for those that come, and the limits for all */
	struct loop *loop;
	size_t index; /* of its worker: which of a route's cells is this one's */
	const struct conn_phase *const *phases; /* by enum conn_phase_id */
	const struct uplink_handler *ears;      /* what back ends tell */
	/* For handlers that answer later. */
	struct http_later *(*take)(const struct http_request *request, uint64_t timeout_ms);
	struct conn_tap *taps;    /* of those who watch (tap.h); NULL: nobody does, as a rule */
	struct list_node uplinks; /* also those whose connection has ended */
	/* One connection or uplink has gone. */
	void (*on_gone)(struct conn_home *home);
	/* No new clients: those whose connections still come are told so. */
	bool is_draining;
	bool is_closed;     /* the listener too: whoever was on the way is not even heard */
	bool is_frozen;     /* its connections stand still (conn_state.h) ... */
	uint32_t frozen_ms; /* ... since then, of the loop's clock, cut */

	struct pool conn_pool; /* also the list of all connections (pool_walk) */
	/* What a connection borrows while a request or a message is under way. */
	struct pool head_pool;
	struct pool frame_pool;
	struct frame_rx *spare_frames; /* ready for the next connection that needs one */
	struct http_head head;         /* for requests that arrive whole */
	/* Lent for a message. NULL: nobody has wanted it yet. */
	struct ws_deflater *deflater;
	struct ws_inflater *inflater;
	/* The one that is being answered, perhaps not complete, for the log. NULL: none is. */
	const struct conn_request *request;
	/* Who that would be, of one that is refused before it is anybody. NULL: not known. */
	const char *claimed_id;
	/* Of the close frame with which the connection that is at hand ends; 0: by its reason. */
	uint16_t close_code;

	/* Another process has the doors: whoever wants more asks there, on a new connection. */
	bool has_retired;

	struct refused_upgrade refused_upgrade;

	struct memory_guard memory;
	struct ws_paces paces;
	struct change_over change_over;

	/* Where the connections of each address are counted; NULL: nowhere. Those of the other one
	 * are about to be counted in this (change_over.h). */
	struct address_limit *address_limits[2];
	uint8_t address_now;

	struct fleet_home fleet;
	struct random_source random;
	struct http_date date;
	struct removed_routes removed;
	struct mailbox mailbox; /* for tasks to its connections, through their presences */

	uint64_t calls;         /* struct kept_request in use; for others to read, as stats */
	uint64_t calls_refused; /* because max_calls were */
	/* Written by this thread only; last: on cache lines of their own. */
	struct listener_stats listeners[LISTENER_PLACES];
	struct stats stats;
};

static inline struct address_limit *conn_home_addresses(const struct conn_home *home)
{
	return home->address_limits[home->address_now];
}

static inline const struct config_server *conn_home_limits(const struct conn_home *home)
{
	return &home->ruleset->config.server;
}

/* NULL: no WebSockets here. */
static inline const struct route_table *conn_home_routes(const struct conn_home *home)
{
	return home->service->fleet == NULL ? NULL : home->ruleset->routes;
}
