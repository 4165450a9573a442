/* SPDX-License-Identifier: Apache-2.0
 * tcp.h - listening sockets and connected byte streams on a loop.
 *
 * Layer: io. Everything belongs to the loop's thread. `struct listener` and
 * `struct tcp` lie in the caller's memory (usually at the head of a larger
 * object) and may go only in on_closed: until then the kernel may hold them.
 *
 * Output: tcp_reserve/tcp_commit append to the stream's queue; at the end of the
 * turn the queue leaves in one send, or in one for each run of bytes that is shared with
 * other streams (tcp_write_shared). The queue is the caller's to cap, by tcp_queued. An idle stream
 * holds no buffer in either direction. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/loop.h"
#include "base/net_addr.h"

struct tcp;
struct listener;

/* All run in the loop's thread. After on_eof, on_error or a failed on_connect
 * the owner is expected to call tcp_close. No callback but on_closed comes after
 * tcp_close. */
struct tcp_handler {
	/* Outgoing only: 0 or a negative errno. Reading has not started. */
	void (*on_connect)(struct tcp *tcp, int error);
	/* Sealed only (tcp_tls.h), and once: the handshake is done. May be NULL. */
	void (*on_secured)(struct tcp *tcp);
	/* After tcp_seal_expect_preamble: what came in clear before the ClientHello, all of it each
	 * time; lent. How many bytes are not TLS's: the handshake begins behind them; -EAGAIN:
	 * that cannot be told yet; else the owner has closed. */
	int (*on_preamble)(struct tcp *tcp, const uint8_t *data, size_t len);
	/* `data` is lent until the callback returns, and may be written to. len > 0. */
	void (*on_recv)(struct tcp *tcp, uint8_t *data, size_t len);
	/* The peer has finished sending. We still may. */
	void (*on_eof)(struct tcp *tcp);
	/* A negative errno from receiving or sending, e.g. -ECONNRESET, -EPIPE. */
	void (*on_error)(struct tcp *tcp, int error);
	/* The queue has become empty: all of it is with the kernel. */
	void (*on_drain)(struct tcp *tcp);
	void (*on_closed)(struct tcp *tcp);
};

struct outbuf;
struct seal;
struct shared_bytes;

struct tcp {
	struct loop *loop;
	union {
		const struct tcp_handler *handler;
		struct seal *seal; /* of a sealed one (io/seal.h), which has the handler */
	};
	struct tcp *next_queued; /* in the loop's list of streams with work to do */
	struct outbuf *sending;  /* with the kernel, or the rest of a short send */
	union {
		struct outbuf *pending;        /* behind it: the last of a ring */
		const struct net_addr *remote; /* io_uring, until connected */
	};
	union {
		uint32_t progress;  /* counts sends that moved bytes; wraps */
		int32_t connect_fd; /* io_uring: ordinary descriptor, until it has a direct one */
	};
	int32_t fd;          /* epoll: descriptor; io_uring: direct descriptor; -1: none */
	uint32_t flags;      /* STREAM_* of io/loop_private.h */
	uint16_t operations; /* io_uring: in flight */
	uint16_t heard;      /* io_uring: the last period in which bytes came */
	union {
		struct tcp *next_hungry; /* in one of the loop's queues of those to be read */
		uint32_t hot_index; /* io_uring: place among the streams with an armed receive */
	};
};

_Static_assert(sizeof(struct tcp) <= 64, "an idle stream is one cache line");

/* What a listener hands to on_accept: the struct is lent, the connection is given, to
 * tcp_adopt or listener_refuse. */
struct tcp_accepted {
	int32_t fd;
	/* Accepted on the reserve, because descriptors are out (EMFILE, ENFILE):
	 * answer shortly and close. The listener accepts on when it is closed. */
	bool is_reserve;
	/* As the kernel tells it: IPv4 at a listener on [::] is ::ffff:a.b.c.d. AF_UNSPEC
	 * if it does not tell. */
	struct net_addr remote;
};

/* Cannot fail; reading starts at once. */
void tcp_adopt(struct tcp *tcp, struct loop *loop, const struct tcp_accepted *accepted,
	       const struct tcp_handler *handler);

/* Begins a connection with TCP_NODELAY set; `local` may be NULL (its port 0: any).
 * `remote` is kept by reference until on_connect, or on_closed if that comes first.
 * Returns 0, then on_connect comes; or a negative errno (-EMFILE, -ENFILE,
 * -EADDRNOTAVAIL, ...), then nothing comes and the memory is free again. */
int tcp_connect(struct tcp *tcp, struct loop *loop, const struct net_addr *local,
		const struct net_addr *remote, const struct tcp_handler *handler);

