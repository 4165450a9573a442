/* SPDX-License-Identifier: Apache-2.0
 * loop_epoll.c - the epoll engine: emulates completions with edge-triggered
 * readiness. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/epoll.h"
#include "io/seal.h"

/* [bytes] What one turn reads in all, before those who came meanwhile are looked at. A
 * small receive counts for more than it brings: it costs as much. */
#define BYTES_PER_TURN    524288
#define BYTES_PER_RECEIVE 2048

int epoll_control(struct loop *loop, int op, int fd, uint32_t events, void *object,
		  enum epoll_tag tag)
{
	struct epoll_event event = {.events = events, .data.u64 = (uintptr_t)object | tag};

	if (epoll_ctl(epoll_of(loop)->epoll_fd, op, fd, &event) < 0)
		return -errno;
	if (op == EPOLL_CTL_ADD)
		epoll_of(loop)->registered++;
	return 0;
}

void epoll_close(struct loop *loop, int fd)
{
	epoll_ctl(epoll_of(loop)->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	epoll_of(loop)->registered--;
	close(fd);
}

static int epoll_engine_create(const struct loop_options *options, struct loop **out_loop)
{
	struct epoll_loop *self = calloc(1, sizeof(*self));

	(void)options;
	if (self == NULL)
		return -ENOMEM;
	int r = loop_init(&self->loop, &engine_epoll);

	if (r < 0)
		goto fail_memory;
	self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (self->epoll_fd < 0) {
		r = -errno;
		goto fail_loop;
	}
	*out_loop = &self->loop;
	return 0;

fail_loop:
	loop_finish(&self->loop);
fail_memory:
	free(self);
	return r;
}

static void epoll_engine_destroy(struct loop *loop)
{
	struct epoll_loop *self = epoll_of(loop);

	close(self->epoll_fd);
	loop_finish(loop);
	free(self);
}

/* --- streams --- */

static bool may_receive(const struct tcp *tcp)
{
	return (tcp->flags & (STREAM_READABLE | STREAM_READING | STREAM_EOF | STREAM_CLOSING |
			      STREAM_FAILED | STREAM_FROZEN)) == (STREAM_READABLE | STREAM_READING);
}

/* One recv; returns its bytes, or 0. */
static size_t receive(struct tcp *tcp, size_t share)
{
	uint8_t *buffer = epoll_of(tcp->loop)->receive_buffer;
	ssize_t n = recv(tcp->fd, buffer, share, MSG_DONTWAIT);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0 && errno == EAGAIN) {
		tcp->flags &= ~(uint32_t)STREAM_READABLE;
		return 0;
	}
	if (n <= 0) {
		tcp_receive_ended(tcp, n == 0 ? 0 : -errno);
		return 0;
	}
	/* Short of what was asked for means empty, unless the end of the stream follows; an
	 * edge that comes later sets the flag again. */
	if ((size_t)n < share && !(tcp->flags & STREAM_HANGUP))
		tcp->flags &= ~(uint32_t)STREAM_READABLE;
	tcp_received(tcp, buffer, (size_t)n);
	return (size_t)n;
}

static void flush(struct tcp *tcp)
{
	const uint8_t *data;
	size_t len;

	while ((tcp->flags & (STREAM_WRITABLE | STREAM_FAILED | STREAM_CLOSING | STREAM_FROZEN)) ==
		       STREAM_WRITABLE &&
	       (len = tcp_output(tcp, &data)) > 0) {
		ssize_t n = send(tcp->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			tcp->flags &= ~(uint32_t)STREAM_WRITABLE;
			return;
		}
		if (n < 0) {
			tcp_fail(tcp, -errno);
			return;
		}
		if ((size_t)n < len)
			tcp->flags &= ~(uint32_t)STREAM_WRITABLE;
		if (!tcp_output_sent(tcp, (size_t)n))
			return;
	}
}

/* One after the other, as far as a turn goes. What the bytes of one bring forth leaves
 * at once, while it is in the cache, and gives its buffer back for the next. */
static void read_hungry(struct loop *loop)
{
	size_t left = BYTES_PER_TURN, share = hungry_share(loop);
	struct tcp *tcp;

	while (left > 0 && (tcp = hungry_take(loop)) != NULL) {
		if (!may_receive(tcp))
			continue; /* tcp_read_start comes back to it */
		size_t bytes = receive(tcp, share);
		size_t cost = MAX(bytes, (size_t)BYTES_PER_RECEIVE);

		left -= MIN(left, cost);
		if (!(tcp->flags & STREAM_CLOSING))
			flush(tcp);
		if (may_receive(tcp) && !(tcp->flags & STREAM_HUNGRY))
			hungry_add_rest(tcp);
	}
}

