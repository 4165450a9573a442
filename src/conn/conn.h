/* SPDX-License-Identifier: Apache-2.0
 * conn.h - one accepted connection: what it consists of.
 *
 * Layer: conn. Lives in its worker's pool and thread, from its first byte to the end of its
 * socket. What it keeps for its phase alone is in `part`, and may be touched through conn_head()
 * and the like only, which see to it that this is the phase (phase.h).
 *
 * An idle one costs this struct and its presence; what it borrows while bytes are under way
 * (head, frames, output) goes back to its home. */
#pragma once

#include "base/buf.h"
#include "base/check.h"
#include "base/net_ip.h"
#include "conn/close_table.h"
#include "conn/conn_home.h"
#include "conn/phase.h"
#include "io/tcp.h"
#include "proto/http_head.h"
#include "proto/ws_decoder.h"
#include "route/backend.h"
#include "route/route.h"
#include "session/session.h"

/* A request that arrives in pieces. */
struct head_rx {
	struct http_head head;
	struct buf bytes;
};

/* A message that arrives in pieces, and input that waits because output is stuck. */
struct frame_rx {
	struct ws_decoder decoder;
	struct buf held;
	size_t held_at; /* [bytes] of it that are dealt with */
	struct conn *conn;
	struct list_node stopped; /* memory_guard.h */
};

struct kept_request;    /* phase_body.c */
struct handshake_trace; /* conn_trace.h */
struct proof_wait;      /* phase_proving.c */
struct http_stream;
struct told_tls;
struct ws_windows;     /* compression.h */
struct upgrade_wait;   /* phase_asking.c */
struct refused_answer; /* phase_refusing.c */

/* CONN_HEAD */
struct conn_head_part {
	struct handshake_trace *trace; /* the same in all three that have one; conn_trace.h */
	struct head_rx *rx;            /* NULL: nothing is kept of it */
	uint32_t accepted_us;          /* of the loop's clock, cut: only differences count */
};

/* CONN_BODY and CONN_ANSWER */
struct conn_body_part {
	struct kept_request *later; /* NULL: being answered */
	struct head_rx *next;       /* what came behind the request; NULL: nothing */
};

/* CONN_STREAM */
struct conn_stream_part {
	struct http_stream *stream;
	uint32_t waiting_ms; /* of the loop's clock, cut: since the output is stuck */
	uint32_t progress;   /* of tcp, when last looked at */
	uint8_t why;         /* enum http_stream_end */
	bool is_chunked;
};

/* CONN_PROVING */
struct conn_proving_part {
	struct handshake_trace *trace;
	struct proof_wait *wait; /* NULL: being answered */
};

/* CONN_ASKING */
struct conn_asking_part {
	struct handshake_trace *trace;
	struct upgrade_wait *wait; /* NULL: being answered */
};

/* CONN_REFUSING */
struct conn_refusing_part {
	struct refused_answer *answer;
};

/* CONN_OPEN and CONN_CLOSING. Times in ms of the loop's clock, cut: only differences count. */
struct conn_ws_part {
	union {
		struct frame_rx *frames;    /* NULL: between messages, or in use */
		struct ws_windows *windows; /* has_windows; its `frames` is the same */
	};
	uint32_t heard_ms;   /* last bytes */
	uint32_t message_ms; /* last whole message */
	uint32_t waiting_ms; /* since the ping, or since the output is stuck */
	uint32_t progress;   /* of tcp, when last looked at while stuck */
};

struct conn {
	struct tcp tcp;
	struct timer timer; /* its phase's */
	struct conn_home *home;
	union {
		const struct route *route; /* NULL until the upgrade */
		struct uplink *uplink;     /* has_uplink */
	} way;                             /* of its messages; conn_route() and conn_uplink() */
	union {
		struct {
			struct net_ip client;  /* the peer, or whom a trusted proxy speaks for */
			struct told_tls *told; /* by that proxy; NULL: nothing; told_tls.h */
		};
		struct session session; /* has_presence: which knows the client too */
	};
	union {
		struct conn_head_part head;
		struct conn_body_part body;
		struct conn_stream_part stream;
		struct conn_proving_part proving;
		struct conn_asking_part asking;
		struct conn_refusing_part refusing;
		struct conn_ws_part ws;
	} part;               /* of its phase */
	uint16_t client_port; /* 0: the proxy did not say */
	uint8_t phase;        /* enum conn_phase_id; hull.c sets it */
	uint8_t reason;       /* enum close_reason; the first one counts */
	bool has_reason : 1;
	bool has_eof : 1;           /* the client has finished sending */
	bool has_presence : 1;      /* from the upgrade on */
	bool has_uplink : 1;        /* to an asynchronous back end: from ASKING to the end */
	bool is_counted : 1;        /* in stats.connections */
	bool has_place : 1;         /* in admission */
	bool has_address_place : 1; /* in one of the home's address_limits */
	bool address_table : 1;     /* which of them */
	bool has_route_place : 1;   /* in its route's load */
	bool may_have_proxy : 1;    /* a PROXY header may come before anything else */
	bool is_from_proxy : 1;     /* the other end of the socket is in trusted_proxies */
	bool is_proxied : 1;        /* `client` is not the other end of the socket */
	bool is_pinged : 1;         /* and nothing was heard since */
	bool is_stalled : 1;        /* not read: its output queue is full, or others hold it up */
	bool is_reserve : 1;        /* sits on the last descriptor */
	bool is_head : 1;           /* the request was a HEAD: no body in the answer */
	bool is_persistent : 1;     /* behind the answer to this request there may be another one */
	bool is_kept : 1;           /* has a place of the service's `kept` */
	/* Open or closing, and permessage-deflate was agreed on: the bits of the window that the
	 * client has for what it is sent, 8 to 15. 0: it was not. Without has_windows nothing else
	 * is kept of it; with them, their bytes are all that there is (compression.h). To another
	 * process it goes by conn_compression_export and _import, before what ws_reader.h has. */
	uint8_t deflate_bits : 4;
	bool has_windows : 1;
	bool is_imported : 1; /* by another process, which may have it still (conn_state.h) */
	/* What became of the handshake on its route is counted; it is in, or was. */
	bool is_settled : 1;
	bool is_in : 1;
	bool is_noted : 1;    /* the access log has its line */
	uint8_t listener : 5; /* by which it came, in home->listeners */
};

