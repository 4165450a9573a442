/* SPDX-License-Identifier: Apache-2.0
 * conn.h - one accepted connection, from its first byte to the end of its socket.
 *
 * Layer: conn. Lives in its worker's pool and thread. States:
 *
 *   HEAD -> OPEN -> CLOSING -> (closed)     a WebSocket that we close
 *                -> FLUSH   -> (closed)     a WebSocket that the client closes
 *                -> LINGER  -> (closed)     a WebSocket that broke the rules
 *        -> FLUSH or LINGER -> (closed)     an ordinary answer, or a refusal
 *        -> BODY -> ANSWER -> FLUSH ...     a request with a body, or whose answer comes
 *                                           later; either state may be left out
 *        -> ASKING -> OPEN                  a back end and the other nodes let the client in
 *                  -> FLUSH or LINGER       they do not, or the back end did not decide
 *                  -> (closed)              the client went away meanwhile
 *
 * An idle one costs this struct and its presence; what it borrows while bytes are
 * under way (head, frames, output) goes back to the worker. */
#pragma once

#include "proto/http_head.h"
#include "proto/ws_decoder.h"
#include "proto/ws_handshake.h"
#include "conn/conn_home.h"
#include "io/tcp.h"
#include "route/route.h"
#include "session/directory.h"

enum conn_state {
	CONN_HEAD,    /* reading the request */
	CONN_BODY,    /* reading the request's body */
	CONN_ANSWER,  /* somebody else is about to answer */
	CONN_ASKING,  /* the back end decides, then other nodes; within handshake_timeout */
	CONN_OPEN,    /* a WebSocket */
	CONN_CLOSING, /* our close frame is out; waiting for the client's */
	CONN_FLUSH,   /* closes when the output is with the kernel */
	CONN_LINGER,  /* FIN follows the output; discards input until the client's FIN, so
		       * that a reset cannot overtake our last words */
};

/* A request that arrives in pieces. */
struct head_rx {
	struct http_head head;
	struct buf bytes;
};

/* A message that arrives in pieces, and input that waits because output is stuck. */
struct frame_rx {
	struct ws_decoder decoder;
	struct buf held;
};

/* What a connection wants of the directory. */
struct conn_claim {
	enum directory_policy policy;
	uint8_t missing; /* places that it can only inherit; conn_admit.c */
};

/* An upgrade that waits for the back end's decision or for other nodes' word, and what the
 * client sent behind it. */
struct upgrade_wait {
	uint8_t key[WS_KEY_LEN];
	const char *subprotocol; /* by the route's rules, unless the back end chooses */
	struct buf offered;      /* the client's list */
	struct buf held;
	struct buf groups; /* that the back end puts the client in */
	struct conn_claim claim;
	/* To the other nodes; NULL: not asked yet, or answered. */
	struct takeover_question *question;
};

struct conn {
	struct tcp tcp;
	struct timer timer; /* what it means depends on the state */
	struct conn_home *home;
	union {
		const struct route *route; /* NULL until the upgrade */
		struct uplink *uplink;     /* has_uplink */
	};
	union {
		struct head_rx *head;      /* CONN_HEAD; NULL: nothing arrived yet */
		struct http_later *later;  /* CONN_BODY and CONN_ANSWER */
		struct upgrade_wait *wait; /* CONN_ASKING */
		struct frame_rx *frames;   /* later; NULL: between messages */
	};
	union {
		struct net_ip client;   /* the peer, or whom a trusted proxy speaks for */
		struct session session; /* has_presence: which knows the client too */
	};
	/* In ms of the loop's clock, cut to 32 bits: only differences count. */
	uint32_t heard_ms;    /* last bytes */
	uint32_t message_ms;  /* last whole message; in CONN_HEAD: when accepted, in us */
	uint32_t waiting_ms;  /* since the ping, or since the output is stuck */
	uint32_t progress;    /* of tcp, when last looked at while stuck */
	uint16_t client_port; /* 0: the proxy did not say */
	uint8_t state;        /* enum conn_state */
	uint8_t reason;       /* enum close_reason; the first one counts */
	bool has_reason : 1;
	bool has_eof : 1;           /* the client has finished sending */
	bool has_presence : 1;      /* from the upgrade on */
	bool has_uplink : 1;        /* to an asynchronous back end: from ASKING to the end */
	bool is_counted : 1;        /* in stats.connections */
	bool has_place : 1;         /* in admission */
	bool has_address_place : 1; /* in the service's address_limit */
	bool may_have_proxy : 1;    /* a PROXY header may come before anything else */
	bool is_proxied : 1;        /* `client` is not the other end of the socket */
	bool is_pinged : 1;         /* and nothing was heard since */
	bool is_stalled : 1;        /* not read, because its output queue is full */
	bool is_reserve : 1;        /* sits on the last descriptor */
	bool is_head : 1;           /* the request was a HEAD: no body in the answer */
};

