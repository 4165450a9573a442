/* SPDX-License-Identifier: Apache-2.0
 * uring_tcp.c - streams: sending, connecting, closing. */
#include <errno.h>
#include <unistd.h>

#include "io/seal.h"
#include "io/uring.h"

/* --- sending --- */

static void send_next(struct tcp *tcp, int message_flags)
{
	const uint8_t *data;
	size_t len;

	if ((tcp->flags & (STREAM_SENDING | STREAM_FAILED)) || (len = tcp_output(tcp, &data)) == 0)
		return;
	struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_SEND);

	io_uring_prep_send(sqe, tcp->fd, data, MIN(len, (size_t)INT32_MAX),
			   MSG_NOSIGNAL | message_flags);
	sqe->flags |= IOSQE_FIXED_FILE;
	tcp->flags |= STREAM_SENDING;
}

void uring_send_done(struct tcp *tcp, int res)
{
	tcp->flags &= ~(uint32_t)STREAM_SENDING;
	if (res > 0) {
		if (tcp_output_sent(tcp, (size_t)res) || tcp_shutdown_is_due(tcp))
			loop_queue(tcp);
	} else if (res == -EAGAIN || res == -EINTR || res == -ECANCELED) {
		loop_queue(tcp); /* called off because it was frozen; perhaps it is not any more */
	} else {
		tcp_fail(tcp, res == 0 ? -EPIPE : res);
	}
	uring_operation_done(tcp);
}

void uring_tcp_work(struct tcp *tcp)
{
	if (tcp->flags & (STREAM_CONNECTING | STREAM_IMPORTING | STREAM_FROZEN))
		return;
	if (tcp->flags & STREAM_START_FAILED) {
		tcp_fail(tcp, -ENOMEM);
		return;
	}
	send_next(tcp, 0);
	if (!tcp_shutdown_is_due(tcp) || (tcp->flags & STREAM_SENDING))
		return;
	struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_END);

	tcp->flags |= STREAM_SHUT_DONE;
	io_uring_prep_shutdown(sqe, tcp->fd, SHUT_WR);
	sqe->flags |= IOSQE_FIXED_FILE;
}

/* --- opening and closing streams --- */

void uring_tcp_start(struct tcp *tcp)
{
	uring_receive_first(tcp);
}

int uring_tcp_connect(struct tcp *tcp, int fd, const struct net_addr *remote)
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
	struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_SETUP);

	/* Replaces the descriptor in tcp->fd by a direct one. */
	io_uring_prep_files_update(sqe, &tcp->fd, 1, (int)IORING_FILE_INDEX_ALLOC);
	return 0;
}

static bool is_being_installed(const struct tcp *tcp)
{
	return (tcp->flags & STREAM_IMPORTING) ||
	       ((tcp->flags & STREAM_CONNECTING) && tcp->connect_fd >= 0);
}

void uring_slot_released(struct uring_loop *self)
{
	CHECK(self->socket_count > 0);
	self->socket_count--;
	if (list_is_empty(&self->full_waiting))
		return;
	struct listener *listener = CONTAINER_OF(self->full_waiting.next, struct listener, waiting);

	list_remove(&listener->waiting);
	uring_listener_update(listener);
}

static void connect_finished(struct tcp *tcp, int error)
{
	tcp->flags &= ~(uint32_t)STREAM_CONNECTING;
	tcp->pending = NULL;
	tcp->progress = 0;
	if (error == 0 && uring_wants_bytes(tcp)) /* tcp_read_start came early */
		uring_receive_first(tcp);
	if (!(tcp->flags & STREAM_CLOSING))
		tcp_handler(tcp)->on_connect(tcp, error);
}

static void installed(struct tcp *tcp, int res)
{
	close(tcp->connect_fd);
	tcp->connect_fd = -1;
	if (res < 0) {
		tcp->fd = -1;
		uring_slot_released(uring_of(tcp->loop));
		connect_finished(tcp, res);
		return;
	}
	if (tcp->flags & STREAM_CLOSING) {
		connect_finished(tcp, -ECANCELED);
		return;
	}
	struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_SETUP);

	io_uring_prep_connect(sqe, tcp->fd, &tcp->remote->sa, net_addr_len(tcp->remote));
	sqe->flags |= IOSQE_FIXED_FILE;
}

void uring_setup_done(struct tcp *tcp, int res)
{
	if (tcp->flags & STREAM_IMPORTING)
		uring_imported(tcp, res);
	else if (is_being_installed(tcp))
		installed(tcp, res);
	else
		connect_finished(tcp, res);
	uring_operation_done(tcp);
}

/* One by one: the kernel finds an operation by its user_data in a hash table, but by
 * its descriptor only in a walk over all operations of the ring. */
void uring_cancel_all(struct tcp *tcp, bool with_poll)
{
	static const struct {
		uint32_t flags;
		enum uring_tag tag;
	} rows[] = {
		{STREAM_RECV_ONE | STREAM_RECV_MULTI, TAG_RECV},
		{STREAM_POLL_ARMED, TAG_POLL},
		{STREAM_SENDING, TAG_SEND},
		{STREAM_CONNECTING, TAG_SETUP},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((tcp->flags & rows[i].flags) && (with_poll || rows[i].tag != TAG_POLL))
			uring_cancel(tcp->loop, tcp, rows[i].tag);
}

/* Cancel what is in flight; when all of it is done, close; when that is done too,
 * the kernel holds nothing of the stream any more. */
void uring_tcp_close(struct tcp *tcp)
{
	struct uring_loop *self = uring_of(tcp->loop);

	if (tcp->operations > 0) {
		if ((tcp->flags & STREAM_CANCELLED) || is_being_installed(tcp))
			return;
		tcp->flags |= STREAM_CANCELLED;
		uring_cancel_all(tcp, true);
		return;
	}
	if (tcp->fd >= 0 && seal_farewell(tcp)) {
		send_next(tcp, MSG_DONTWAIT); /* nobody waits for one who does not take it */
		return;
	}
	if (tcp->fd >= 0) {
		struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_END);

		io_uring_prep_close_direct(sqe, (unsigned)tcp->fd);
		tcp->fd = -1;
		tcp->flags |= STREAM_SLOT_CLOSING;
		return;
	}
	if (tcp->flags & STREAM_SLOT_CLOSING)
		uring_slot_released(self);
	loop_tcp_closed(tcp);
}
