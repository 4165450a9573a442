/* SPDX-License-Identifier: Apache-2.0
 * loop_private.h - what loop.c, loop_still.c, tcp.c, listener.c and the two engines share.
 *
 * Layer: io; only files of io/ include it. An engine fills in a struct engine and
 * embeds struct loop at the head of its own state. */
#pragma once

#include <sys/eventfd.h>

#include "base/check.h"
#include "base/durations.h"
#include "io/loop.h"
#include "io/outbuf.h"
#include "io/tcp.h"
#include "io/tcp_tls.h"
#include "io/timer_wheel.h"

struct seals;

enum {
	STREAM_READING = 1 << 0,    /* the owner wants bytes */
	STREAM_QUEUED = 1 << 1,     /* in loop->queued */
	STREAM_CONNECTING = 1 << 2, /* outgoing, not connected yet */
	STREAM_CLOSING = 1 << 3,    /* tcp_close was called */
	STREAM_CLOSED = 1 << 4,     /* in loop->closed */
	STREAM_EOF = 1 << 5,        /* the peer has finished, or receiving failed */
	STREAM_SHUT_WANTED = 1 << 6,
	STREAM_SHUT_DONE = 1 << 7,
	STREAM_FAILED = 1 << 8,  /* sending failed: queue nothing more */
	STREAM_RESERVE = 1 << 9, /* holds the last descriptor */
	STREAM_HANGUP = 1 << 10, /* read to the end, a short read proves nothing */

	STREAM_READABLE = 1 << 11,     /* epoll: an edge was seen, EAGAIN was not */
	STREAM_WRITABLE = 1 << 12,     /* epoll: likewise */
	STREAM_START_FAILED = 1 << 13, /* epoll: could not be registered */

	STREAM_POLL_ARMED = 1 << 14,   /* io_uring: multishot poll */
	STREAM_RECV_ONE = 1 << 15,     /* io_uring: a single receive is in flight */
	STREAM_RECV_MULTI = 1 << 16,   /* io_uring: multishot receive */
	STREAM_RECV_CANCEL = 1 << 17,  /* io_uring: its cancellation is under way */
	STREAM_SENDING = 1 << 18,      /* io_uring: a send is in flight */
	STREAM_CANCELLED = 1 << 19,    /* io_uring: everything in flight was cancelled */
	STREAM_SLOT_CLOSING = 1 << 20, /* io_uring: its direct descriptor was given back */
	STREAM_HUNGRY = 1 << 21,       /* in loop->fresh or loop->rest */
	STREAM_FED = 1 << 22,          /* io_uring: the single receive in flight is its turn */
	STREAM_SEALED = 1 << 23,       /* has a seal for its handler (io/seal.h) */

	STREAM_FROZEN = 1 << 24,    /* tcp_handover.h: submit nothing */
	STREAM_SETTLING = 1 << 25,  /* io_uring: frozen, and something is in flight */
	STREAM_EXPORTED = 1 << 26,  /* another process may go on with it */
	STREAM_IMPORTING = 1 << 28, /* io_uring: gets its direct descriptor */
	STREAM_IMPORTED = 1 << 29,  /* EXPORTED, by the other process: what is written waits */
};

enum {
	LISTENER_STARVED = 1 << 0, /* no descriptor to be had */
	LISTENER_CLOSING = 1 << 1,
	LISTENER_ARMED = 1 << 2, /* epoll: waits for connections */
	LISTENER_PAUSED = 1 << 3,
	LISTENER_SETTLING = 1 << 4, /* io_uring: paused, and an accept is in flight */
};

struct engine {
	const char *name;
	int socket_flags; /* for sockets of tcp_connect */
	int (*create)(const struct loop_options *options, struct loop **out_loop);
	void (*destroy)(struct loop *loop);
	uint64_t (*clock_ns)(struct loop *loop); /* loop_clock_ns; a test's may be its own */
	/* Hands over what is prepared, waits up to `timeout_ns` (UINT64_MAX: for ever),
	 * calls loop_woke, and dispatches what came. */
	void (*wait)(struct loop *loop, uint64_t timeout_ns);
	/* A round begins: from here to the first round_is_over that is true, all that lay
	 * in the sockets at its beginning is dispatched. Asked once after each wait, none of
	 * which blocks. */
	void (*round_begin)(struct loop *loop);
	bool (*round_is_over)(struct loop *loop);

