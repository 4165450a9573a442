/* SPDX-License-Identifier: Apache-2.0
 * leave.h - what a connection gives up as it ends: its name in the directory first, its places
 * last.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

/* What a connection takes of limits, and another can take over from it (admit.h). */
enum {
	PLACE_ADDRESS = 1, /* of max_connections_per_ip: only from the same address */
	PLACE_GATEWAY = 2, /* of max_connections */
	PLACE_WORKER = 4,  /* of its worker: only within that */
	PLACE_ROUTE = 8,   /* of its route's max_connections */
};

/* The connection begins to end: from now on nobody finds it, and its client may come
 * again. Comes before the bytes that tell the client so. Harmless the second time. */
void conn_depart(struct conn *conn);

/* The same, and it is about to be refused: the access log has its answer, and no end. */
void conn_depart_refused(struct conn *conn);

/* As conn_depart, but nobody else is told, neither its back end nor another node: for them the
 * client is still there, in another process. */
void conn_depart_unsaid(struct conn *conn);

/* Gives back the places that it has of the limits. Harmless if it has none. */
void conn_leave(struct conn *conn);

/* No request over HTTP will follow: gives back its place of keep_alive_max. Harmless if it has
 * none. */
void conn_leave_kept(struct conn *conn);
