/* SPDX-License-Identifier: Apache-2.0
 * client.h - what the fleet keeps of one connected client.
 *
 * Layer: fleet. Belongs to the thread of the client's worker. A client has one only if
 * something needs it: links to other nodes, groups, calls. */
#pragma once

#include "base/random.h"
#include "fleet/fleet.h"
#include "fleet/group/groups.h"
#include "fleet/link.h"
#include "fleet/rpc/rpc.h"
#include "fleet/takeover/takeover.h"
#include "session/session.h"

struct fleet_handover; /* fleet_handover.h */

/* One worker's part of the fleet, in its memory and thread. It must not end its loop before
 * fleet_home_is_idle. */
struct fleet_home {
	struct fleet *fleet; /* NULL: no clients here */
	struct loop *loop;
	struct random_source *random; /* of the worker */
	uint64_t clients;             /* not freed yet; some outlive their connection for a while */
	uint64_t questions;           /* of takeover.h, that wait for their answer */
	struct list_node asks;        /* of struct ask: what this worker asks of clients */
	struct group_home groups;
	void (*on_gone)(struct fleet_home *home);  /* one less of any */
	struct fleet_handover *handover;           /* NULL: none asks anything from here */
	void (*on_abort)(struct fleet_home *home); /* NULL: nothing but asks waits */
};

void fleet_home_init(struct fleet_home *home, struct fleet *fleet, struct loop *loop,
		     void (*on_gone)(struct fleet_home *home));
bool fleet_home_is_idle(const struct fleet_home *home);

/* Once it is idle. */
void fleet_home_finish(struct fleet_home *home);

/* Waits for no other node any more: what it asks ends soon. */
void fleet_home_abort(struct fleet_home *home);

struct expiry; /* expiry.h */

struct client {
	struct fleet_home *home;
	struct session *session; /* NULL: the connection has begun to end */
	struct link link;
	struct takeover takeover;
	struct client_groups groups;
	uint32_t holders;      /* whoever needs this memory: its session, subscriptions */
	struct rpc *rpc;       /* NULL: it was never called */
	struct expiry *expiry; /* NULL: what it has proved does not end */
};

/* The session has come in: it is in the directory. 0 or a negative errno: then it is to be
 * closed, and nothing is kept of it. */
int fleet_client_enter(struct fleet_home *home, struct session *session);

/* It begins to end. Harmless if it never came in. */
void fleet_client_leave(struct session *session);

/* That of a session that is in, made if there is none. NULL: memory is out. */
struct client *client_of(struct fleet_home *home, struct session *session);

/* The memory stays until as many have released it as held it; the session is gone before. */
void client_hold(struct client *client);
void client_release(struct client *client);

/* --- client_state.c: from process to process (base/state.h) --- */

/* What the fleet keeps of a session that is in. Nothing changes. */
void client_export(const struct session *session, struct state_writer *out);

/* Of a session that is in the directory, and was in with another process: nobody is told, and no
 * time runs before client_thaw. 0; -ENOMEM; -EINVAL: it is not to be understood, or its route knows
 * no calls any more, and some wait. Then nothing is kept. */
int client_import(struct fleet_home *home, struct session *session, struct slice state);
void client_thaw(struct session *session);

/* Likewise, before it is thawed: the other process keeps it after all, and nothing is left here. */
void client_discard(struct session *session);

/* After client_export, once the other process has it: as fleet_client_leave, but its calls have not
 * ended: who waits for them here is told by the other process. */
void client_forget(struct session *session);
