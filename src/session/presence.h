/* SPDX-License-Identifier: Apache-2.0
 * presence.h - what every thread may know of a connected client, and the road to it.
 *
 * Layer: session. A connection belongs to its worker's
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
#include "session/attributes.h"
#include "session/client_route.h"
#include "session/traffic.h"
#include "trace/trace_context.h"

struct session;

/* [bytes] without the NUL. */
#define PRESENCE_ROUTE_MAX     64
#define PRESENCE_CLIENT_ID_MAX 255
#define PRESENCE_SUBJECT_MAX   1023

/* How a client has proved who it is. */
struct presence_proof {
	const char *way;       /* "basic"; static text */
	const char *subject;   /* as whom it is known there; in presence_proof: never NULL */
	uint64_t expires_at_s; /* [s] since the epoch; 0: never */
};

/* The largest of connected_at_ms. */
#define PRESENCE_TIME_MAX ((UINT64_C(1) << 44) - 1)

/* An idle client keeps one, so it is as small as its facts (docs/benchmarks.md): what has a short
 * and a long form lies behind the client id. */
struct presence {
	/* Immutable once the presence is in the directory. */
	const struct client_route *route; /* whose ruleset it holds */
	uint64_t connection_id : 48;   /* unique in this process, rising; given by the directory */
	uint64_t subprotocol_code : 8; /* presence_subprotocol */
	uint64_t is_v4 : 1;            /* the address behind the id is of 4 bytes, else of 16 */
	uint64_t takeover_heat : 7;    /* the directory's: of its client, when it came in */
	uint64_t connected_at_ms : 44; /* since the epoch */
	uint64_t has_note : 1;         /* last of all */
	uint64_t has_trace : 1;        /* behind the address */
	uint64_t has_proof : 1;        /* behind what follows the id */
	uint64_t has_attributes : 1;   /* behind all that */
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
	struct traffic traffic; /* the worker's thread writes it, any may read it */
	uint8_t lost_places;    /* the directory's, under its lock */
	uint8_t takeover_row;   /* the directory's: of its client, when it came in */
	/* Percent-decoded; 1..PRESENCE_CLIENT_ID_MAX bytes and a NUL. Then the address, the trace,
	 * a subprotocol that is not of the route's list, and a NUL; then the proof: way, time, and
	 * subject with a NUL, which is empty if it is the client id; then the attributes, and the
	 * note: two bytes of length, and the block. */
	char client_id[];
};

/* What a presence is made from; the texts are copied. */
struct presence_facts {
	const struct client_route *route;
	const char *client_id;
	struct slice subprotocol; /* empty: there is none */
	struct net_ip remote;     /* the client, or whom a trusted proxy speaks for */
	uint16_t remote_port;
	struct mailbox *mailbox;
	struct session *session;
	/* NULL: nobody asked for one. A subject that is NULL is the client id; at most
	 * PRESENCE_SUBJECT_MAX bytes. */
	const struct presence_proof *proof;
	struct slice attributes; /* a good block; may be empty */
	/* Of its handshake: the span of that, or what its client said. NULL or not set: none. */
	const struct trace_context *trace;
	struct slice note; /* of its request, for the access log; at most PRESENCE_NOTE_MAX bytes */
};

/* One reference, the caller's. NULL: memory is out. */
struct presence *presence_create(const struct presence_facts *facts);
struct presence *presence_ref(struct presence *presence);

/* From any thread. Clears the pointer; NULL in it is fine. */
void presence_unref(struct presence **presence);

/* The route's name; like the two that follow it lives as long as the presence. */
static inline const char *presence_route_name(const struct presence *presence)
{
	return presence->route->config->name;
}

/* NULL: none was agreed on. */
const char *presence_subprotocol(const struct presence *presence);

struct net_ip presence_remote(const struct presence *presence);

/* What it has sent and been sent, at `now_ns` of clock_now_ns and `wall_ms` since the epoch. */
void presence_look(const struct presence *presence, uint64_t now_ns, uint64_t wall_ms,
		   struct traffic_picture *out_picture);

/* False: it has proved nothing, and nothing is written. */
bool presence_proof(const struct presence *presence, struct presence_proof *out_proof);

/* A block; empty: there are none. */
struct slice presence_attributes(const struct presence *presence);
/* For whoever gave it; empty: there is none. */
#define PRESENCE_NOTE_MAX 512
struct slice presence_note(const struct presence *presence);

/* The trace that its handshake belongs to. False: none, and nothing is written. */
bool presence_trace(const struct presence *presence, struct trace_context *out_trace);

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
