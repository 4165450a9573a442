/* SPDX-License-Identifier: Apache-2.0
 * uring_recv.c - receiving: poll while idle, multishot receive while active. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "io/uring.h"

/* Activity is counted in periods: bytes in the current or the last one make a
 * stream active; after IDLE_PERIODS without, it waits with poll again. */
#define PERIOD_NS    NS_PER_S
#define IDLE_PERIODS 4

/* [bytes] Less is not assumed of a receive in turn. */
#define TYPICAL_MIN 2048

static uint16_t period_of(const struct loop *loop)
{
	return (uint16_t)(loop->now / PERIOD_NS);
}

static bool is_active(const struct tcp *tcp)
{
	return (uint16_t)(period_of(tcp->loop) - tcp->heard) <= 1;
}

bool uring_wants_bytes(const struct tcp *tcp)
{
	return (tcp->flags & (STREAM_READING | STREAM_EOF | STREAM_CLOSING | STREAM_FAILED |
			      STREAM_FROZEN)) == STREAM_READING;
}

static bool is_being_read(const struct tcp *tcp)
{
	return (tcp->flags & (STREAM_RECV_ONE | STREAM_RECV_MULTI | STREAM_HUNGRY)) != 0;
}

/* Up to `share` bytes; 0: as many as the buffer holds. */
static void receive_one(struct tcp *tcp, size_t share, int message_flags)
{
	struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_RECV);

	io_uring_prep_recv(sqe, tcp->fd, NULL, share, message_flags);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = URING_BUFFER_GROUP;
	tcp->flags |= STREAM_RECV_ONE;
}

void uring_receive_first(struct tcp *tcp)
{
	receive_one(tcp, 0, 0);
}

static void poll_arm(struct tcp *tcp)
{
	struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_POLL);

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
		hungry_add_fresh(tcp);
		return;
	}
	if (tcp->flags & STREAM_POLL_ARMED)
		uring_cancel(tcp->loop, tcp, TAG_POLL);
	struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_RECV);

	io_uring_prep_recv_multishot(sqe, tcp->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = URING_BUFFER_GROUP;
	tcp->flags |= STREAM_RECV_MULTI;
}

static void receive_cancel(struct tcp *tcp)
{
	if ((tcp->flags & (STREAM_RECV_MULTI | STREAM_RECV_CANCEL)) != STREAM_RECV_MULTI)
		return;
	tcp->flags |= STREAM_RECV_CANCEL;
	uring_cancel(tcp->loop, tcp, TAG_RECV);
}

void uring_cool_down(struct timer *timer)
{
	struct uring_loop *self = CONTAINER_OF(timer, struct uring_loop, cool_down);
	uint16_t now = period_of(&self->loop);

	for (uint32_t i = 0; i < self->hot_count; i++)
		if ((uint16_t)(now - self->hot[i]->heard) > IDLE_PERIODS)
			receive_cancel(self->hot[i]);
	if (self->hot_count > 0) {
		loop_timer_start(&self->loop, &self->cool_down, PERIOD_NS);
		return;
	}
	free(self->hot);
	self->hot = NULL;
	self->hot_cap = 0;
}

/* --- in turn --- */

/* Single receives are done inline, in the order of submission, and each takes memory from
 * the same few buffers: more of them than there is memory for would fail, always the same
 * ones if they came back in that order. What such a receive brings is guessed; whose guess
 * was wrong is the next. */
void uring_feed(struct uring_loop *self)
{
	size_t share = hungry_share(&self->loop);
	uint32_t room = uring_buffers_room(self, MAX(self->typical_bytes, (uint32_t)TYPICAL_MIN));
	struct tcp *tcp;

	while (self->fed < room && (tcp = hungry_take(&self->loop)) != NULL) {
		if (!uring_wants_bytes(tcp))
			continue; /* tcp_read_start comes back to it */
		receive_one(tcp, share, MSG_DONTWAIT);
		tcp->flags |= STREAM_FED;
		self->fed++;
	}
}

static void fed(struct uring_loop *self, struct tcp *tcp, int res)
{
	tcp->flags &= ~(uint32_t)STREAM_FED;
	self->fed--;
	if (res > 0)
		self->typical_bytes += (uint32_t)res / 8 - self->typical_bytes / 8;
}

