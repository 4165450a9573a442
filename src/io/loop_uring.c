/* SPDX-License-Identifier: Apache-2.0
 * loop_uring.c - the io_uring engine.
 *
 * Streams are direct descriptors: they take no slot in the process's descriptor
 * table. An idle stream waits with a multishot poll (256 bytes of kernel memory),
 * an active one with a multishot receive (864), which costs one completion per
 * arrival. Receives take their memory from one ring of provided buffers per loop. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop_private.h"

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 8192

/* So many completions at most before what they produced is sent: more would only hold
 * more output buffers at once. */
#define COMPLETIONS_PER_TURN 512

/* Newer than liburing 2.3 (Linux 6.12): receives consume a provided buffer bit by
 * bit, so small messages lie densely in few, large buffers. That the completions come
 * in the order of the bytes, which take_buffer needs, holds from Linux 6.16 on: earlier
 * a multishot receive could overtake a single one that was done inline. */
#define BUF_RING_INCREMENTAL 2
#define CQE_BUFFER_MORE      (1u << 4)

#define INCREMENTAL_COUNT 16
#define INCREMENTAL_SIZE  32768
/* Older kernels hand out a whole buffer per receive: more of them, and not so small
 * that large messages come in crumbs. */
#define WHOLE_COUNT  64
#define WHOLE_SIZE   65536
#define BUFFER_GROUP 0

/* A multishot accept may take this many connections before we can stop it; with
 * fewer free direct descriptors than this, accept one at a time. */
#define ACCEPT_BURST 4096

/* Activity is counted in periods: bytes in the current or the last one make a
 * stream active; after IDLE_PERIODS without, it waits with poll again. */
#define PERIOD_NS    NS_PER_S
#define IDLE_PERIODS 4

/* What a completion belongs to, in the low bits of its user_data. */
enum tag {
	TAG_RECV,   /* struct tcp */
	TAG_POLL,   /* struct tcp */
	TAG_SEND,   /* struct tcp */
	TAG_SETUP,  /* struct tcp: gets its direct descriptor, then connects */
	TAG_END,    /* struct tcp: shutdown, cancel or close; only counted */
	TAG_ACCEPT, /* struct listener: accept, or its cancellation */
	TAG_WATCH,  /* struct watch: poll, or its cancellation */
	TAG_NONE,   /* nobody's */
	TAG_MASK = 7
};

struct uring_loop {
	struct loop loop; /* first */
	struct io_uring ring;
	struct io_uring_buf_ring *buffer_ring;
	uint8_t *buffers;
	uint32_t buffer_count;
	uint32_t buffer_size;
	uint32_t buffer_at[WHOLE_COUNT]; /* [bytes] of each buffer already consumed */
	bool is_incremental;             /* buffers are consumed bit by bit */
	uint32_t max_sockets;
	uint32_t socket_count;         /* direct descriptors in use, or kept for an accept */
	struct list_node full_waiting; /* listeners that wait for a free direct descriptor */
	struct tcp **hot;              /* streams with an armed multishot receive */
	uint32_t hot_count;
	uint32_t hot_cap;
	struct timer cool_down;
};

static struct uring_loop *uring_of(struct loop *loop)
{
	return CONTAINER_OF(loop, struct uring_loop, loop);
}

/* --- submission --- */

static struct io_uring_sqe *get_sqe(struct uring_loop *self, void *owner, enum tag tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

	while (sqe == NULL) {
		int r = io_uring_submit(&self->ring);

		/* EBUSY, EAGAIN: the kernel wants completions reaped or memory freed. */
		CHECK(r >= 0 || r == -EBUSY || r == -EAGAIN || r == -EINTR);
		sqe = io_uring_get_sqe(&self->ring);
		if (sqe == NULL)
			io_uring_get_events(&self->ring);
	}
	sqe->user_data = (uintptr_t)owner | tag;
	return sqe;
}

static struct io_uring_sqe *tcp_sqe(struct tcp *tcp, enum tag tag)
{
	tcp->operations++;
	return get_sqe(uring_of(tcp->loop), tcp, tag);
}

