/* SPDX-License-Identifier: Apache-2.0
 * worker.h - one thread, one loop, one listening socket, and its connections.
 *
 * Layer: server. Everything in a worker but its stats and its mailbox belongs to its
 * thread; others reach it through worker_drain, worker_abort and the mailbox. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/random.h"
#include "config/config.h"
#include "fleet/client.h"
#include "io/tcp.h"
#include "proto/http_head.h"
#include "route/route.h"
#include "conn/accept_rate.h"
#include "conn/address_limit.h"
#include "conn/admission.h"
#include "conn/claims.h"
#include "http/http_reply.h"
#include "conn/stats.h"
#include "conn/conn_walk.h"
#include "session/directory.h"

/* What a listener offers, and by which rules: shared by its workers. Read-only but
 * for the atomics. */
struct service {
	const struct config_server *limits;
	const struct route_table *routes; /* NULL: no WebSockets here */
	struct http_handler handler;
	struct admission *admission;
	struct address_limit *address_limit; /* NULL: none */
	struct directory *directory;
	struct fleet *fleet; /* NULL: no clients here */
	struct accept_rate accept_rate;
	uint64_t worker_connections; /* at most, per worker */
	uint64_t nofile;             /* the soft limit on descriptors */
	uint64_t max_body;           /* [bytes] of a request, if the handler wants bodies */
	uint64_t max_calls;          /* requests with a body or a later answer, at most */
	/* What a client is told when admission is full: max_connections if it was
	 * configured, else the limit of the machine that it was taken from. */
	enum refusal full;
	char node[64];    /* this host's name */
	bool is_draining; /* atomic */
	bool is_ready;    /* atomic: all workers listen */
	struct log_gate refusal_gates[REFUSAL_COUNT];
	struct log_gate rejection_gate;
	struct log_gate conflict_gate;
	struct log_gate accept_gate;
	struct log_gate backend_gate;
	struct log_gate fan_out_gate;
};

struct conn;
struct worker;

/* Told by each worker's thread; `arg` is the caller's. */
struct worker_events {
	void (*on_listening)(void *arg, struct worker *worker);
	void (*on_drain)(void *arg, struct worker *worker); /* it stops; may be NULL */
	/* The thread is about to end; `error` is 0 or why it could not start. */
	void (*on_end)(void *arg, int error);
	void *arg;
};

struct worker_options {
	struct service *service;
	struct loop_options loop;
	struct worker_events events;
	int listen_fd; /* owned by the worker from worker_start on, also on failure */
};

/* What a connection borrows while a request or a message is under way. */
struct head_rx;
struct frame_rx;

struct worker {
	struct worker_options options;
	struct service *service;
	struct loop *loop;
	struct listener listener;
	struct pool conns;
	struct pool heads;
	struct pool frames;
	struct frame_rx *spare_frames; /* ready for the next connection that needs one */
	struct list_node conn_list;
	struct list_node walks;   /* struct conn_walk under way */
	struct list_node uplinks; /* also those whose connection has ended */
	struct list_node shares;  /* of broadcasts, in the order in which they came */
	struct loop_task shares_task;
	struct fleet_home home;
	struct claims claims;
	struct random_source random;
	struct http_head head;  /* for requests that arrive whole */
	uint64_t calls;         /* struct http_later in use; for others to read, as stats */
	uint64_t calls_refused; /* because max_calls were */
	bool has_listener;
	bool is_ending;
	struct loop_task drain_task;
	struct loop_task abort_task;
	struct mailbox mailbox; /* for tasks to its connections, through their presences */
	pthread_t thread;
	struct stats stats; /* written by this thread only; last: on cache lines of its own */
};

/* Makes the worker and its thread. NULL: out of memory or threads, errno tells. The
 * rest, good or bad, comes through the events. */
struct worker *worker_start(const struct worker_options *options);

/* From any thread, each at most once: stop accepting, close every connection with
 * 1001, and end the thread when the last one is gone. */
void worker_drain(struct worker *worker);

/* From any thread, at most once, after worker_drain: cut what is left. */
void worker_abort(struct worker *worker);

/* Waits for the thread's end; its stats can still be read. NULL is fine. */
void worker_join(struct worker *worker);

/* After worker_join. NULL is fine. */
void worker_destroy(struct worker **worker);

/* For connections: takes one out of conn_list. */
void worker_conn_remove(struct worker *worker, struct list_node *conn);

/* For connections and uplinks: one has gone; the last one of a draining worker ends it. */
void worker_conn_gone(struct worker *worker);