	/* tcp->fd is set; starts nothing that tcp->flags does not ask for. */
	void (*tcp_start)(struct tcp *tcp);
	/* Owns `fd`, also on failure. */
	int (*tcp_connect)(struct tcp *tcp, int fd, const struct net_addr *remote);
	void (*tcp_read_start)(struct tcp *tcp);
	void (*tcp_read_stop)(struct tcp *tcp);
	/* At the end of the turn, for a queued stream that is not closing. */
	void (*tcp_work)(struct tcp *tcp);
	/* Cancels, closes, and calls loop_tcp_closed when the kernel has let go. */
	void (*tcp_close)(struct tcp *tcp);

	/* Gives up an accepted connection that nobody adopted. */
	void (*accepted_close)(struct loop *loop, int fd);

	int (*listener_open)(struct listener *listener);
	/* After a change of flags: starts or stops accepting. */
	void (*listener_update)(struct listener *listener);
	/* May start listener->retry, to be called again. */
	void (*listener_close)(struct listener *listener);

	/* As tcp_handover.h has them. Of a thawed one flags tell what it does. */
	void (*tcp_freeze)(struct tcp *tcp);
	void (*tcp_thaw)(struct tcp *tcp);
	int (*tcp_take_fd)(struct tcp *tcp);
	/* tcp->fd is set by it; owns `fd` unless it fails. */
	int (*tcp_import)(struct tcp *tcp, int fd);
	int (*can_hand_over)(void);

	int (*watch_open)(struct watch *watch);
	void (*watch_close)(struct watch *watch);
};

extern const struct engine engine_epoll;
extern const struct engine engine_io_uring;

/* 0, or why a ring with all that we need cannot be made here. */
int engine_io_uring_probe(void);

/* Streams that have bytes to be read; hungry.c. */
struct hungry_queue {
	struct tcp *first;
	struct tcp **end;
	uint64_t in, out; /* so many came, and left */
};

/* What was in the queues at one moment. */
struct hungry_mark {
	uint64_t fresh, rest;
};

struct loop {
	const struct engine *engine;
	uint64_t now;         /* [ns] */
	uint64_t round_began; /* [ns] */
	bool is_running;
	bool is_in_turn;
	bool is_in_round;
	bool is_lagging; /* what the lag is measured by is not done yet */
	bool was_fresh;  /* who was taken last */
	struct hungry_queue fresh, rest;
	struct hungry_mark lag_mark;
	uint64_t woke_at;       /* [ns] */
	uint64_t lag_began;     /* [ns] */
	struct durations *lags; /* NULL: not kept */
	struct timer_wheel wheel;
	struct list_node due;
	struct tcp *queued; /* streams with work for the end of the turn */
	struct tcp **queued_end;
	struct tcp *closed; /* to be handed back at the end of the turn */
	struct listener *closed_listeners;
	struct watch *closed_watches;
	struct outbuf_cache outbufs;
	struct timer outbufs_trim; /* runs while the cache holds any */
	struct loop_task *posted;  /* atomic; last posted first */
	struct watch wake;
	int wake_fd;
	bool is_woken_closed;
	/* Given up to accept one connection when descriptors are out; -1: in use. */
	int reserve_fd;
	struct listener *starved; /* waits for the reserve */
	uint32_t unsettled;       /* streams and listeners that are SETTLING */
	int import_error;         /* of one that was imported since the last loop_settle */
	struct tcp *settling;     /* in loop_settle: to be called off once more */
	struct list_node pausing; /* listeners, likewise */
	struct seals *seals;      /* NULL: no stream was sealed yet */
	struct tls_limits tls_limits;
	struct tls_stats *tls; /* the caller's, or: */
	struct tls_stats own_tls;
};

/* For the engines' create and destroy. */
int loop_init(struct loop *loop, const struct engine *engine);
void loop_finish(struct loop *loop);

/* Of an engine's loop: from now on it can be woken. 0 or a negative errno. */
int loop_open(struct loop *loop);

/* The stream has work at the end of this turn. */
void loop_queue(struct tcp *tcp);

/* Of a frozen stream the kernel may still have a poll: it tells of bytes, and takes none. */
static inline bool tcp_has_settled(const struct tcp *tcp)
{
	return tcp->operations == ((tcp->flags & STREAM_POLL_ARMED) != 0);
}

