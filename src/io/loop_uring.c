/* SPDX-License-Identifier: Apache-2.0
 * loop_uring.c - the io_uring engine: submission, the wait, foreign descriptors, life. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "io/uring.h"

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 8192

/* So many completions at most before what they produced is sent: more would only hold
 * more output buffers at once. */
#define COMPLETIONS_PER_TURN 512

/* One call brings at least so many, if there are as many. */
#define COMPLETIONS_PER_CALL 20

/* --- submission --- */

struct io_uring_sqe *uring_sqe(struct uring_loop *self, void *owner, enum uring_tag tag)
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
	if (owner != NULL)
		self->in_flight++;
	return sqe;
}

struct io_uring_sqe *uring_tcp_sqe(struct tcp *tcp, enum uring_tag tag)
{
	tcp->operations++;
	return uring_sqe(uring_of(tcp->loop), tcp, tag);
}

void uring_cancel(struct loop *loop, void *owner, enum uring_tag tag)
{
	struct io_uring_sqe *sqe = uring_sqe(uring_of(loop), NULL, TAG_NONE);

	io_uring_prep_cancel64(sqe, (uintptr_t)owner | tag, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void uring_operation_done(struct tcp *tcp)
{
	CHECK(tcp->operations > 0);
	tcp->operations--;
	if (tcp_has_settled(tcp))
		loop_settled(tcp);
	if (tcp->operations == 0 && (tcp->flags & STREAM_CLOSING))
		loop_queue(tcp);
}

/* --- foreign descriptors --- */

/* One shot, armed again after each report: so it tells again while it stays ready. */
static void watch_arm(struct watch *watch)
{
	struct io_uring_sqe *sqe = uring_sqe(uring_of(watch->loop), watch, TAG_WATCH);

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
		uring_cancel(watch->loop, watch, TAG_WATCH);
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

void uring_dispatch(struct uring_loop *self, const struct io_uring_cqe *cqe)
{
	void *owner = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);

	CHECK(owner != NULL || (cqe->user_data & TAG_MASK) == TAG_NONE);
	if (owner != NULL && !(cqe->flags & IORING_CQE_F_MORE))
		self->in_flight--;
	switch ((enum uring_tag)(cqe->user_data & TAG_MASK)) {
	case TAG_RECV:
		uring_recv_done(self, owner, cqe);
		break;
	case TAG_POLL:
		uring_poll_done(owner, cqe);
		break;
	case TAG_SEND:
		uring_send_done(owner, cqe->res);
		break;
	case TAG_SETUP:
		uring_setup_done(owner, cqe->res);
		break;
	case TAG_END:
		uring_operation_done(owner);
		break;
	case TAG_ACCEPT:
		uring_accept_done(owner, cqe->res);
		break;
	case TAG_WATCH:
		on_watch_done(owner, cqe->res);
		break;
	case TAG_NONE:
		break;
	}
}

/* Returns how many entries were handed over, or a negative errno. */
static int submit_and_wait(struct uring_loop *self, uint64_t timeout_ns)
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
	return r;
}

/* Has it something to tell that is not in the completion queue yet? It may say so for a
 * while although it has not: the flag is set after what it tells of was added, and that
 * may have been taken in between. */
static bool is_more_told(const struct uring_loop *self)
{
	return (__atomic_load_n(self->ring.sq.kflags, __ATOMIC_RELAXED) &
		(IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/* The kernel tells in the order in which it happened, but only a few at a time: the rest
 * would wait for this turn's work. */
static void collect(struct uring_loop *self)
{
	struct uring_round *round = &self->round;
	unsigned ready = io_uring_cq_ready(&self->ring);

	round->to_collect -= COMPLETIONS_PER_CALL;
	self->has_more = is_more_told(self);
	while (self->has_more && ready < COMPLETIONS_PER_TURN) {
		unsigned before = ready;

		io_uring_get_events(&self->ring);
		ready = io_uring_cq_ready(&self->ring);
		round->to_collect -= COMPLETIONS_PER_CALL;
		self->has_more = is_more_told(self) && ready > before;
	}
	if (round->stage == PASS_COLLECT && (round->to_collect <= 0 || !self->has_more)) {
		round->to_dispatch = *self->ring.cq.khead + io_uring_cq_ready(&self->ring);
		round->stage = PASS_DISPATCH;
	}
}

static void dispatch_kept(struct uring_loop *self)
{
	uint32_t count = self->kept_count;

	self->kept_count = 0; /* nothing is kept in a turn */
	for (uint32_t i = 0; i < count; i++)
		uring_dispatch(self, &self->kept[i]);
}

static void uring_engine_wait(struct loop *loop, uint64_t timeout_ns)
{
	struct uring_loop *self = uring_of(loop);
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;

	uring_feed(self);
	if (self->kept_count > 0)
		timeout_ns = 0;
	self->is_quiet = submit_and_wait(self, timeout_ns) == 0 && self->kept_count == 0;
	collect(self);
	loop_woke(loop, timeout_ns > 0);
	dispatch_kept(self);
	io_uring_for_each_cqe(&self->ring, head, cqe)
	{
		uring_dispatch(self, cqe);
		if (++count == COMPLETIONS_PER_TURN)
			break;
	}
	io_uring_cq_advance(&self->ring, count);
	self->is_quiet = self->is_quiet && count == 0 && !self->has_more;
}

/* --- a round --- */

static void pass_begin(struct uring_loop *self)
{
	self->round.stage = PASS_COLLECT;
	self->round.to_collect = self->in_flight;
}

static void uring_round_begin(struct loop *loop)
{
	uring_of(loop)->round.passes_left = URING_PASSES;
	pass_begin(uring_of(loop));
}

static bool pass_is_over(struct uring_loop *self)
{
	struct uring_round *round = &self->round;

	if (round->stage == PASS_DISPATCH &&
	    (int)(*self->ring.cq.khead - round->to_dispatch) >= 0) {
		round->to_read = hungry_mark(&self->loop);
		round->stage = PASS_READ;
	}
	return round->stage == PASS_READ && hungry_is_past(&self->loop, &round->to_read);
}

static bool uring_round_is_over(struct loop *loop)
{
	struct uring_loop *self = uring_of(loop);

	if (self->is_quiet && hungry_count(loop) == 0)
		return true;
	if (!pass_is_over(self))
		return false;
	pass_begin(self);
	return --self->round.passes_left == 0;
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
			.flags = flag_sets[i] | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
				 IORING_SETUP_TASKRUN_FLAG,
			.cq_entries = cq_entries,
		};
		r = io_uring_queue_init_params(sq_entries, ring, &params);
	}
	return r;
}

static void uring_engine_destroy(struct loop *loop)
{
	struct uring_loop *self = uring_of(loop);

	CHECK(self->hot_count == 0);
	loop_timer_stop(loop, &self->cool_down);
	io_uring_queue_exit(&self->ring);
	uring_buffers_finish(self);
	free(self->kept);
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
	loop_timer_init(&self->cool_down, uring_cool_down);
	list_init(&self->full_waiting);
	r = ring_init(&self->ring, SQ_ENTRIES, CQ_ENTRIES);
	if (r < 0)
		goto fail_loop;
	self->max_sockets = MAX(options->max_sockets, 1u);
	r = io_uring_register_files_sparse(&self->ring, self->max_sockets);
	if (r == 0)
		r = uring_buffers_init(self);
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
	.clock_ns = loop_clock_ns,
	.wait = uring_engine_wait,
	.round_begin = uring_round_begin,
	.round_is_over = uring_round_is_over,
	.tcp_start = uring_tcp_start,
	.tcp_connect = uring_tcp_connect,
	.tcp_read_start = uring_tcp_read_start,
	.tcp_read_stop = uring_tcp_read_stop,
	.tcp_work = uring_tcp_work,
	.tcp_close = uring_tcp_close,
	.tcp_freeze = uring_tcp_freeze,
	.tcp_thaw = uring_tcp_thaw,
	.tcp_take_fd = uring_tcp_take_fd,
	.tcp_import = uring_tcp_import,
	.can_hand_over = uring_can_hand_over,
	.accepted_close = uring_accepted_close,
	.listener_open = uring_listener_open,
	.listener_update = uring_listener_update,
	.listener_close = uring_listener_close,
	.watch_open = uring_watch_open,
	.watch_close = uring_watch_close,
};
