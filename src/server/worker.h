/* SPDX-License-Identifier: Apache-2.0
 * worker.h - one thread, one loop, its listening sockets, and its connections.
 *
 * Layer: server. Everything in a worker but its stats and its mailbox belongs to its
 * thread; others reach it through worker_drain, worker_abort and the mailbox. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "conn/conn_home.h"
#include "io/tcp_tls.h"
#include "server/announce.h"
#include "server/drain_pace.h"
#include "server/handover_intake.h"
#include "server/stillness.h"

struct tls_holder;
struct worker;

/* Told by each worker's thread; `arg` is the caller's. */
struct worker_events {
	/* It listens: before on_started, or, of one that starts still, after worker_open. */
	void (*on_listening)(void *arg, struct worker *worker);
	void (*on_started)(void *arg, struct worker *worker); /* its loop is about to run */
	void (*on_drain)(void *arg, struct worker *worker);   /* it stops; may be NULL */
	void (*on_rules)(void *arg, uint64_t number);         /* those in force from now on */
	/* The thread is about to end; `error` is 0 or why it could not start. */
	void (*on_end)(void *arg, int error);
	void *arg;
};

/* Something that the worker listens on. The memory is its owner's, who fills `tls`, `fd`, `owner`,
 * `place` and the callback; from when it is given to the worker until on_gone all but `tls` belongs
 * to the worker. */
struct worker_door {
	struct tls_holder
		*tls; /* the newest context; NULL, or without one: clients speak in clear */
	int fd;       /* -1: the listener has it */
	void *owner;
	unsigned place; /* of what is counted of it (conn/listener_stats.h) */
	/* In the worker's thread, after worker_door_remove: it is not used any more. Unless the
	 * worker ends before. */
	void (*on_gone)(struct worker_door *door);
	struct worker *worker;
	struct list_node node; /* in the worker's doors */
	struct loop_task task;
	struct listener listener;
	struct timer leave_timer; /* until nobody waits */
	uint64_t leave_by_ns;
	unsigned quiet_looks;
	bool is_open;
	bool is_leaving;
};

/* [bytes] As the kernel has it, with the NUL. */
#define WORKER_NAME_MAX 16

struct worker_options {
	char name[WORKER_NAME_MAX]; /* of its thread */
	size_t index;               /* among the workers; the admin's is behind them */
	struct service *service;
	struct loop_options loop;
	struct worker_events events;
	/* The list is copied. The descriptors are the worker's from worker_start on, also on
	 * failure. */
	struct worker_door **doors;
	size_t door_count;
	struct tls_limits tls; /* this worker's share */
	struct drain *drain;   /* NULL: nobody is let go here */
	bool starts_still;     /* its loop runs, and its doors are opened, from worker_open on */
};

/* How much a worker has to do; written by its thread, for any to read. */
struct worker_load {
	struct durations lags; /* in buckets of durations_short_us */
	int64_t cpu_clock;     /* atomic: of the thread; 0: it does not run */
	uint64_t busy_ns;      /* atomic: while it does not run */
};

struct worker {
	struct worker_options options;
	struct worker_load load;
	struct tls_stats tls; /* of its loop */
	struct loop *loop;
	void (*on_door_closed)(struct worker *worker);
	struct list_node doors;  /* those that are open, of struct worker_door */
	struct list_node shares; /* of broadcasts, in the order in which they came */
	struct loop_task shares_task;
	struct announce announce;
	struct drain_pace pace;
	bool is_ending;
	bool is_closing;  /* the listeners close, or have */
	bool has_retired; /* its doors are another process's */
	struct still_worker still;
	struct handover_desk desk; /* of one that starts still */
	bool is_opened;            /* atomic: the doors, too */
	struct loop_task retire_task;
	bool ends_retired;
	struct loop_task drain_task;
	struct loop_task close_task;
	struct timer leave_timer; /* until those of other workers have left too */
	struct loop_task abort_task;
	struct loop_task rules_task;
	struct ruleset *next_rules; /* atomic: to change over to; NULL: the task is not posted */
	pthread_t thread;
	struct conn_home home;
};

/* Makes the worker and its thread. NULL: out of memory or threads, errno tells. The
 * rest, good or bad, comes through the events. */
struct worker *worker_start(const struct worker_options *options);

/* From any thread, while the worker runs: it listens on one more; the descriptor is the worker's.
 */
void worker_door_add(struct worker *worker, struct worker_door *door);

/* From any thread, at most once: those who wait are let in, nobody else is; then on_gone comes.
 * Whoever came by it stays. */
void worker_door_remove(struct worker_door *door);

/* From any thread, once, of one that started still: it takes those who come, and what was brought
 * to it goes on. */
void worker_open(struct worker *worker);

/* From any thread, at most once: another process has its doors. It closes them, and, if it `ends`,
 * does that when the last connection has gone by itself. worker_drain may follow. */
void worker_retire(struct worker *worker, bool ends);

/* From any thread, each at most once: stop accepting, close every connection with
 * 1001, and end the thread when the last one is gone. */
void worker_drain(struct worker *worker);

/* From any thread, at most once, after worker_drain: cut what is left. */
void worker_abort(struct worker *worker);

/* From any thread, while it listens: between two turns it changes over to these rules, of which it
 * takes a reference; of several that come meanwhile to the newest alone. */
void worker_change_rules(struct worker *worker, struct ruleset *ruleset);

/* Waits for the thread's end; its stats can still be read. NULL is fine. */
void worker_join(struct worker *worker);

/* After worker_join. NULL is fine. */
void worker_destroy(struct worker **worker);

/* From any thread: CPU time of the worker's thread so far. */
uint64_t worker_busy_ns(const struct worker *worker);

/* In its thread: a share of a broadcast has ended, or a door. The last thing to end of a worker
 * that drains ends its loop. */
void worker_part_gone(struct worker *worker);

/* worker_door.c, in its thread: it listens there, or a negative errno; all that it listens on
 * closes. */
int worker_door_open(struct worker *worker, struct worker_door *door);
void worker_doors_close(struct worker *worker);