/* Cancels one operation; its own completion comes with -ECANCELED, or with what it
 * had just done. */
static void cancel_operation(struct loop *loop, void *owner, enum tag tag)
{
	struct io_uring_sqe *sqe = get_sqe(uring_of(loop), NULL, TAG_NONE);

	io_uring_prep_cancel64(sqe, (uintptr_t)owner | tag, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* An operation of the stream is over; if it was the last one, a close goes on. */
static void operation_done(struct tcp *tcp)
{
	CHECK(tcp->operations > 0);
	tcp->operations--;
	if (tcp->operations == 0 && (tcp->flags & STREAM_CLOSING))
		loop_queue(tcp);
}

/* --- receiving --- */

static uint16_t period_of(const struct loop *loop)
{
	return (uint16_t)(loop->now / PERIOD_NS);
}

static bool is_active(const struct tcp *tcp)
{
	return (uint16_t)(period_of(tcp->loop) - tcp->heard) <= 1;
}

static bool wants_bytes(const struct tcp *tcp)
{
	return (tcp->flags & (STREAM_READING | STREAM_EOF | STREAM_CLOSING | STREAM_FAILED)) ==
	       STREAM_READING;
}

static void receive_one(struct tcp *tcp, int message_flags)
{
	struct io_uring_sqe *sqe = tcp_sqe(tcp, TAG_RECV);

	io_uring_prep_recv(sqe, tcp->fd, NULL, 0, message_flags);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	tcp->flags |= STREAM_RECV_ONE;
}

static void poll_arm(struct tcp *tcp)
{
	struct io_uring_sqe *sqe = tcp_sqe(tcp, TAG_POLL);

	io_uring_prep_poll_multishot(sqe, tcp->fd, POLLIN);
	sqe->flags |= IOSQE_FIXED_FILE;
	tcp->flags |= STREAM_POLL_ARMED;
}

static bool hot_add(struct tcp *tcp)
{
	struct uring_loop *self = uring_of(tcp->loop);

	if (self->hot_count == self->hot_cap) {
		uint32_t cap = MAX(self->hot_cap * 2, 256u);
		struct tcp **hot = realloc(self->hot, cap * sizeof(struct tcp *));

		if (hot == NULL)
			return false;
		self->hot = hot;
		self->hot_cap = cap;
	}
	if (self->hot_count == 0)
		loop_timer_start(&self->loop, &self->cool_down, PERIOD_NS);
	tcp->hot_index = self->hot_count;
	self->hot[self->hot_count++] = tcp;
	return true;
}

static void hot_remove(struct tcp *tcp)
{
	struct uring_loop *self = uring_of(tcp->loop);
	struct tcp *last = self->hot[--self->hot_count];

	self->hot[tcp->hot_index] = last;
	last->hot_index = tcp->hot_index;
}

/* From poll to multishot receive. Without memory for the list of active streams it
 * goes on receiving one by one. */
static void receive_multi(struct tcp *tcp)
{
	if (!hot_add(tcp)) {
		receive_one(tcp, MSG_DONTWAIT);
		return;
	}
	if (tcp->flags & STREAM_POLL_ARMED)
		cancel_operation(tcp->loop, tcp, TAG_POLL);
	struct io_uring_sqe *sqe = tcp_sqe(tcp, TAG_RECV);

	io_uring_prep_recv_multishot(sqe, tcp->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	tcp->flags |= STREAM_RECV_MULTI;
}

static void receive_cancel(struct tcp *tcp)
{
	if ((tcp->flags & (STREAM_RECV_MULTI | STREAM_RECV_CANCEL)) != STREAM_RECV_MULTI)
		return;
	tcp->flags |= STREAM_RECV_CANCEL;
	cancel_operation(tcp->loop, tcp, TAG_RECV);
}

static void on_cool_down(struct timer *timer)
{
	struct uring_loop *self = CONTAINER_OF(timer, struct uring_loop, cool_down);
	uint16_t now = period_of(&self->loop);

	for (uint32_t i = 0; i < self->hot_count; i++)
		if ((uint16_t)(now - self->hot[i]->heard) > IDLE_PERIODS)
			receive_cancel(self->hot[i]);
	if (self->hot_count > 0)
		loop_timer_start(&self->loop, &self->cool_down, PERIOD_NS);
}

/* No receive is in flight any more: how to go on. `is_nonempty`: more bytes were
 * there a moment ago. */
static void receive_next(struct tcp *tcp, bool is_nonempty)
{
	if (!wants_bytes(tcp))
		return;
	if (is_nonempty || (tcp->flags & STREAM_HANGUP))
		receive_one(tcp, MSG_DONTWAIT);
	else if (!(tcp->flags & STREAM_POLL_ARMED))
		poll_arm(tcp);
}

/* A poll that is already armed reports edges only, and one may have passed while
 * reading was off: so ask the socket. Else wait in the receive itself, which is one
 * operation less for a stream that speaks at once. */
static void uring_tcp_read_start(struct tcp *tcp)
{
	if (tcp->flags & (STREAM_RECV_ONE | STREAM_RECV_MULTI | STREAM_CONNECTING))
		return;
	receive_one(tcp, tcp->flags & STREAM_POLL_ARMED ? MSG_DONTWAIT : 0);
}

static void uring_tcp_read_stop(struct tcp *tcp)
{
	receive_cancel(tcp);
}

static void buffer_give_back(struct uring_loop *self, uint32_t id)
{
	self->buffer_at[id] = 0;
	io_uring_buf_ring_add(self->buffer_ring, self->buffers + (size_t)id * self->buffer_size,
			      self->buffer_size, (unsigned short)id,
			      io_uring_buf_ring_mask(self->buffer_count), 0);
	io_uring_buf_ring_advance(self->buffer_ring, 1);
}

/* Completions come in the order in which the kernel filled the buffer, so with the
 * one that says no more is coming into it, all earlier ones are dealt with. */
static void take_buffer(struct uring_loop *self, struct tcp *tcp, int res, uint32_t cqe_flags)
{
	uint32_t id = cqe_flags >> IORING_CQE_BUFFER_SHIFT;
	size_t at = (size_t)id * self->buffer_size + self->buffer_at[id];

	if (res > 0) {
		self->buffer_at[id] += (uint32_t)res;
		tcp->heard = period_of(&self->loop);
		if (!(tcp->flags & (STREAM_CLOSING | STREAM_EOF | STREAM_FAILED)))
			tcp->handler->on_recv(tcp, self->buffers + at, (size_t)res);
	}
	/* Linux 6.12 to 6.17 may name a buffer that a failed receive did not consume. */
	if (!(cqe_flags & CQE_BUFFER_MORE) && (res > 0 || !self->is_incremental))
		buffer_give_back(self, id);
}

static void receive_ended(struct tcp *tcp, int error)
{
	if (tcp->flags & (STREAM_CLOSING | STREAM_EOF | STREAM_FAILED))
		return;
	tcp->flags |= STREAM_EOF;
	tcp->flags &= ~(uint32_t)STREAM_READING;
	if (error == 0)
		tcp->handler->on_eof(tcp);
	else
		tcp_fail(tcp, error);
}

static void on_recv_done(struct uring_loop *self, struct tcp *tcp, const struct io_uring_cqe *cqe)
{
	int res = cqe->res;
	uint32_t flags = cqe->flags;
	bool is_last = !(flags & IORING_CQE_F_MORE);

	if (is_last) {
		if (tcp->flags & STREAM_RECV_MULTI)
			hot_remove(tcp);
		tcp->flags &= ~(uint32_t)(STREAM_RECV_ONE | STREAM_RECV_MULTI | STREAM_RECV_CANCEL);
	}
	if (flags & IORING_CQE_F_BUFFER)
		take_buffer(self, tcp, res, flags);
	if (res == 0)
		receive_ended(tcp, 0);
	else if (res < 0 && res != -ENOBUFS && res != -ECANCELED && res != -EAGAIN && res != -EINTR)
		receive_ended(tcp, res);
	if (!is_last)
		return;
	receive_next(tcp, res == -ENOBUFS || (flags & IORING_CQE_F_SOCK_NONEMPTY));
	operation_done(tcp);
}

static void on_poll_done(struct tcp *tcp, const struct io_uring_cqe *cqe)
{
	bool is_last = !(cqe->flags & IORING_CQE_F_MORE);

	if (is_last)
		tcp->flags &= ~(uint32_t)STREAM_POLL_ARMED;
	/* No edge will come after this one, and a reset behind the last bytes is not
	 * announced by F_SOCK_NONEMPTY. */
	if (cqe->res > 0 && (cqe->res & (POLLERR | POLLHUP)))
		tcp->flags |= STREAM_HANGUP;
	/* While a receive is in flight it will see the bytes itself. */
	if (wants_bytes(tcp) && !(tcp->flags & (STREAM_RECV_ONE | STREAM_RECV_MULTI))) {
		if (cqe->res == -ECANCELED)
			poll_arm(tcp);
		else if (is_active(tcp))
			receive_multi(tcp);
		else
			receive_one(tcp, MSG_DONTWAIT);
	}
	if (is_last)
		operation_done(tcp);
}

/* --- sending --- */

static void send_next(struct tcp *tcp)
{
	uint8_t *data;
	size_t len;

	if ((tcp->flags & (STREAM_SENDING | STREAM_FAILED)) || (len = tcp_output(tcp, &data)) == 0)
		return;
	struct io_uring_sqe *sqe = tcp_sqe(tcp, TAG_SEND);

	io_uring_prep_send(sqe, tcp->fd, data, MIN(len, (size_t)INT32_MAX), MSG_NOSIGNAL);
	sqe->flags |= IOSQE_FIXED_FILE;
	tcp->flags |= STREAM_SENDING;
}

static void on_send_done(struct tcp *tcp, int res)
{
	tcp->flags &= ~(uint32_t)STREAM_SENDING;
	if (res > 0) {
		if (tcp_output_sent(tcp, (size_t)res) || tcp_shutdown_is_due(tcp))
			loop_queue(tcp);
	} else if (res == -EAGAIN || res == -EINTR) {
		loop_queue(tcp);
	} else {
		tcp_fail(tcp, res == 0 ? -EPIPE : res);
	}
	operation_done(tcp);
}

static void uring_tcp_work(struct tcp *tcp)
{
	if (tcp->flags & STREAM_CONNECTING)
		return;
	send_next(tcp);
	if (!tcp_shutdown_is_due(tcp) || (tcp->flags & STREAM_SENDING))
		return;
	struct io_uring_sqe *sqe = tcp_sqe(tcp, TAG_END);

	tcp->flags |= STREAM_SHUT_DONE;
	io_uring_prep_shutdown(sqe, tcp->fd, SHUT_WR);
	sqe->flags |= IOSQE_FIXED_FILE;
}

/* --- opening and closing streams --- */

static void uring_tcp_start(struct tcp *tcp)
{
	receive_one(tcp, 0);
}

static int uring_tcp_connect(struct tcp *tcp, int fd, const struct net_addr *remote)
{
	struct uring_loop *self = uring_of(tcp->loop);

	if (self->socket_count == self->max_sockets) {
		close(fd);
		return -ENFILE;
	}
	self->socket_count++;
	tcp->fd = fd;
	tcp->connect_fd = fd;
	tcp->remote = remote;
	struct io_uring_sqe *sqe = tcp_sqe(tcp, TAG_SETUP);

	/* Replaces the descriptor in tcp->fd by a direct one. */
	io_uring_prep_files_update(sqe, &tcp->fd, 1, (int)IORING_FILE_INDEX_ALLOC);
	return 0;
}

static bool is_being_installed(const struct tcp *tcp)
{
	return (tcp->flags & STREAM_CONNECTING) && tcp->connect_fd >= 0;
}

static void slot_released(struct uring_loop *self)
{
	CHECK(self->socket_count > 0);
	self->socket_count--;
	if (list_is_empty(&self->full_waiting))
		return;
	struct listener *listener = CONTAINER_OF(self->full_waiting.next, struct listener, waiting);

	list_remove(&listener->waiting);
	engine_io_uring.listener_update(listener);
}

static void connect_finished(struct tcp *tcp, int error)
{
	tcp->flags &= ~(uint32_t)STREAM_CONNECTING;
	tcp->pending = NULL;
	tcp->progress = 0;
	if (error == 0 && wants_bytes(tcp)) /* tcp_read_start came early */
		receive_one(tcp, 0);
	if (!(tcp->flags & STREAM_CLOSING))
		tcp->handler->on_connect(tcp, error);
}

static void installed(struct tcp *tcp, int res)
{
	close(tcp->connect_fd);
	tcp->connect_fd = -1;
	if (res < 0) {
		tcp->fd = -1;
		slot_released(uring_of(tcp->loop));
		connect_finished(tcp, res);
		return;
	}
	if (tcp->flags & STREAM_CLOSING) {
		connect_finished(tcp, -ECANCELED);
		return;
	}
	struct io_uring_sqe *sqe = tcp_sqe(tcp, TAG_SETUP);

	io_uring_prep_connect(sqe, tcp->fd, &tcp->remote->sa, net_addr_len(tcp->remote));
	sqe->flags |= IOSQE_FIXED_FILE;
}

static void on_setup_done(struct tcp *tcp, int res)
{
	if (is_being_installed(tcp))
		installed(tcp, res);
	else
		connect_finished(tcp, res);
	operation_done(tcp);
}

/* One by one: the kernel finds an operation by its user_data in a hash table, but by
 * its descriptor only in a walk over all operations of the ring. */
static void cancel_all(struct tcp *tcp)
{
	static const struct {
		uint32_t flags;
		enum tag tag;
	} rows[] = {
		{STREAM_RECV_ONE | STREAM_RECV_MULTI, TAG_RECV},
		{STREAM_POLL_ARMED, TAG_POLL},
		{STREAM_SENDING, TAG_SEND},
		{STREAM_CONNECTING, TAG_SETUP},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (tcp->flags & rows[i].flags)
			cancel_operation(tcp->loop, tcp, rows[i].tag);
}

/* Cancel what is in flight; when all of it is done, close; when that is done too,
 * the kernel holds nothing of the stream any more. */
static void uring_tcp_close(struct tcp *tcp)
{
	struct uring_loop *self = uring_of(tcp->loop);

	if (tcp->operations > 0) {
		if ((tcp->flags & STREAM_CANCELLED) || is_being_installed(tcp))
			return;
		tcp->flags |= STREAM_CANCELLED;
		cancel_all(tcp);
		return;
	}
	if (tcp->fd >= 0) {
		struct io_uring_sqe *sqe = tcp_sqe(tcp, TAG_END);

		io_uring_prep_close_direct(sqe, (unsigned)tcp->fd);
		tcp->fd = -1;
		tcp->flags |= STREAM_SLOT_CLOSING;
		return;
	}
	if (tcp->flags & STREAM_SLOT_CLOSING)
		slot_released(self);
	loop_tcp_closed(tcp);
}

/* --- listeners --- */

static void accept_arm(struct listener *listener)
{
	struct uring_loop *self = uring_of(listener->loop);
	uint32_t free_count = self->max_sockets - self->socket_count;

	/* The kernel drops a connection that it accepted and has no direct descriptor
	 * for, so none may be accepted too many: a single accept keeps its own. */
	if (free_count == 0) {
		list_remove(&listener->waiting);
		list_append(&self->full_waiting, &listener->waiting);
		return;
	}
	struct io_uring_sqe *sqe = get_sqe(self, listener, TAG_ACCEPT);

	if (free_count > ACCEPT_BURST) {
		io_uring_prep_multishot_accept_direct(sqe, listener->fd, NULL, NULL, 0);
		listener->flags |= LISTENER_MULTI;
	} else {
		/* io_uring_prep_accept_direct of liburing 2.3 would turn ALLOC into "no
		 * direct descriptor". */
		io_uring_prep_accept(sqe, listener->fd, NULL, NULL, 0);
		sqe->file_index = IORING_FILE_INDEX_ALLOC;
		self->socket_count++;
	}
	listener->operations++;
	listener->flags |= LISTENER_ARMED;
}

static void uring_listener_update(struct listener *listener)
{
	bool want = !(listener->flags & (LISTENER_PAUSED | LISTENER_STARVED | LISTENER_CLOSING));

	if (!want)
		list_remove(&listener->waiting);
	if (want && !(listener->flags & LISTENER_ARMED))
		accept_arm(listener);
	else if (!want && (listener->flags & LISTENER_ARMED))
		cancel_operation(listener->loop, listener, TAG_ACCEPT);
}

static int make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

static int uring_listener_open(struct listener *listener)
{
	/* On a non-blocking socket io_uring answers EAGAIN instead of waiting. */
	int r = make_blocking(listener->fd);

	if (r == 0)
		accept_arm(listener);
	return r;
}

static void uring_listener_close(struct listener *listener)
{
	list_remove(&listener->waiting);
	if (listener->operations > 0) {
		cancel_operation(listener->loop, listener, TAG_ACCEPT);
		return;
	}
	close(listener->fd);
	loop_listener_closed(listener);
}

static void accepted(struct uring_loop *self, struct listener *listener, int fd)
{
	bool is_last = self->socket_count == self->max_sockets;

	listener->on_accept(listener, &(struct tcp_accepted){.fd = fd, .is_reserve = is_last});
	if ((listener->flags & (LISTENER_MULTI | LISTENER_ARMED)) ==
		    (LISTENER_MULTI | LISTENER_ARMED) &&
	    self->max_sockets - self->socket_count <= ACCEPT_BURST)
		cancel_operation(listener->loop, listener, TAG_ACCEPT);
}

static bool is_starvation(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS;
}

static void on_accept_done(struct uring_loop *self, struct listener *listener,
			   const struct io_uring_cqe *cqe)
{
	bool is_final = !(cqe->flags & IORING_CQE_F_MORE);
	bool has_slot = !(listener->flags & LISTENER_MULTI);

	if (is_final)
		listener->flags &= ~(uint32_t)(LISTENER_ARMED | LISTENER_MULTI);
	if (cqe->res >= 0 && !has_slot)
		self->socket_count++;
	if (cqe->res < 0 && has_slot)
		slot_released(self);
	if (cqe->res >= 0)
		accepted(self, listener, cqe->res);
	else if (is_starvation(cqe->res) && !(listener->flags & LISTENER_CLOSING))
		listener_starve(listener, cqe->res);
	else if (cqe->res != -ECANCELED && !(listener->flags & LISTENER_CLOSING))
		listener->on_accept_error(listener, cqe->res);
	if (!is_final)
		return;
	/* Only now, so that a listener_close in a callback waits for us. */
	listener->operations--;
	if (listener->flags & LISTENER_CLOSING)
		uring_listener_close(listener);
	else
		uring_listener_update(listener);
}

static void uring_accepted_close(struct loop *loop, int fd)
{
	struct io_uring_sqe *sqe = get_sqe(uring_of(loop), NULL, TAG_NONE);

	io_uring_prep_close_direct(sqe, (unsigned)fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	slot_released(uring_of(loop));
}

/* --- foreign descriptors --- */

/* One shot, armed again after each report: so it tells again while it stays ready. */
static void watch_arm(struct watch *watch)
{
	struct io_uring_sqe *sqe = get_sqe(uring_of(watch->loop), watch, TAG_WATCH);

	io_uring_prep_poll_add(sqe, watch->fd,
			       (watch->events & LOOP_READABLE ? POLLIN : 0u) |
				       (watch->events & LOOP_WRITABLE ? POLLOUT : 0u));
	watch->is_armed = true;
}

static int uring_watch_open(struct watch *watch)
{
	watch_arm(watch);
	return 0;
}

static void uring_watch_close(struct watch *watch)
{
	if (watch->is_armed)
		cancel_operation(watch->loop, watch, TAG_WATCH);
	else
		loop_watch_closed(watch);
}

static void on_watch_done(struct watch *watch, int res)
{
	watch->is_armed = false;
	if (watch->is_closing) {
		loop_watch_closed(watch);
		return;
	}
	unsigned bits = res < 0 ? POLLERR : (unsigned)res;
	unsigned ready = (bits & (POLLIN | POLLHUP | POLLERR) ? LOOP_READABLE : 0u) |
			 (bits & (POLLOUT | POLLHUP | POLLERR) ? LOOP_WRITABLE : 0u);

	watch->on_ready(watch, ready & watch->events);
	if (!watch->is_closing)
		watch_arm(watch);
}

/* --- the wait --- */

static void dispatch(struct uring_loop *self, const struct io_uring_cqe *cqe)
{
	void *owner = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);

	switch ((enum tag)(cqe->user_data & TAG_MASK)) {
	case TAG_RECV:
		on_recv_done(self, owner, cqe);
		break;
	case TAG_POLL:
		on_poll_done(owner, cqe);
		break;
	case TAG_SEND:
		on_send_done(owner, cqe->res);
		break;
	case TAG_SETUP:
		on_setup_done(owner, cqe->res);
		break;
	case TAG_END:
		operation_done(owner);
		break;
	case TAG_ACCEPT:
		on_accept_done(self, owner, cqe);
		break;
	case TAG_WATCH:
		on_watch_done(owner, cqe->res);
		break;
	case TAG_NONE:
		break;
	}
}

static void submit_and_wait(struct uring_loop *self, uint64_t timeout_ns)
{
	struct io_uring_cqe *cqe;
	int r;

	if (timeout_ns == 0) {
		r = io_uring_submit_and_get_events(&self->ring);
	} else if (timeout_ns == UINT64_MAX) {
		r = io_uring_submit_and_wait(&self->ring, 1);
	} else {
		struct __kernel_timespec ts = {
			.tv_sec = (long long)(timeout_ns / NS_PER_S),
			.tv_nsec = (long long)(timeout_ns % NS_PER_S),
		};
		r = io_uring_submit_and_wait_timeout(&self->ring, &cqe, 1, &ts, NULL);
	}
	/* EBUSY, EAGAIN, ENOMEM: what was not taken now is handed over next time. */
	CHECK(r >= 0 || r == -ETIME || r == -EINTR || r == -EBUSY || r == -EAGAIN || r == -ENOMEM);
}

static void uring_engine_wait(struct loop *loop, uint64_t timeout_ns)
{
	struct uring_loop *self = uring_of(loop);
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;

	submit_and_wait(self, timeout_ns);
	loop->now = clock_now_ns();
	io_uring_for_each_cqe(&self->ring, head, cqe)
	{
		dispatch(self, cqe);
		count++;
	}
	io_uring_cq_advance(&self->ring, count);
}

/* --- life --- */

/* The best set of flags that this kernel takes; newest first. */
static int ring_init(struct io_uring *ring, unsigned sq_entries, unsigned cq_entries)
{
	static const unsigned flag_sets[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
	};
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_LEN(flag_sets) && r == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flag_sets[i] | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
			.cq_entries = cq_entries,
		};
		r = io_uring_queue_init_params(sq_entries, ring, &params);
	}
	return r;
}

static int buffers_register(struct uring_loop *self, uint32_t count, uint32_t size, uint16_t flags)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)self->buffer_ring,
		.ring_entries = count,
		.bgid = BUFFER_GROUP,
		.pad = flags, /* named `flags` since Linux 6.12 */
	};
	int r = io_uring_register_buf_ring(&self->ring, &registration, 0);

	if (r == 0) {
		self->buffer_count = count;
		self->buffer_size = size;
	}
	return r;
}

