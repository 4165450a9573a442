/* SPDX-License-Identifier: Apache-2.0
 * loop.h - an event loop in completion shape, with two engines.
 *
 * Layer: io (may include base/ and tls/). One loop belongs to one thread: the one
 * that called loop_create, and only it may call anything here but loop_post.
 * The engines are io_uring (natural) and epoll (emulates completions); the caller
 * cannot tell them apart. Callbacks run from loop_run only, never from inside the
 * call that asked for them.
 *
 * A turn of loop_run: completions (connections accepted, bytes received, sends
 * finished) and posted tasks; due timers; then everything that the turn queued for
 * a connection leaves in one send; then objects that are closed are handed back.
 *
 * What a turn does is bounded, and streams that have bytes are read in turn, a share
 * each: nobody waits for longer than one share of each of the others takes.
 *
 * A timer fires only when all that lay in the sockets at the time it stands for has
 * been handed out: who was heard in time is not judged by when we came to listen. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum loop_engine {
	LOOP_ENGINE_AUTO, /* for loop_engine_choose only */
	LOOP_ENGINE_IO_URING,
	LOOP_ENGINE_EPOLL,
};

struct durations;
struct loop;
struct tls_stats;

struct loop_options {
	enum loop_engine engine; /* not AUTO */
	/* io_uring: size of the table of direct descriptors, in sockets; at most
	 * the soft RLIMIT_NOFILE. epoll ignores it. */
	uint32_t max_sockets;
	/* Where to count how long what is ready waits until it is dealt with, in buckets of
	 * durations_short_us; outlives the loop; may be NULL. */
	struct durations *lags;
	/* Where to count what becomes of sealed streams (tcp_tls.h); outlives the loop; NULL: the
	 * loop counts for itself. */
	struct tls_stats *tls;
};

const char *loop_engine_name(enum loop_engine engine);

/* Resolves AUTO: io_uring where a trial ring with all that we need can be made,
 * else epoll. Returns 0 and fills *out_engine and *out_reason (static text, for
 * the log), or a negative errno if the wanted engine cannot run here. */
int loop_engine_choose(enum loop_engine wanted, enum loop_engine *out_engine,
		       const char **out_reason);

/* Returns 0, or a negative errno: -ENOMEM, -EMFILE, -EPERM, -ENOSYS, -EINVAL. */
int loop_create(const struct loop_options *options, struct loop **out_loop);

/* Every listener, tcp and watch must be closed and reported closed before. NULL
 * is fine. */
void loop_destroy(struct loop **loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Monotonic ns, read once per turn. It stands still from the moment that a timer is due
 * until all that lay in the sockets then is handed out, and the timer has fired. */
uint64_t loop_now(const struct loop *loop);

/* Frees the output buffers that are kept for later. */
void loop_trim(struct loop *loop);

/* --- timers: a wheel of 1 ms ticks; starting and stopping cost O(1) --- */

struct timer {
	struct list_node node;
	uint64_t expires_at; /* [tick] */
	void (*on_expire)(struct timer *timer);
};

void loop_timer_init(struct timer *timer, void (*on_expire)(struct timer *timer));

/* Fires once, not before `delay_ns` from loop_now; a running timer is moved. */
void loop_timer_start(struct loop *loop, struct timer *timer, uint64_t delay_ns);

/* Harmless on a timer that is not running. */
void loop_timer_stop(struct loop *loop, struct timer *timer);
bool loop_timer_is_running(const struct timer *timer);

/* --- the one road between threads --- */

struct loop_task {
	struct loop_task *next;
	void (*run)(struct loop_task *task);
};

/* Runs task->run in the loop's thread, in the order posted. The caller keeps the
 * task alive until it runs, and sees to it that the loop is not destroyed
 * meanwhile. Safe from every thread. */
void loop_post(struct loop *loop, struct loop_task *task);

/* --- foreign descriptors (signalfd, libcurl, ...) --- */

enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };

struct watch {
	struct loop *loop;
	void (*on_ready)(struct watch *watch, unsigned events); /* LOOP_READABLE | ... */
	void (*on_closed)(struct watch *watch);                 /* may be NULL */
	struct watch *next_closed;
	int fd;
	unsigned events;
	bool is_armed; /* the engine waits for it */
	bool is_closing;
};

/* Watches `fd` (the caller's; it stays open) for `events`, level-triggered: told
 * again while it stays ready. The caller fills on_ready and on_closed before. */
int watch_open(struct watch *watch, struct loop *loop, int fd, unsigned events);

/* on_closed comes later, once; only then may the memory go. */
void watch_close(struct watch *watch);
