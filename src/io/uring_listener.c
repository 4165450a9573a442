/* SPDX-License-Identifier: Apache-2.0
 * uring_listener.c - accepting into direct descriptors, never more than there are. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "io/uring.h"

/* A multishot accept may take this many connections before we can stop it; with
 * fewer free direct descriptors than this, accept one at a time. */
#define ACCEPT_BURST 4096

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
	struct io_uring_sqe *sqe = uring_sqe(self, listener, TAG_ACCEPT);

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

void uring_listener_update(struct listener *listener)
{
	bool want = !(listener->flags & (LISTENER_STARVED | LISTENER_CLOSING));

	if (!want)
		list_remove(&listener->waiting);
	if (want && !(listener->flags & LISTENER_ARMED))
		accept_arm(listener);
	else if (!want && (listener->flags & LISTENER_ARMED))
		uring_cancel(listener->loop, listener, TAG_ACCEPT);
}

static int make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

int uring_listener_open(struct listener *listener)
{
	/* On a non-blocking socket io_uring answers EAGAIN instead of waiting. */
	int r = make_blocking(listener->fd);

	if (r == 0)
		accept_arm(listener);
	return r;
}

void uring_listener_close(struct listener *listener)
{
	list_remove(&listener->waiting);
	if (listener->operations > 0) {
		uring_cancel(listener->loop, listener, TAG_ACCEPT);
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
		uring_cancel(listener->loop, listener, TAG_ACCEPT);
}

void uring_accept_done(struct uring_loop *self, struct listener *listener,
		       const struct io_uring_cqe *cqe)
{
	bool is_final = !(cqe->flags & IORING_CQE_F_MORE);
	bool has_slot = !(listener->flags & LISTENER_MULTI);

	if (is_final)
		listener->flags &= ~(uint32_t)(LISTENER_ARMED | LISTENER_MULTI);
	if (cqe->res >= 0 && !has_slot)
		self->socket_count++;
	if (cqe->res < 0 && has_slot)
		uring_slot_released(self);
	if (cqe->res >= 0)
		accepted(self, listener, cqe->res);
	else if (listener_is_starvation(cqe->res) && !(listener->flags & LISTENER_CLOSING))
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

void uring_accepted_close(struct loop *loop, int fd)
{
	struct io_uring_sqe *sqe = uring_sqe(uring_of(loop), NULL, TAG_NONE);

	io_uring_prep_close_direct(sqe, (unsigned)fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	uring_slot_released(uring_of(loop));
}
