/* SPDX-License-Identifier: Apache-2.0
 * doors_change.h - listeners that come and go, and their TLS, while the gateway runs.
 *
 * Layer: server. In the main thread; reads files and binds. First all that can fail is done, beside
 * what there is: addresses are taken, certificates read. Then it is put in force, which cannot
 * fail. A listener is the same one if its address is, and for [::] its ipv6_only; then its sockets
 * stay, and who waits there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "server/server_doors.h"

struct server;

/* One of those that are wanted. */
struct door_change {
	struct server_door *door;
	bool is_new;
	char option[64];        /* what it is called from now on */
	struct server_tls *tls; /* of one that stays: its TLS from now on; NULL: plain */
	/* Of a unix socket that stays, whose mode or owner is another: */
	bool is_dressed;
	struct listener_unix before;
	struct config_text owner;
};

struct doors_change {
	struct door_change items[SERVER_DOORS_MAX]; /* the admin's is the last */
	size_t count;
	struct server_door **list; /* for their doors */
	struct server_door **leaving;
};

/* 0, or -1 with *out_error: nothing has changed. doors_change_discard, or _commit, in either case
 * or for a good one. */
int doors_change_prepare(struct server *server, const struct config *next,
			 struct doors_change *change, struct server_error *out_error);

/* What was made is given back. */
void doors_change_discard(struct doors_change *change);

/* Those that are new are listened on; those that are not wanted any more let in who waits, and
 * close. Their clients stay. */
void doors_change_commit(struct server *server, struct doors_change *change);

/* Now and then: frees those that all workers have let go of. */
void doors_change_tick(struct server *server);