static void epoll_tcp_work(struct tcp *tcp)
{
	if (tcp->flags & (STREAM_CONNECTING | STREAM_FROZEN))
		return;
	if (tcp->flags & STREAM_START_FAILED) {
		tcp_fail(tcp, -ENOSPC);
		return;
	}
	flush(tcp);
	if (tcp_shutdown_is_due(tcp) && !(tcp->flags & STREAM_CLOSING)) {
		tcp->flags |= STREAM_SHUT_DONE;
		shutdown(tcp->fd, SHUT_WR);
	}
}

static int register_stream(struct tcp *tcp)
{
	return epoll_control(tcp->loop, EPOLL_CTL_ADD, tcp->fd,
			     EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, tcp, TAG_TCP);
}

static void epoll_tcp_start(struct tcp *tcp)
{
	int r = register_stream(tcp);

	tcp->flags |= STREAM_WRITABLE; /* a new socket is; trying proves it */
	if (r < 0) {
		/* Out of memory or of fs.epoll.max_user_watches: the stream cannot live.
		 * Told from the loop, not from inside tcp_adopt. */
		tcp->flags |= STREAM_START_FAILED;
		loop_queue(tcp);
	}
}

static int epoll_tcp_connect(struct tcp *tcp, int fd, const struct net_addr *remote)
{
	tcp->fd = fd;
	if (connect(fd, &remote->sa, net_addr_len(remote)) < 0 && errno != EINPROGRESS) {
		int r = -errno;

		/* A refusal on loopback comes at once, an unreachable network too: told
		 * by return value, as an error of the call. */
		close(fd);
		return r;
	}
	int r = register_stream(tcp);

	if (r < 0)
		close(fd);
	return r;
}

static void connected(struct tcp *tcp)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	tcp->flags &= ~(uint32_t)STREAM_CONNECTING;
	tcp->flags |= STREAM_WRITABLE;
	tcp_handler(tcp)->on_connect(tcp, -error);
}

static void on_tcp_event(struct tcp *tcp, uint32_t events)
{
	if (tcp->flags & STREAM_CLOSING)
		return;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		tcp->flags |= STREAM_HANGUP;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		tcp->flags |= STREAM_READABLE;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		if (tcp->flags & STREAM_CONNECTING) {
			connected(tcp);
		} else {
			tcp->flags |= STREAM_WRITABLE;
			if (tcp_queued(tcp) > 0)
				loop_queue(tcp);
		}
	}
	if (may_receive(tcp) && !(tcp->flags & (STREAM_CONNECTING | STREAM_HUNGRY)))
		hungry_add_fresh(tcp);
}

static void epoll_tcp_read_start(struct tcp *tcp)
{
	if (may_receive(tcp) && !(tcp->flags & (STREAM_CONNECTING | STREAM_HUNGRY)))
		hungry_add_rest(tcp);
}

static void epoll_tcp_read_stop(struct tcp *tcp)
{
	(void)tcp; /* the flag is looked at before each receive */
}

