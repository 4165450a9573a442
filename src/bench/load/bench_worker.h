/* SPDX-License-Identifier: Apache-2.0
 * bench_worker.h - one thread of the load test: a loop and its share of the
 * connections.
 *
 * Layer: bench. The main thread drives it through the functions here; everything
 * else belongs to the worker's thread. Phases: connect (the ramp), hold (messages
 * flow), close. */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/random.h"
#include "bench/client/bench_conn.h"
#include "bench/client/bench_handshake.h"
#include "bench/load/bench_options.h"
#include "bench/client/bench_packing.h"
#include "bench/client/bench_payload.h"
#include "bench/client/bench_proof.h"
#include "bench/load/bench_schedule.h"
#include "bench/client/bench_receipt.h"
#include "bench/client/bench_return.h"
#include "bench/judge/bench_stats.h"
#include "tls/tls_context.h"

/* Where connections go: they are dealt out over all nodes. */
struct bench_node {
	const struct bench_url *url; /* of the options */
	struct net_addr remote;
};

/* What all workers share and none writes. */
struct bench_setup {
	const struct bench_options *options;
	unsigned node_count;
	struct bench_node nodes[BENCH_NODES_MAX]; /* the first is that of the URL */
	struct bench_sources sources;
	struct net_addr ticket_remote; /* --ticket-url */
	struct bench_sources ticket_sources;
	struct bench_payload payload;
	struct bench_proof proof;
	struct tls_context *tls; /* for wss and https; NULL: no URL is one */
	enum loop_engine engine;
	unsigned workers;
	uint64_t sockets_max; /* of one worker, by its descriptor table */
	/* Handshakes of one worker: with io_uring a socket is in the process's table too,
	 * from its creation until its ring has it. */
	uint64_t in_flight_max;
	uint64_t start_ns; /* of connecting; set before the workers begin */
};

enum bench_phase { BENCH_IDLE, BENCH_CONNECT, BENCH_HOLD, BENCH_CLOSE };

struct bench_worker {
	const struct bench_setup *setup;
	struct loop *loop;
	unsigned index;

	struct bench_conn *conns;
	struct ssl_session_st **sessions; /* the last of each; NULL without --tls-resume */
	struct ssl_session_st *session;   /* the first of any; NULL: none yet */
	struct bench_receipt *receipts;   /* one for each connection; NULL without --receive */
	struct bench_return *returns;     /* likewise; NULL without --reconnect, --at-least-once */
	uint32_t count;
	uint64_t first_number;
	uint32_t started;          /* connections begun, in the order of their numbers */
	uint32_t in_progress;      /* connections between start and open or failed */
	uint32_t live;             /* streams that the loop knows */
	uint64_t in_flight;        /* messages sent and not yet echoed */
	uint32_t replacing;        /* connections retired and not yet open again */
	uint32_t closing;          /* at the end: closing handshakes under way */
	uint32_t closing_max;      /* how many may be */
	uint32_t handshakes_max;   /* how many may be in progress */
	_Atomic uint32_t released; /* how many may start; the main thread's to raise */

	enum bench_phase phase;
	bool is_starting; /* inside the loop that starts connections */
	uint64_t cursor;  /* next event of the phase: message, connection to close, ... */
	uint32_t sweep_at;
	uint32_t slow_at;    /* next of the connections that may be slow readers */
	uint32_t restart_at; /* next of the connections that were cut and come back */
	uint64_t cut_ns;     /* 0: not yet, or never */
	struct bench_pace connect_pace;
	struct bench_pace message_pace;
	uint64_t hold_start_ns, traffic_end_ns, hold_end_ns;
	uint64_t last_connected_ns;                   /* of those that were up first; 0: none */
	uint64_t close_start_ns;                      /* 0: not yet */
	uint64_t first_received_ns, last_received_ns; /* --receive; 0: nothing came */
	uint64_t hold_cpu_ns;
	struct timer pace_timer;
	struct timer sweep_timer;

	struct random_source random;
	struct bench_handshake *free_handshakes;
	struct pool decoders;
	struct ws_decoder *spare_decoder; /* idle, or NULL */
	char request[BENCH_REQUEST_MAX];

	struct bench_packing packing; /* --compression */
	struct bench_counters counters;
	uint64_t lowest_failed; /* its number; 0: none failed */
	struct bench_causes causes;
	struct bench_causes slow_ends;
	struct bench_causes interruptions;   /* --reconnect */
	struct hist handshake;               /* [ns] */
	struct hist steps[BENCH_STEP_COUNT]; /* [ns] */
	const char *tls_version, *tls_suite; /* of the last; static text; NULL: none */
	struct hist echo;                    /* [ns] */
	/* The same, to be read by the main thread at any time. */
	struct bench_latency live_handshake, live_echo;

	pthread_t thread;
	sem_t is_up;
	int error;                   /* of the start; valid after is_up */
	atomic_bool has_named_limit; /* a refusal named one: the server is a gateway of ours */
	atomic_bool has_ended;       /* all connections are gone */
	struct loop_task begin_task, hold_task, stop_task, quit_task;
};

/* --- main thread --- */

/* Starts the thread and waits for its loop. Returns 0 and a worker to be destroyed,
 * or a negative errno. */
int bench_worker_create(const struct bench_setup *setup, unsigned index,
			struct bench_worker **out_worker);

/* Each once, in this order; stop may come early and instead of the others. */
void bench_worker_begin(struct bench_worker *worker);
void bench_worker_hold(struct bench_worker *worker, uint64_t start_ns);
void bench_worker_stop(struct bench_worker *worker);

/* With --batch: lets the first `count` of its connections start, if that is more than
 * before; returns how many may. Without, all may. */
uint32_t bench_worker_release(struct bench_worker *worker, uint32_t count);

static inline bool bench_worker_has_ended(const struct bench_worker *worker)
{
	return atomic_load_explicit(&worker->has_ended, memory_order_acquire);
}

/* Ends the thread of a worker that has ended; then its results may be read. */
void bench_worker_join(struct bench_worker *worker);
/* Connections that were held, though one that began before them failed. */
uint64_t bench_worker_held_late(const struct bench_worker *worker);

void bench_worker_destroy(struct bench_worker **worker);

/* --- for its connections, in its thread --- */

struct bench_handshake *bench_worker_handshake_get(struct bench_worker *worker);
void bench_worker_handshake_put(struct bench_worker *worker, struct bench_handshake *handshake);

/* To resume with, lent: its own last, or where none comes a second time the first of any; NULL:
 * none. And keeps what there is now. */
struct ssl_session_st *bench_worker_session(const struct bench_conn *conn);
void bench_worker_session_keep(struct bench_conn *conn);

/* NULL if memory is out. A decoder comes back idle or not. */
struct ws_decoder *bench_worker_decoder_get(struct bench_worker *worker);
void bench_worker_decoder_put(struct bench_worker *worker, struct ws_decoder *decoder);

/* Since the start of the test. */
double bench_worker_seconds(const struct bench_worker *worker);

/* A connection has become open or has failed. */
void bench_worker_resolved(struct bench_worker *worker);

/* A stream is closed for good. */
void bench_worker_gone(struct bench_worker *worker);

/* At the end: a close frame was not answered in time. */
void bench_worker_close_late(struct bench_worker *worker);