/* Pages that nothing touches cost nothing, so room for the larger layout does not
 * hurt the smaller one. */
#define BUFFERS_BYTES \
	MAX((size_t)INCREMENTAL_COUNT *INCREMENTAL_SIZE, (size_t)WHOLE_COUNT *WHOLE_SIZE)
#define BUFFER_RING_BYTES (WHOLE_COUNT * sizeof(struct io_uring_buf))

static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool kernel_is_at_least(unsigned major, unsigned minor)
{
	struct utsname name;
	unsigned have_major, have_minor;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &have_major, &have_minor) != 2)
		return false;
	return have_major > major || (have_major == major && have_minor >= minor);
}

static int buffers_init(struct uring_loop *self)
{
	self->buffers = map_memory(BUFFERS_BYTES);
	self->buffer_ring = map_memory(BUFFER_RING_BYTES);
	if (self->buffers == NULL || self->buffer_ring == NULL)
		return -ENOMEM;
	int r = -EINVAL;

	if (kernel_is_at_least(6, 16))
		r = buffers_register(self, INCREMENTAL_COUNT, INCREMENTAL_SIZE,
				     BUF_RING_INCREMENTAL);
	self->is_incremental = r == 0;
	if (r == -EINVAL)
		r = buffers_register(self, WHOLE_COUNT, WHOLE_SIZE, 0);
	if (r < 0)
		return r;
	io_uring_buf_ring_init(self->buffer_ring);
	for (uint32_t id = 0; id < self->buffer_count; id++)
		buffer_give_back(self, id);
	return 0;
}