/* What an idle connection may cost (docs/benchmarks.md). */
_Static_assert(sizeof(struct conn) <= 168, "an idle connection");

/* Its first phase begins. NULL: memory is out, and what was accepted is still the caller's. */
struct conn *conn_begin(struct conn_home *home, const struct tcp_accepted *accepted);

/* The gateway is stopping: 1001 for a WebSocket, the end for anything else. */
void conn_drain(struct conn *conn);

/* Cuts it now. */
void conn_abort(struct conn *conn);

/* --- between conn.c, conn_http.c and conn_ws.c --- */

uint32_t conn_now_ms(const struct conn *conn);
void conn_timer_start(struct conn *conn, uint64_t delay_ms);

/* Remembers why the connection ends, unless a reason is known already. */
void conn_set_reason(struct conn *conn, enum close_reason reason);

/* Sets the reason and cuts. */
void conn_cut(struct conn *conn, enum close_reason reason);

/* Sends what is queued and closes; bounded by close_timeout. */
void conn_flush_and_close(struct conn *conn);

/* Sends what is queued, then FIN, and discards input until the client's, if that has
 * not come yet. */
void conn_linger(struct conn *conn);

/* The peer, or whom a trusted proxy speaks for. */
struct net_ip conn_client(const struct conn *conn);

/* "192.0.2.1:1234", for the log. Returns `out`. */
#define CONN_CLIENT_TEXT_MAX (NET_IP_TEXT_MAX + 8)
char *conn_client_text(const struct conn *conn, char out[CONN_CLIENT_TEXT_MAX]);

/* In server.trusted_proxies. */
bool conn_client_is_trusted(const struct conn *conn);

/* A request that is complete, in the bytes it lies in. */
struct conn_request {
	const struct http_head *head;
	const uint8_t *data;
	uint8_t *rest; /* behind the head */
	size_t rest_len;
};

/* conn_reply.c: the answer leaves, and the connection ends. Of a reply the body is
 * freed; `may_have_rest`: the client may have sent more than we have read. */
void conn_answer(struct conn *conn, struct http_reply *reply, bool may_have_rest);

/* The client's own mistake: a problem document with `detail`. */
void conn_reject(struct conn *conn, unsigned status, const char *detail);

/* A limit's: the same with the limit's name and numbers. */
void conn_refuse(struct conn *conn, enum refusal refusal, uint64_t current, uint64_t max);
void conn_refuse_for_descriptors(struct conn *conn);

/* 409: its client is connected, on a route that keeps the oldest. */
void conn_conflict(struct conn *conn);

/* conn_upgrade.c: answers a request for a WebSocket, with 101 or not. */
void conn_upgrade(struct conn *conn, const struct conn_request *request,
		  const struct ws_upgrade *wanted);

/* The connection begins to end: from now on nobody finds it, and its client may come
 * again. Comes before the bytes that tell the client so. Harmless the second time. */
void conn_depart(struct conn *conn);

/* Answers 101 and opens the WebSocket; false: the connection was cut. */
bool conn_upgrade_finish(struct conn *conn, struct slice key, const char *subprotocol);

/* conn_admit.c: a place within the limits, or an answer why not. `conn` has its route and
 * its presence. The caller sets the claim's policy. */
bool conn_reserve(struct conn *conn, struct conn_claim *claim);

/* Then a place in the directory, or an answer why not. */
bool conn_enter(struct conn *conn, const struct conn_claim *claim);

/* After conn_depart: gives back the places that it has of the limits. Harmless if it has
 * none. */
void conn_leave(struct conn *conn);

/* conn_asking.c: an upgrade that waits for others before it is answered. */
struct conn_asking {
	const struct conn_request *request;
	struct slice key;
	const char *subprotocol; /* by the route's rules */
	struct conn_claim claim;
};

/* Has this client to wait for somebody? */
bool conn_must_ask(const struct conn *conn, const struct conn_claim *claim);