/* No receive is in flight any more: how to go on. `is_nonempty`: more bytes were
 * there a moment ago. */
static void receive_next(struct tcp *tcp, bool is_nonempty)
{
	if (is_nonempty || (tcp->flags & STREAM_HANGUP))
		hungry_add_rest(tcp);
	else if (!(tcp->flags & STREAM_POLL_ARMED))
		poll_arm(tcp);
}

/* A poll that is already armed reports edges only, and one may have passed while
 * reading was off: so ask the socket. Else wait in the receive itself, which is one
 * operation less for a stream that speaks at once. */
void uring_tcp_read_start(struct tcp *tcp)
{
	if (is_being_read(tcp) || (tcp->flags & (STREAM_CONNECTING | STREAM_IMPORTING)))
		return;
	if (tcp->flags & STREAM_POLL_ARMED)
		hungry_add_rest(tcp);
	else
		uring_receive_first(tcp);
}

/* Most of those that are thawed at once are idle: they wait with a poll, which tells what is there
 * already. */
void uring_tcp_thaw(struct tcp *tcp)
{
	if (!uring_wants_bytes(tcp) || (tcp->flags & STREAM_IMPORTING))
		return;
	if (is_being_read(tcp) || (tcp->flags & STREAM_POLL_ARMED))
		uring_tcp_read_start(tcp);
	else
		poll_arm(tcp);
}

void uring_tcp_read_stop(struct tcp *tcp)
{
	receive_cancel(tcp);
}

static void hand_out(struct uring_loop *self, struct tcp *tcp, const struct io_uring_cqe *cqe)
{
	uint8_t *data = uring_buffer_take(self, cqe);

	if (cqe->res > 0) {
		tcp->heard = period_of(&self->loop);
		if (!(tcp->flags & (STREAM_CLOSING | STREAM_EOF | STREAM_FAILED)))
			tcp_received(tcp, data, (size_t)cqe->res);
	}
	uring_buffer_done(self, cqe);
}

void uring_recv_done(struct uring_loop *self, struct tcp *tcp, const struct io_uring_cqe *cqe)
{
	int res = cqe->res;
	uint32_t flags = cqe->flags;
	bool is_last = !(flags & IORING_CQE_F_MORE);
	bool is_fed = (tcp->flags & STREAM_FED) != 0;

	if (is_last) {
		if (tcp->flags & STREAM_RECV_MULTI)
			hot_remove(tcp);
		tcp->flags &= ~(uint32_t)(STREAM_RECV_ONE | STREAM_RECV_MULTI | STREAM_RECV_CANCEL);
		if (is_fed)
			fed(self, tcp, res);
	}
	if (flags & IORING_CQE_F_BUFFER)
		hand_out(self, tcp, cqe);
	if (res == 0)
		tcp_receive_ended(tcp, 0);
	else if (res < 0 && res != -ENOBUFS && res != -ECANCELED && res != -EAGAIN && res != -EINTR)
		tcp_receive_ended(tcp, res);
	if (!is_last)
		return;
	if (uring_wants_bytes(tcp) && !is_being_read(tcp)) {
		if (is_fed && res == -ENOBUFS)
			hungry_put_back(tcp);
		else
			receive_next(tcp, res == -ENOBUFS || (flags & IORING_CQE_F_SOCK_NONEMPTY));
	}
	uring_operation_done(tcp);
}

void uring_poll_done(struct tcp *tcp, const struct io_uring_cqe *cqe)
{
	bool is_last = !(cqe->flags & IORING_CQE_F_MORE);

	if (is_last)
		tcp->flags &= ~(uint32_t)STREAM_POLL_ARMED;
	/* No edge will come after this one, and a reset behind the last bytes is not
	 * announced by F_SOCK_NONEMPTY. */
	if (cqe->res > 0 && (cqe->res & (POLLERR | POLLHUP)))
		tcp->flags |= STREAM_HANGUP;
	/* While a receive is in flight it will see the bytes itself. */
	if (uring_wants_bytes(tcp) && !is_being_read(tcp)) {
		if (cqe->res == -ECANCELED)
			poll_arm(tcp);
		else if (is_active(tcp) && hungry_count(tcp->loop) == 0)
			receive_multi(tcp);
		else
			hungry_add_fresh(tcp);
	}
	if (is_last)
		uring_operation_done(tcp);
}
