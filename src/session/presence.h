/* SPDX-License-Identifier: Apache-2.0
 * presence.h - what every thread may know of a connected client, and the road to it.
 *
 * Layer: session (may include base/ and io/ only). A connection belongs to its worker's
 * thread, so no other thread ever holds a pointer to it. What others hold is a presence:
 * counted by reference, its facts never change, and it outlives the connection for as
 * long as somebody keeps it. A task goes through it to the connection's thread; if the
 * connection has ended by then, the task finds nobody, never a newer connection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/net_ip.h"
#include "base/slice.h"
#include "io/mailbox.h"

struct session;

/* [bytes] without the NUL. */
#define PRESENCE_ROUTE_MAX     64
#define PRESENCE_CLIENT_ID_MAX 255

struct presence {
	/* Immutable once the presence is in the directory. */
	const char *route;             /* the route's name; lives as long as the configuration */
	const char *subprotocol;       /* likewise, or in this memory; NULL: none was agreed on */
	uint64_t connection_id;        /* unique in this process, rising; given by the directory */
	struct net_ip remote;          /* the client, or whom a trusted proxy speaks for */
	uint64_t connected_at_ms : 48; /* since the epoch */
	uint64_t remote_port : 16;     /* 0: the proxy did not say */
	/* One more than of the connection of this client that it found, in the directory or
	 * on another node, or 1: so of those that overlap the newest has the highest. */
	uint32_t generation;

	uint32_t references;     /* atomic */
	struct mailbox *mailbox; /* of the connection's worker; outlives the presence's users */
	struct session *session; /* for the worker's thread only; NULL: it is gone */
	union {
		struct presence *next; /* in the directory, under its lock */
		struct loop_task task; /* later, for presence_evict */
	};
	uint8_t lost_places; /* the directory's, under its lock */
	char client_id[];    /* percent-decoded; 1..PRESENCE_CLIENT_ID_MAX bytes and a NUL */
};

/* What a presence is made from; the id is copied. */
struct presence_facts {
	const char *route;
	const char *client_id;
	const char *subprotocol;      /* lives as long as the configuration */
	struct slice own_subprotocol; /* instead of it: is copied; empty: there is none */
	struct net_ip remote;
	uint16_t remote_port;
	struct mailbox *mailbox;
	struct session *session;
};

/* One reference, the caller's. NULL: memory is out. */
struct presence *presence_create(const struct presence_facts *facts);
struct presence *presence_ref(struct presence *presence);

/* From any thread. Clears the pointer; NULL in it is fine. */
void presence_unref(struct presence **presence);

/* In the worker's thread: the session, or NULL once the connection is closing. */
static inline struct session *presence_session(const struct presence *presence)
{
	return presence->session;
}

/* In the worker's thread: the connection begins to end, tasks find nobody from now on. */
static inline void presence_detach(struct presence *presence)
{
	presence->session = NULL;
}

/* The caller fills `run` and keeps the task alive until it is called. */
struct presence_task {
	/* Runs once, in the worker's thread; `session` is NULL if the connection is gone.
	 * May free the task. */
	void (*run)(struct presence_task *task, struct session *session);
	struct presence *presence; /* referenced from presence_post until `run` returns */
	struct loop_task loop_task;
};

/* From any thread. Tasks of one thread for one presence run in the order posted. False:
 * the worker has ended, so the connection is gone; `run` is not called, and the task
 * stays the caller's. */
bool presence_post(struct presence *presence, struct presence_task *task);

/* From any thread: has the connection closed by its own thread, because another one of
 * the same client took its place. Takes over the reference of one that the directory gave
 * as older, and clears the pointer. Allocates nothing, so it cannot fail. */
void presence_evict(struct presence **older);