/* A frozen stream: the kernel has something of it, or not any more. */
static inline void loop_unsettle(struct tcp *tcp)
{
	if (tcp_has_settled(tcp))
		return;
	tcp->flags |= STREAM_SETTLING;
	tcp->loop->unsettled++;
	loop_queue(tcp);
}

static inline void loop_settled(struct tcp *tcp)
{
	if (!(tcp->flags & STREAM_SETTLING))
		return;
	tcp->flags &= ~(uint32_t)STREAM_SETTLING;
	tcp->loop->unsettled--;
}

static inline void loop_listener_settled(struct listener *listener)
{
	if (!(listener->flags & LISTENER_SETTLING))
		return;
	listener->flags &= ~(uint32_t)LISTENER_SETTLING;
	listener->loop->unsettled--;
	list_remove(&listener->waiting);
}

uint64_t loop_clock_ns(struct loop *loop);

/* The wait is over: what came is about to be dispatched. `has_blocked`: time has passed. */
void loop_woke(struct loop *loop, bool has_blocked);

/* --- hungry.c --- */

void hungry_init(struct loop *loop);

/* To the end of those that just became readable, or of those that had a share. */
void hungry_add_fresh(struct tcp *tcp);
void hungry_add_rest(struct tcp *tcp);

/* Its turn came, but it could not be read: it is the next. */
void hungry_put_back(struct tcp *tcp);

/* Whose turn it is; NULL: nobody waits. */
struct tcp *hungry_take(struct loop *loop);
size_t hungry_count(const struct loop *loop);

/* [bytes] that a stream may have read now. */
size_t hungry_share(const struct loop *loop);

/* Have all been taken that wait now? */
struct hungry_mark hungry_mark(const struct loop *loop);
bool hungry_is_past(const struct loop *loop, const struct hungry_mark *mark);

/* --- what the engines tell --- */

void loop_tcp_closed(struct tcp *tcp);
void loop_listener_closed(struct listener *listener);
void loop_watch_closed(struct watch *watch);

/* A descriptor that is of no other use, and needs no file of the system's. Negative: errno says why
 * there is none. */
static inline int loop_reserve_open(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

/* What has been put off to the end of a turn: for loop_still.c. */
void loop_turn_end(struct loop *loop);

/* Opens the reserve again, if it is gone, and lets the starved listener go on. */
void loop_reserve_refill(struct loop *loop);

/* Is this negative errno of accept about what the machine lacks, not about one client? */
bool listener_is_starvation(int error);

/* accept failed for want of descriptors or memory: stop, report, try later. */
void listener_starve(struct listener *listener, int error);

/* Who is told: of a sealed stream the seal's owner. */
const struct tcp_handler *tcp_handler(const struct tcp *tcp);

/* Makes it a stream that does nothing yet. */
void tcp_init(struct tcp *tcp, struct loop *loop, int fd, const struct tcp_handler *handler);

/* Bytes came. */
void tcp_received(struct tcp *tcp, uint8_t *data, size_t len);

/* The kernel has let go of it. */
void tcp_closed(struct tcp *tcp);

/* What is pending: its first `len` bytes are dealt with; all of it is dropped; its first buffer
 * becomes the sending one (false: there is none). */
void tcp_pending_consume(struct tcp *tcp, size_t len);
void tcp_pending_drop(struct tcp *tcp);
bool tcp_pending_send(struct tcp *tcp);

/* The next bytes to send, in *out_data; 0 if there are none. Moves pending output
 * behind sending. */
size_t tcp_output(struct tcp *tcp, const uint8_t **out_data);

/* `sent` bytes of tcp_output are with the kernel. Frees, continues, tells on_drain;
 * true if there is more to send now. */
bool tcp_output_sent(struct tcp *tcp, size_t sent);

/* Drops what is queued. */
void tcp_output_drop(struct tcp *tcp);

/* Sending or receiving failed; tells the owner, once. */
void tcp_fail(struct tcp *tcp, int error);

/* No more bytes will come: 0 is the peer's FIN. Tells the owner, once. */
void tcp_receive_ended(struct tcp *tcp, int error);

/* The queue is empty and FIN is due. */
bool tcp_shutdown_is_due(const struct tcp *tcp);
