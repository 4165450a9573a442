/* SPDX-License-Identifier: Apache-2.0
 * conn_state_private.h - what conn_state.c and conn_import.c share.
 *
 * Layer: conn; only these two include it. */
#pragma once

#include "base/state.h"

struct conn_home;

/* From now on no time passes for its connections. Harmless the second time. */
void conns_stop_time(struct conn_home *home);

/* The fields of a connection. A tag keeps its meaning for ever. */
enum conn_tag {
	CONN_TAG_STREAM = 1,   /* fields of tcp.h */
	CONN_TAG_PRESENCE = 2, /* of presence_state.h */
	CONN_TAG_PATH = 3,     /* of its route; for where the route's name is another by now */
	CONN_TAG_TIMES = 4,    /* of ws_timers.h */
	CONN_TAG_FRAMES = 5,   /* of ws_reader.h */
	CONN_TAG_PACE = 6,     /* of ws_pace.h */
	CONN_TAG_CLIENT = 7,   /* of fleet/client.h; left out: the fleet keeps nothing of it */
	CONN_TAG_UPLINK = 8,   /* of route/backend.h; left out: its back end has none */
	/* Flags. */
	CONN_TAG_IS_STALLED = 9,
	CONN_TAG_HAS_EOF = 10,
	CONN_TAG_IS_PINGED = 11,
	CONN_TAG_IS_FROM_PROXY = 12,
	CONN_TAG_IS_PROXIED = 13,
	CONN_TAG_CLIENT_PORT = 14, /* left out: the presence's */
	/* Of compression.h; left out: none. Whoever does not know it would take what comes for
	 * plain. */
	CONN_TAG_COMPRESSION = STATE_MUST | 15,
};