static void uring_engine_destroy(struct loop *loop)
{
	struct uring_loop *self = uring_of(loop);

	CHECK(self->hot_count == 0);
	loop_timer_stop(loop, &self->cool_down);
	io_uring_queue_exit(&self->ring);
	if (self->buffers != NULL)
		munmap(self->buffers, BUFFERS_BYTES);
	if (self->buffer_ring != NULL)
		munmap(self->buffer_ring, BUFFER_RING_BYTES);
	free(self->hot);
	loop_finish(loop);
	free(self);
}

static int uring_engine_create(const struct loop_options *options, struct loop **out_loop)
{
	struct uring_loop *self = calloc(1, sizeof(*self));

	if (self == NULL)
		return -ENOMEM;
	int r = loop_init(&self->loop, &engine_io_uring);

	if (r < 0)
		goto fail_memory;
	loop_timer_init(&self->cool_down, on_cool_down);
	list_init(&self->full_waiting);
	r = ring_init(&self->ring, SQ_ENTRIES, CQ_ENTRIES);
	if (r < 0)
		goto fail_loop;
	self->max_sockets = MAX(options->max_sockets, 1u);
	r = io_uring_register_files_sparse(&self->ring, self->max_sockets);
	if (r == 0)
		r = buffers_init(self);
	if (r < 0) {
		uring_engine_destroy(&self->loop);
		return r;
	}
	*out_loop = &self->loop;
	return 0;

fail_loop:
	loop_finish(&self->loop);
fail_memory:
	free(self);
	return r;
}

