/* SPDX-License-Identifier: Apache-2.0
 * backend.h - what a back end is to a route.
 *
 * Layer: route. One back end serves all workers at once: its functions run in the thread of
 * the session's worker.
 *
 * A synchronous back end deals with each message at once (on_message) and keeps nothing of a
 * client. An asynchronous one has an uplink for each client: opened before the client is
 * answered, because the back end decides whether it may come in; told of every message; closed
 * when the connection begins to end. It then lives on by itself until the back end knows. */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "base/random.h"
#include "io/loop.h"
#include "session/session.h"

struct state_writer;
struct actions;
struct uplink;
struct backend;
struct route;
struct tcp_tls_facts;

/* A client that wants to come in. */
struct uplink_request {
	struct presence *presence;       /* has its connection_id already */
	struct slice head;               /* the upgrade request, with its empty line; lent */
	const struct tcp_tls_facts *tls; /* NULL: without, as far as is known; lent */
	/* Of `head`, as they came; may be empty; lent. */
	struct slice path, query, origin;
	struct slice traceparent; /* good ones (event.h), or empty; lent */
	struct slice tracestate;
	struct loop *loop;            /* of the worker */
	struct random_source *random; /* of the worker; outlives the uplink */
	uint64_t deadline_ns;         /* of clock_now_ns: the decision must be there by then */
};

/* Why a connection ended. */
struct uplink_end {
	const char *reason; /* of close_table.h or the like; static text */
	uint16_t code;      /* of the close frame; 0: none */
};

/* The Content-Type of an answer that is a list of actions. */
#define UPLINK_ACTIONS_TYPE "application/vnd.gatehouse.actions+json"

/* Lent. */
struct uplink_acceptance {
	struct slice subprotocol; /* the back end's choice; data NULL: it made none */
	struct slice groups;      /* to put the client in, with commas between; may be empty */
	/* Of the fields Gatehouse-Client-Id and Gatehouse-Attributes, as they are; data NULL: they
	 * were not there. */
	struct slice client_id, attributes;
	struct slice actions; /* for when it is in: the body, if it is a list of them */
};

struct uplink_refusal {
	uint32_t status; /* 4xx or 5xx, of the back end */
	/* Fields of the answer, as the back end wrote them; may be empty; lent. */
	struct slice content_type;
	struct slice www_authenticate;
	struct slice retry_after;
	struct slice body; /* lent */
};

/* NO_SOCKET: that is our own trouble, not the back end's. */
enum uplink_failure { UPLINK_DOWN, UPLINK_BROKEN, UPLINK_LATE, UPLINK_NO_SOCKET };

/* What an uplink tells its owner. All in the worker's thread, and never from inside a
 * function of struct uplink_ops. After a call marked with (end) the uplink has closed itself:
 * the owner forgets it and does not close it. None but on_trouble and on_gone comes
 * after close. */
struct uplink_handler {
	/* The client may come in. The owner answers the client, then calls connected or close. */
	void (*on_accepted)(struct uplink *uplink, const struct uplink_acceptance *accepted);
	/* (end) It may not. */
	void (*on_refused)(struct uplink *uplink, const struct uplink_refusal *refusal);
	/* (end) Nobody decided; `detail` says why. */
	void (*on_undecided)(struct uplink *uplink, enum uplink_failure failure,
			     const char *detail);
	/* For the client. is_text: the back end calls it text, but it may be no UTF-8. */
	void (*on_message)(struct uplink *uplink, const struct message *message);
	/* A list of actions for the client (fleet/actions/actions.h): read, and nothing of it done.
	 * NULL: it is none, and `problem` says why. */
	struct actions *(*read_actions)(const struct uplink *uplink, struct slice json,
					char *problem, size_t size);
	/* Does them; the list is its own. */
	void (*on_actions)(struct uplink *uplink, struct actions *actions);
	/* May more be sent to the client now? If not, `resume` is called once it may. */
	bool (*may_send)(const struct uplink *uplink);
	/* is_full has become false. */
	void (*on_room)(struct uplink *uplink);
	/* The back end does not take what the client sends, and is not to be waited for: the
	 * owner closes the connection, and with it the uplink. */
	void (*on_down)(struct uplink *uplink);
	/* For the log; also after close. `what` is static text. */
	void (*on_trouble)(const struct uplink *uplink, const char *what, const char *detail);
	/* The uplink is about to be freed. */
	void (*on_gone)(struct uplink *uplink);
};

/* What waits for a back end, of all its clients, and how much may before no more come in.
 * Both in bytes. */
struct backend_pending {
	uint64_t bytes;
	uint64_t max;
};

/* The part that all kinds have. */
struct uplink {
	const struct backend *backend;
	const struct uplink_handler *handler;
	void *owner;               /* NULL: closed */
	void *home;                /* the owner's; stays after close */
	const struct route *route; /* likewise; the owner holds its ruleset until on_gone */
	struct list_node node;     /* the worker's */
	bool is_full;              /* queue_max bytes wait: take nothing more from the client */
};

struct uplink_ops {
	/* Asks the back end whether the client may come in. NULL: memory is out. The caller
	 * fills the rest of struct uplink right after it. */
	struct uplink *(*open)(const struct backend *backend, const struct uplink_request *request);
	/* After on_accepted: the client is in, with this presence. */
	void (*connected)(struct uplink *uplink, struct presence *presence);
	/* Takes one message, also if is_full. 0 or -ENOMEM. */
	int (*message)(struct uplink *uplink, const struct message *message);
	void (*resume)(struct uplink *uplink);
	/* The client has been sent the answer to this call (struct message), and may make the
	 * next. is_full may become false. */
	void (*answered)(struct uplink *uplink, uint64_t call);
	/* The connection begins to end. What waits is still delivered, and then the end. */
	void (*close)(struct uplink *uplink, const struct uplink_end *end);
	/* After close: drops what waits. */
	void (*abort)(struct uplink *uplink);
	/* Of its client, as the back end knows it; also after close. */
	const struct presence *(*presence)(const struct uplink *uplink);
	/* [bytes] of payload memory that wait in it. */
	size_t (*held)(const struct uplink *uplink);
	/* Memory is scarce, and the owner is about to close: drops the messages that wait, but
	 * not one that is under way. */
	void (*shed)(struct uplink *uplink);
	/* Is an event under way, or is one to be answered? NULL: never. */
	bool (*is_busy)(const struct uplink *uplink);

	/* For a handover to another process; its owner does not ask for anything meanwhile.
	 * Changes nothing. 0; -EBUSY: its client was not let in yet; or the writer's error. */
	int (*export)(const struct uplink *uplink, struct state_writer *out);
	/* As open, of a client that is in, from what export wrote; empty: it has had no uplink.
	 * Of the request only presence, loop and random count. Asks nobody, and begins nothing
	 * before thaw. NULL: memory is out, or that is not to be understood. */
	struct uplink *(*import)(const struct backend *backend,
				 const struct uplink_request *request, struct slice state);
	void (*thaw)(struct uplink *uplink);
	/* After export, the other process has the client: as close, but the back end is told
	 * nothing. What is under way ends, for the other process to hear. */
	void (*forget)(struct uplink *uplink);

	/* From any thread. */
	struct backend_pending (*pending)(const struct backend *backend);
};

struct backend {
	const char *name;
	const struct uplink_ops *ops; /* NULL: synchronous */
	/* Synchronous only: takes one message from a client. 0, or a negative errno: then the
	 * connection is closed with 1011. */
	int (*on_message)(const struct backend *backend, struct session *session,
			  const struct message *message);
};

/* Sends every message back to its client. */
extern const struct backend backend_echo;