/* Reading is on after tcp_adopt, off after tcp_connect. Stopping is not sharp:
 * with io_uring bytes that the kernel already received still come, at most one
 * socket buffer of them. */
void tcp_read_start(struct tcp *tcp);
void tcp_read_stop(struct tcp *tcp);

/* Not before on_connect. Room for `len` bytes at the end of the queue, contiguous, or NULL if
 * memory is out. Valid until the next call for this tcp. tcp_commit adds the first `len` bytes of
 * it. */
uint8_t *tcp_reserve(struct tcp *tcp, size_t len);
void tcp_commit(struct tcp *tcp, size_t len);

/* reserve + copy + commit; 0 or -ENOMEM. */
int tcp_write(struct tcp *tcp, const void *data, size_t len);

/* Appends bytes that many streams hold at once, without copying them: the queue keeps a
 * reference. So a large message to many is in memory once, however many of them are slow,
 * and one of any size costs less. A short run behind other bytes is copied all the same, so
 * that they leave in one send: up to 16 KiB if the kernel has taken all that was before them,
 * else up to 512 bytes. docs/benchmarks.md has what was measured. 0 or -ENOMEM. */
int tcp_write_shared(struct tcp *tcp, struct shared_bytes *bytes);

/* Bytes that wait in the program: not yet taken by the kernel. */
size_t tcp_queued(const struct tcp *tcp);

/* [bytes] of memory that the queue holds. Goes through all of it. */
size_t tcp_held(const struct tcp *tcp);

/* Not before on_connect. FIN after everything queued; nothing may be written after.
 * Reading goes on. */
void tcp_shutdown(struct tcp *tcp);

/* Drops what is queued, cancels what is in flight, closes; on_closed comes once,
 * never from inside this call. Calling it again is harmless. */
void tcp_close(struct tcp *tcp);

bool tcp_is_closing(const struct tcp *tcp);

struct accept_slot;

struct listener {
	struct loop *loop;
	/* A connection has come. */
	void (*on_accept)(struct listener *listener, const struct tcp_accepted *accepted);
	/* accept failed: a negative errno (-EMFILE, -ENFILE, -ENOMEM, ...). The
	 * listener goes on by itself as soon as it can. */
	void (*on_accept_error)(struct listener *listener, int error);
	void (*on_closed)(struct listener *listener);
	struct timer retry;       /* while descriptors are out, or the close takes its time */
	struct list_node waiting; /* io_uring: for a free direct descriptor */
	struct listener *next_closed;
	int32_t fd;
	uint32_t flags;            /* LISTENER_* of io/loop_private.h */
	struct accept_slot *slots; /* io_uring */
	uint64_t accepting;        /* io_uring: a bit for each slot whose accept is in flight */
};

/* Makes a bound and listening socket, with SO_REUSEADDR and SO_REUSEPORT,
 * TCP_NODELAY (accepted sockets inherit it) and the largest backlog. `addr` with
 * port 0 is filled with the port taken. `is_first` makes sure that no other
 * process listens there, which SO_REUSEPORT would hide. Returns the descriptor or
 * a negative errno. Thread-safe. */
int listener_bind(struct net_addr *addr, bool is_first);

/* The same; `is_ipv6_only`: [::] does not take IPv4 too. */
int listener_bind_as(struct net_addr *addr, bool is_first, bool is_ipv6_only);

/* The same, but nobody can connect before listener_listen, which may be called for any of these
 * sockets. */
int listener_bind_silent(struct net_addr *addr, bool is_first, bool is_ipv6_only);
int listener_listen(int fd);

/* One that others have bound, and let listen, is to be as those. 0 or a negative errno. */
int listener_take(int fd);

/* Whether `is_first` could have it now: 0 or a negative errno. */
int listener_check(const struct net_addr *addr, bool is_ipv6_only);

/* Starts accepting on a socket of listener_bind; owns `fd` from here, also on
 * failure. The caller fills the three callbacks before. 0 or a negative errno. */
int listener_open(struct listener *listener, struct loop *loop, int fd);

/* Closes an accepted connection that there is no memory to adopt. */
void listener_refuse(struct listener *listener, const struct tcp_accepted *accepted);

/* For one that is about to be closed: whoever begins to connect now has no answer, and tries again
 * when it has closed; whoever has begun goes on to be connected and accepted. */
void listener_ignore_new(struct listener *listener);

/* Does somebody wait to be accepted? */
bool listener_has_waiting(const struct listener *listener);

/* Stops accepting and closes; on_closed comes later, once. With io_uring connections
 * already accepted still come before it. */
void listener_close(struct listener *listener);
