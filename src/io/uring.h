/* SPDX-License-Identifier: Apache-2.0
 * uring.h - what the files of the io_uring engine share.
 *
 * Layer: io; only loop_uring.c and uring_*.c include it.
 *
 * Streams are direct descriptors: they take no slot in the process's descriptor
 * table. An idle stream waits with a multishot poll (256 bytes of kernel memory), an
 * active one with a multishot receive (864), which costs one completion per arrival.
 * Receives take their memory from one ring of provided buffers per loop. */
#pragma once

#include <liburing.h>

#include "io/loop_private.h"

#define URING_BUFFERS_MAX  64
#define URING_BUFFER_GROUP 0

/* What a completion belongs to, in the low bits of its user_data. */
enum uring_tag {
	TAG_RECV,   /* struct tcp */
	TAG_POLL,   /* struct tcp */
	TAG_SEND,   /* struct tcp */
	TAG_SETUP,  /* struct tcp: gets its direct descriptor, then perhaps connects */
	TAG_END,    /* struct tcp: shutdown or close; only counted */
	TAG_ACCEPT, /* struct accept_slot */
	TAG_WATCH,  /* struct watch */
	TAG_NONE,   /* struct uring_answer, or nobody's */
	TAG_MASK = 7
};

/* A round is so many passes: a poll says that a stream has bytes, its receive fetches
 * them; or the end of a multishot receive has to be awaited before. */
#define URING_PASSES 3

/* In a pass, what the kernel has to tell is put into the completion queue; then what is in
 * the queue is dispatched; then all who wait to be read then are. */
struct uring_round {
	enum { PASS_COLLECT, PASS_DISPATCH, PASS_READ } stage;
	unsigned passes_left;
	int64_t to_collect;   /* operations that may have something to tell */
	unsigned to_dispatch; /* up to there, as a tail of the completion queue */
	struct hungry_mark to_read;
};

struct uring_loop {
	struct loop loop; /* first */
	struct io_uring ring;
	struct io_uring_buf_ring *buffer_ring;
	uint8_t *buffers;
	uint32_t buffer_count;
	uint32_t buffer_size;
	uint32_t buffer_at[URING_BUFFERS_MAX]; /* [bytes] of each buffer already consumed */
	bool is_incremental;                   /* buffers are consumed bit by bit */
	uint32_t max_sockets;
	uint32_t socket_count;         /* direct descriptors in use, or kept for an accept */
	struct list_node full_waiting; /* listeners that wait for a free direct descriptor */
	struct tcp **hot;              /* streams with an armed multishot receive */
	uint32_t hot_count;
	uint32_t hot_cap;
	struct timer cool_down;
	uint32_t fed;           /* single receives in flight of those whose turn it is */
	uint32_t typical_bytes; /* that such a receive brings: a moving average */
	uint32_t in_flight;     /* operations that will have a completion */
	bool has_more;          /* the kernel can tell more than it was asked for */
	bool is_quiet;          /* the last wait brought nothing, and handed nothing over */
	struct uring_round round;
	/* Came while the loop stood still, and are dispatched before all others; NULL: not needed
	 * yet. */
	struct io_uring_cqe *kept;
	uint32_t kept_count;
};

/* Of a caller that waits for it. */
struct uring_answer {
	int res;
	bool is_there;
};

static inline struct uring_loop *uring_of(struct loop *loop)
{
	return CONTAINER_OF(loop, struct uring_loop, loop);
}

/* --- loop_uring.c: submission --- */

/* An entry to prepare, owned; submits when the queue is full, so it cannot fail. */
struct io_uring_sqe *uring_sqe(struct uring_loop *self, void *owner, enum uring_tag tag);

/* The same for an operation of a stream, which it counts. */
struct io_uring_sqe *uring_tcp_sqe(struct tcp *tcp, enum uring_tag tag);

/* Cancels one operation; its own completion comes with -ECANCELED, or with what it
 * had just done. */
void uring_cancel(struct loop *loop, void *owner, enum uring_tag tag);

/* An operation of the stream is over; if it was the last one, a close goes on. */
void uring_operation_done(struct tcp *tcp);

/* Tells whom it belongs to of a completion. */
void uring_dispatch(struct uring_loop *self, const struct io_uring_cqe *cqe);

/* --- uring_buffers.c --- */

int uring_buffers_init(struct uring_loop *self);
void uring_buffers_finish(struct uring_loop *self);

/* Where a completion's bytes lie. To be called once for each completion that names a
 * buffer, in their order; uring_buffer_done comes when the bytes are dealt with. */
/* How many receives of so many bytes are sure to get a buffer, as long as no others come. */
uint32_t uring_buffers_room(const struct uring_loop *self, size_t bytes);

uint8_t *uring_buffer_take(struct uring_loop *self, const struct io_uring_cqe *cqe);
void uring_buffer_done(struct uring_loop *self, const struct io_uring_cqe *cqe);

/* --- uring_recv.c --- */

bool uring_wants_bytes(const struct tcp *tcp);

/* Waits in the kernel for its first bytes. */
void uring_receive_first(struct tcp *tcp);

/* Arms receives for those whose turn it is, no more than there is memory for. */
void uring_feed(struct uring_loop *self);
void uring_tcp_read_start(struct tcp *tcp);
void uring_tcp_read_stop(struct tcp *tcp);
void uring_tcp_thaw(struct tcp *tcp);
void uring_recv_done(struct uring_loop *self, struct tcp *tcp, const struct io_uring_cqe *cqe);
void uring_poll_done(struct tcp *tcp, const struct io_uring_cqe *cqe);
void uring_cool_down(struct timer *timer);

/* --- uring_tcp.c --- */

void uring_tcp_start(struct tcp *tcp);
int uring_tcp_connect(struct tcp *tcp, int fd, const struct net_addr *remote);
void uring_tcp_work(struct tcp *tcp);
void uring_tcp_close(struct tcp *tcp);
void uring_cancel_all(struct tcp *tcp, bool with_poll);
void uring_send_done(struct tcp *tcp, int res);
void uring_setup_done(struct tcp *tcp, int res);

/* A direct descriptor is free again: a listener may wait for it. */
void uring_slot_released(struct uring_loop *self);

/* --- uring_handover.c: as tcp_handover.h has them --- */

void uring_tcp_freeze(struct tcp *tcp);
int uring_tcp_take_fd(struct tcp *tcp);
int uring_tcp_import(struct tcp *tcp, int fd);
int uring_can_hand_over(void);

/* It has its direct descriptor. */
void uring_imported(struct tcp *tcp, int res);

/* --- uring_listener.c --- */

int uring_listener_open(struct listener *listener);
void uring_listener_update(struct listener *listener);
void uring_listener_close(struct listener *listener);
void uring_accepted_close(struct loop *loop, int fd);
void uring_accept_done(struct accept_slot *slot, int res);