static void epoll_tcp_close(struct tcp *tcp)
{
	const uint8_t *data;

	if (seal_farewell(tcp)) { /* if the kernel takes it */
		size_t len = tcp_output(tcp, &data);

		(void)send(tcp->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (tcp->flags & STREAM_START_FAILED)
		close(tcp->fd);
	else
		epoll_close(tcp->loop, tcp->fd);
	loop_tcp_closed(tcp);
}

/* --- streams of other processes --- */

static void epoll_tcp_freeze(struct tcp *tcp)
{
	(void)tcp; /* its flag is looked at before each call */
}

static int epoll_tcp_take_fd(struct tcp *tcp)
{
	int fd = fcntl(tcp->fd, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* epoll tells at once what is there to be read. */
static int epoll_tcp_import(struct tcp *tcp, int fd)
{
	tcp->fd = fd;
	tcp->flags |= STREAM_WRITABLE;
	return register_stream(tcp);
}

static int epoll_can_hand_over(void)
{
	return 0;
}

/* --- foreign descriptors --- */

static int epoll_watch_open(struct watch *watch)
{
	uint32_t events = (watch->events & LOOP_READABLE ? EPOLLIN : 0u) |
			  (watch->events & LOOP_WRITABLE ? EPOLLOUT : 0u);

	return epoll_control(watch->loop, EPOLL_CTL_ADD, watch->fd, events, watch, TAG_WATCH);
}

static void epoll_watch_close(struct watch *watch)
{
	if (epoll_control(watch->loop, EPOLL_CTL_DEL, watch->fd, 0, watch, TAG_WATCH) == 0)
		epoll_of(watch->loop)->registered--;
	loop_watch_closed(watch);
}

static void on_watch_event(struct watch *watch, uint32_t events)
{
	unsigned ready = (events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? LOOP_READABLE : 0u) |
			 (events & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? LOOP_WRITABLE : 0u);

	if (!watch->is_closing)
		watch->on_ready(watch, ready & watch->events);
}

/* --- the wait --- */

static int timeout_ms(uint64_t timeout_ns)
{
	if (timeout_ns == UINT64_MAX)
		return -1;
	return (int)MIN((timeout_ns + NS_PER_MS - 1) / NS_PER_MS, UINT64_C(3600000));
}

static void epoll_engine_wait(struct loop *loop, uint64_t timeout_ns)
{
	struct epoll_loop *self = epoll_of(loop);
	int count = epoll_wait(self->epoll_fd, self->events, EVENTS_PER_WAIT,
			       timeout_ms(timeout_ns));

	CHECK(count >= 0 || errno == EINTR);
	loop_woke(loop, timeout_ns > 0);
	/* Fewer than asked for: it has no more. */
	if (count >= 0)
		self->to_collect = count < EVENTS_PER_WAIT ? 0 : self->to_collect - count;
	/* An object closed by an earlier event of this batch keeps its memory until
	 * the end of the turn, so the later ones may still look at it. */
	for (int i = 0; i < count; i++) {
		uint64_t data = self->events[i].data.u64;
		void *object = (void *)(uintptr_t)(data & ~(uint64_t)TAG_MASK);
		uint32_t events = self->events[i].events;

		switch ((enum epoll_tag)(data & TAG_MASK)) {
		case TAG_TCP:
			on_tcp_event(object, events);
			break;
		case TAG_LISTENER:
			epoll_listener_event(object);
			break;
		case TAG_WATCH:
			on_watch_event(object, events);
			break;
		case TAG_MASK:
			CHECK(false);
		}
	}
	read_hungry(loop);
}

static void epoll_round_begin(struct loop *loop)
{
	epoll_of(loop)->to_collect = epoll_of(loop)->registered;
	epoll_of(loop)->is_collecting = true;
}

/* The kernel hands out its events first in, first out: when as many were seen as could
 * have waited, all that waited were. */
static bool epoll_round_is_over(struct loop *loop)
{
	struct epoll_loop *self = epoll_of(loop);

	if (self->is_collecting && self->to_collect > 0)
		return false;
	if (self->is_collecting)
		self->to_read = hungry_mark(loop);
	self->is_collecting = false;
	return hungry_is_past(loop, &self->to_read);
}

const struct engine engine_epoll = {
	.name = "epoll",
	.socket_flags = SOCK_NONBLOCK,
	.create = epoll_engine_create,
	.destroy = epoll_engine_destroy,
	.clock_ns = loop_clock_ns,
	.wait = epoll_engine_wait,
	.round_begin = epoll_round_begin,
	.round_is_over = epoll_round_is_over,
	.tcp_start = epoll_tcp_start,
	.tcp_connect = epoll_tcp_connect,
	.tcp_read_start = epoll_tcp_read_start,
	.tcp_read_stop = epoll_tcp_read_stop,
	.tcp_work = epoll_tcp_work,
	.tcp_close = epoll_tcp_close,
	.tcp_freeze = epoll_tcp_freeze,
	.tcp_thaw = epoll_tcp_read_start,
	.tcp_take_fd = epoll_tcp_take_fd,
	.tcp_import = epoll_tcp_import,
	.can_hand_over = epoll_can_hand_over,
	.accepted_close = epoll_accepted_close,
	.listener_open = epoll_listener_open,
	.listener_update = epoll_listener_update,
	.listener_close = epoll_listener_close,
	.watch_open = epoll_watch_open,
	.watch_close = epoll_watch_close,
};
