/* SPDX-License-Identifier: Apache-2.0
 * session.h - a connected client, as back ends see it.
 *
 * Layer: session (may include base/, io/ and config/ only). A session lives inside a connection,
 * in its worker's thread. Other threads know its presence and reach it by that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "session/presence.h"

/* What a message of a client is on a route that knows calls (routes[].rpc).
 * X(NAME, label); a NULL label: nothing is to be said of it. */
#define MESSAGE_MARK_TABLE(X)                                                              \
	X(PLAIN, NULL)            /* the client's own call, or on a route without calls */ \
	X(LATE, "late")           /* the answer to a call that was given up */             \
	X(UNKNOWN, "unknown")     /* an answer, but to no call that waits */               \
	X(MALFORMED, "malformed") /* not of the route's framing */

#define MESSAGE_MARK_ENUM(NAME, label) MESSAGE_##NAME,
enum message_mark { MESSAGE_MARK_TABLE(MESSAGE_MARK_ENUM) MESSAGE_MARK_COUNT };

static inline const char *message_mark_label(enum message_mark mark)
{
#define MESSAGE_MARK_LABEL(NAME, label) label,
	static const char *const labels[] = {MESSAGE_MARK_TABLE(MESSAGE_MARK_LABEL)};

	return labels[mark];
}

/* One whole message, from a client or to one. */
struct message {
	bool is_text;
	enum message_mark mark; /* from a client */
	/* From a client that may have one call open only (OCPP-J): stands for the id of its
	 * call. 0: it is none. */
	uint64_t call;
	struct slice bytes; /* lent for the length of the call */
	/* From a client: the same as it came, compressed, for whoever sends it back as it is.
	 * `data` is NULL: it came plain. */
	struct slice deflated;
	bool stays_plain; /* to a client: it is not to be compressed */
};

/* Of permessage-deflate, as agreed on with a client: `out` is what it is sent. */
struct session_compression {
	unsigned out_bits, in_bits; /* of the windows */
	bool keeps_out, keeps_in;   /* messages may refer to those before */
};

/* Of TLS between the client and the gateway: static texts. */
struct session_tls {
	const char *version; /* "TLSv1.3" */
	const char *suite;   /* as IANA names it */
};

/* What became of a token that was shown for a client that is connected. */
struct session_renewal {
	uint64_t expires_at_s; /* renewed: the new end */
	const char *reason;    /* not: a word for programs; static text */
	const char *detail;    /* not: for people; static text */
};

struct client;
struct fleet_home;
struct session;

struct session_ops {
	/* Queues a message to the client. 0; -ENOMEM; -EPIPE if the connection is
	 * closing. */
	int (*send)(struct session *session, const struct message *message);
	/* Queues a message that the client did not ask for. 0; -ENOMEM; -EPIPE as above;
	 * -ENOBUFS: with it more than send_queue_max bytes would wait, and the connection
	 * is cut as a slow reader. One message alone always fits. */
	int (*push)(struct session *session, const struct message *message);
	/* Begins the closing handshake with a code that a server may send and a reason of
	 * at most 123 bytes of UTF-8. 0; -EPIPE if it is closing already. */
	int (*close)(struct session *session, uint16_t code, const char *reason);
	/* [bytes] that wait for the client in the gateway. */
	size_t (*queued)(const struct session *session);
	/* Is it not read for now, because it sends more than it may? */
	bool (*is_held_back)(const struct session *session);
	/* False: none was agreed on. */
	bool (*compression)(const struct session *session, struct session_compression *out);
	/* False: it came in clear, as far as the gateway knows. */
	bool (*tls)(const struct session *session, struct session_tls *out);
	/* The fleet's part of its worker. */
	struct fleet_home *(*home)(struct session *session);
	/* The client has been sent the answer to this call of its own. */
	void (*answered)(struct session *session, uint64_t call);
	/* A newer connection of the same client is there: closes this one. */
	void (*taken_over)(struct session *session);
	/* It is kept out for so many seconds from now on: closes it. */
	void (*blocked)(struct session *session, unsigned seconds);
	/* The time of what it has proved is over: closes it. */
	void (*expired)(struct session *session);
	/* Another token of this client: if it proves the same as the one before, its end counts
	 * from now on. 0; -EACCES: it does not; -EAGAIN: that cannot be told now. */
	int (*renew)(struct session *session, struct slice token,
		     struct session_renewal *out_renewal);
};

struct session {
	const struct session_ops *ops;
	struct presence *presence; /* a reference; route, client id and the other facts */
	struct client *client;     /* the fleet's; NULL: it keeps nothing of it */
};

static inline const struct config_route *session_route(const struct session *session)
{
	return session->presence->route->config;
}

static inline int session_send(struct session *session, const struct message *message)
{
	return session->ops->send(session, message);
}

static inline int session_push(struct session *session, const struct message *message)
{
	return session->ops->push(session, message);
}

static inline int session_close(struct session *session, uint16_t code, const char *reason)
{
	return session->ops->close(session, code, reason);
}

static inline size_t session_queued(const struct session *session)
{
	return session->ops->queued(session);
}