/* Asks the route's back end, then the other nodes; the answer to the client comes later, or at
 * once if memory is out or nobody can be asked. */
void conn_ask(struct conn *conn, const struct conn_asking *asking);

/* In CONN_ASKING: the back end lets the client in; it is refused; memory is out. */
void conn_asking_decided(struct conn *conn);
void conn_asking_reject(struct conn *conn, unsigned status, const char *detail);
void conn_asking_no_memory(struct conn *conn);

/* In CONN_ASKING: bytes; the client has gone; the time is over; the gateway is stopping; the
 * end. */
void conn_asking_recv(struct conn *conn, const uint8_t *data, size_t len);
void conn_asking_cancel(struct conn *conn, enum close_reason reason);
void conn_asking_timeout(struct conn *conn);
void conn_asking_drain(struct conn *conn);
void conn_asking_release(struct conn *conn);

/* conn_groups.c: `list` has the names of groups, with commas between. False: it is no good
 * one, and `out_problem` says why. */
bool conn_groups_check(const struct conn *conn, struct slice list, char *out_problem, size_t size);

/* After conn_enter; the list is a good one. False: there is no room for one of them, and the
 * client is answered. */
bool conn_groups_join(struct conn *conn, struct slice list);

/* conn_uplink.c: the road to an asynchronous back end. Asks it whether the client may come
 * in; false: memory is out. */
bool conn_uplink_open(struct conn *conn, const struct conn_request *request);

/* The client is in. Nothing happens if its back end is a synchronous one. */
void conn_uplink_connected(struct conn *conn);

/* session_ops.answered */
void conn_uplink_answered(struct session *session, uint64_t call);

/* The connection begins to end, for its reason; `code` of a close frame, 0: the reason's. */
void conn_uplink_close(struct conn *conn, uint16_t code);

/* Does the back end take nothing more for now? */
static inline bool conn_is_held_up(const struct conn *conn)
{
	return conn->has_uplink && conn->uplink->is_full;
}

/* The route that it was upgraded on, or is to be. */
const struct route *conn_route(const struct conn *conn);

/* conn_http.c: bytes in CONN_HEAD; the handshake timeout. */
void conn_http_recv(struct conn *conn, uint8_t *data, size_t len);
void conn_http_timeout(struct conn *conn);
void conn_http_drain(struct conn *conn);
void conn_http_release(struct conn *conn);

/* What a handler is asked, with an empty body. */
struct http_request conn_http_ask(struct conn *conn, const struct http_head *head,
				  const uint8_t *data);

/* conn_later.c: a request that outlives the callback it came in, because its body follows
 * or its answer comes later. conn_later_begin: false if there is no body to be read, true
 * if it is read now, or refused; the others are for CONN_BODY and CONN_ANSWER. */
bool conn_later_begin(struct conn *conn, const struct conn_request *request);
void conn_later_recv(struct conn *conn, const uint8_t *data, size_t len);
void conn_later_timeout(struct conn *conn);
void conn_later_release(struct conn *conn);

/* conn_ws.c: the upgrade is answered; bytes in CONN_OPEN and CONN_CLOSING; the output
 * is with the kernel; the end of the client's stream. */
void conn_ws_start(struct conn *conn);
void conn_ws_recv(struct conn *conn, uint8_t *data, size_t len);
void conn_ws_drained(struct conn *conn);
/* The back end takes messages again. */
void conn_ws_resume(struct conn *conn);
void conn_ws_release(struct conn *conn);
int conn_ws_ping(struct conn *conn); /* 0 or -ENOMEM */

/* conn_ws_timers.c: the timer has fired; what it waits for may have changed. */
void conn_ws_timeout(struct conn *conn);
void conn_ws_schedule(struct conn *conn);
/* From now on the client is waited for: it must take something, or answer. */
void conn_ws_start_waiting(struct conn *conn);

/* conn_push.c: session_push, the same with the frame of a whole message, of which the queue
 * keeps a reference, and session_queued. */
int conn_push_message(struct session *session, const struct message *message);
int conn_push_frame(struct conn *conn, struct shared_bytes *frame);
size_t conn_queued(const struct session *session);

/* Sends a close frame with the reason's code and waits for the client's. */
void conn_ws_close(struct conn *conn, enum close_reason reason);

/* Sends a close frame with the reason's code and takes nothing more. */
void conn_ws_fail(struct conn *conn, enum close_reason reason);