/* IORING_OP_SEND_ZC came with Linux 6.0, as multishot receive did, which no probe
 * shows. */
int engine_io_uring_probe(void)
{
	struct loop_options options = {.engine = LOOP_ENGINE_IO_URING, .max_sockets = 8};
	struct loop *loop;
	int r = uring_engine_create(&options, &loop);

	if (r < 0)
		return r;
	struct io_uring_probe *probe = io_uring_get_probe_ring(&uring_of(loop)->ring);

	if (probe == NULL || !io_uring_opcode_supported(probe, IORING_OP_SEND_ZC))
		r = -EINVAL;
	io_uring_free_probe(probe);
	uring_engine_destroy(loop);
	return r;
}

const struct engine engine_io_uring = {
	.name = "io_uring",
	.socket_flags = 0,
	.create = uring_engine_create,
	.destroy = uring_engine_destroy,
	.wait = uring_engine_wait,
	.tcp_start = uring_tcp_start,
	.tcp_connect = uring_tcp_connect,
	.tcp_read_start = uring_tcp_read_start,
	.tcp_read_stop = uring_tcp_read_stop,
	.tcp_work = uring_tcp_work,
	.tcp_close = uring_tcp_close,
	.accepted_close = uring_accepted_close,
	.listener_open = uring_listener_open,
	.listener_update = uring_listener_update,
	.listener_close = uring_listener_close,
	.watch_open = uring_watch_open,
	.watch_close = uring_watch_close,
};