/* What an idle connection may cost (docs/benchmarks.md). */
_Static_assert(sizeof(struct conn) <= 168, "an idle connection");

static inline struct conn_head_part *conn_head(struct conn *conn)
{
	CHECK(conn->phase == CONN_HEAD);
	return &conn->part.head;
}

static inline struct conn_body_part *conn_body(struct conn *conn)
{
	CHECK(conn->phase == CONN_BODY || conn->phase == CONN_ANSWER);
	return &conn->part.body;
}

static inline struct conn_stream_part *conn_stream(struct conn *conn)
{
	CHECK(conn->phase == CONN_STREAM);
	return &conn->part.stream;
}

static inline struct conn_proving_part *conn_proving(struct conn *conn)
{
	CHECK(conn->phase == CONN_PROVING);
	return &conn->part.proving;
}

static inline struct conn_asking_part *conn_asking(struct conn *conn)
{
	CHECK(conn->phase == CONN_ASKING);
	return &conn->part.asking;
}

static inline struct conn_refusing_part *conn_refusing(struct conn *conn)
{
	CHECK(conn->phase == CONN_REFUSING);
	return &conn->part.refusing;
}

static inline struct conn_ws_part *conn_ws(struct conn *conn)
{
	CHECK(conn->phase == CONN_OPEN || conn->phase == CONN_CLOSING);
	return &conn->part.ws;
}

static inline struct session *conn_session(struct conn *conn)
{
	CHECK(conn->has_presence);
	return &conn->session;
}

static inline struct presence *conn_presence(const struct conn *conn)
{
	CHECK(conn->has_presence);
	return conn->session.presence;
}

static inline struct conn *conn_of_session(const struct session *session)
{
	struct conn *conn = (struct conn *)((uintptr_t)session - offsetof(struct conn, session));

	CHECK(conn->has_presence);
	return conn;
}

/* The peer, or whom a trusted proxy speaks for. */
static inline struct net_ip conn_client(const struct conn *conn)
{
	return conn->has_presence ? presence_remote(conn->session.presence) : conn->client;
}

/* NULL: its back end is a synchronous one, or knows of the end. */
static inline struct uplink *conn_uplink(const struct conn *conn)
{
	return conn->has_uplink ? conn->way.uplink : NULL;
}

/* The route that it was upgraded on, or is to be. NULL until the upgrade. */
static inline const struct route *conn_route(const struct conn *conn)
{
	return conn->has_uplink ? conn->way.uplink->route : conn->way.route;
}

/* Does the back end take nothing more for now? */
static inline bool conn_is_held_up(const struct conn *conn)
{
	return conn->has_uplink && conn->way.uplink->is_full;
}

static inline const struct config_server *conn_limits(const struct conn *conn)
{
	return conn_home_limits(conn->home);
}

static inline struct stats *conn_stats(const struct conn *conn)
{
	return &conn->home->stats;
}

/* Of the listener by which it came. */
static inline struct listener_stats *conn_listener_stats(const struct conn *conn)
{
	return &conn->home->listeners[conn->listener];
}

/* It has been let in, here or by the process before; until conn_uncount. */
static inline void conn_count(struct conn *conn)
{
	CHECK(!conn->is_counted);
	conn->is_counted = true;
	stat_add(&conn_stats(conn)->connections, 1);
	stat_add(&conn_listener_stats(conn)->connections, 1);
}

/* Harmless if it is not counted. */
static inline void conn_uncount(struct conn *conn)
{
	if (!conn->is_counted)
		return;
	conn->is_counted = false;
	stat_sub(&conn_stats(conn)->connections, 1);
	stat_sub(&conn_listener_stats(conn)->connections, 1);
}

/* A handshake that came to nothing, and not because of a limit. */
static inline void conn_count_rejected(const struct conn *conn)
{
	stat_add(&conn->home->stats.handshakes_rejected, 1);
	stat_add(&conn_listener_stats(conn)->handshakes_rejected, 1);
}

static inline void conn_count_timeout(const struct conn *conn)
{
	stat_add(&conn->home->stats.handshake_timeouts, 1);
	stat_add(&conn_listener_stats(conn)->handshake_timeouts, 1);
}

/* What this worker counts of its route, which it has. */
static inline struct route_counts *conn_route_counts(const struct conn *conn)
{
	const struct route_load *load = conn_route(conn)->load;

	CHECK(conn->home->index < load->cell_count);
	return &load->cells[conn->home->index].counts;
}

/* A request that is complete, in the bytes it lies in. */
struct conn_request {
	const struct http_head *head;
	const uint8_t *data;
	uint8_t *rest;   /* behind the head */
	size_t rest_len; /* 0 once somebody has taken it */
	/* Who sent it is in server.trusted_proxies: what it says of the client is believed. */
	bool is_from_proxy;
};
