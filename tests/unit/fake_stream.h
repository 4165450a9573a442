/* SPDX-License-Identifier: Apache-2.0
 * fake_stream.h - a loop without a kernel: its turns, its time, and what streams receive and may
 * send are the test's.
 *
 * It stands behind the seam that both engines have (io/loop_private.h), so that all above it is
 * the real thing: timers, queues, the order of a turn. Bytes that are received lie in memory of
 * exactly their size, so that a sanitizer sees any read beyond them. */
#pragma once

#include "unit.h"

#include <errno.h>

#include "base/buf.h"
#include "base/clock.h"
#include "io/loop_private.h"

enum fake_what { FAKE_NOTHING, FAKE_RECV, FAKE_EOF, FAKE_ERROR, FAKE_CALL };

struct fake_loop {
	struct loop loop;
	uint64_t clock_ns;
	/* What the next turn begins with. */
	enum fake_what what;
	struct tcp *tcp;
	const void *data;
	size_t len;
	void (*call)(void *arg);
	void *arg;
	/* All streams send into one sink. */
	struct buf sent;
	size_t room;  /* [bytes] that it takes now; SIZE_MAX: all */
	bool has_fin; /* we have finished sending */
};

static inline struct fake_loop *fake_of(struct loop *loop)
{
	return CONTAINER_OF(loop, struct fake_loop, loop);
}

static inline void fake_run_posted(struct loop *loop)
{
	struct loop_task *task = __atomic_exchange_n(&loop->posted, NULL, __ATOMIC_ACQUIRE);
	struct loop_task *in_order = NULL;

	while (task != NULL) {
		struct loop_task *next = task->next;

		task->next = in_order;
		in_order = task;
		task = next;
	}
	while (in_order != NULL) {
		task = in_order;
		in_order = task->next;
		task->run(task);
	}
}

static inline void fake_receive(struct fake_loop *fake)
{
	uint8_t *data = malloc(fake->len);

	assert_non_null(data);
	memcpy(data, fake->data, fake->len);
	tcp_received(fake->tcp, data, fake->len);
	free(data);
}

static inline void fake_wait(struct loop *loop, uint64_t timeout_ns)
{
	struct fake_loop *fake = fake_of(loop);
	enum fake_what what = fake->what;

	(void)timeout_ns;
	fake->what = FAKE_NOTHING;
	if (what == FAKE_RECV)
		fake_receive(fake);
	else if (what == FAKE_EOF)
		tcp_receive_ended(fake->tcp, 0);
	else if (what == FAKE_ERROR)
		tcp_fail(fake->tcp, -ECONNRESET);
	else if (what == FAKE_CALL)
		fake->call(fake->arg);
	fake_run_posted(loop);
	loop_stop(loop);
}

static inline uint64_t fake_clock_ns(struct loop *loop)
{
	return fake_of(loop)->clock_ns;
}

static inline void fake_round_begin(struct loop *loop)
{
	(void)loop;
}

static inline bool fake_round_is_over(struct loop *loop)
{
	(void)loop;
	return true;
}

static inline void fake_tcp_nothing(struct tcp *tcp)
{
	(void)tcp;
}

static inline void fake_tcp_work(struct tcp *tcp)
{
	struct fake_loop *fake = fake_of(tcp->loop);
	const uint8_t *data;
	size_t len;

	if (tcp->flags & STREAM_FROZEN)
		return;
	while (fake->room > 0 && !(tcp->flags & STREAM_FAILED) &&
	       (len = tcp_output(tcp, &data)) > 0) {
		len = MIN(len, fake->room);
		assert_int_equal(buf_append(&fake->sent, data, len, SIZE_MAX), 0);
		if (fake->room != SIZE_MAX)
			fake->room -= len;
		tcp_output_sent(tcp, len);
	}
	if (tcp_shutdown_is_due(tcp)) {
		tcp->flags |= STREAM_SHUT_DONE;
		fake->has_fin = true;
	}
}

static inline int fake_tcp_take_fd(struct tcp *tcp)
{
	(void)tcp;
	return -EMFILE;
}

static inline int fake_tcp_import(struct tcp *tcp, int fd)
{
	tcp->fd = fd;
	return 0;
}

static const struct engine fake_engine = {
	.name = "fake",
	.clock_ns = fake_clock_ns,
	.round_begin = fake_round_begin,
	.round_is_over = fake_round_is_over,
	.wait = fake_wait,
	.tcp_start = fake_tcp_nothing,
	.tcp_read_start = fake_tcp_nothing,
	.tcp_read_stop = fake_tcp_nothing,
	.tcp_work = fake_tcp_work,
	.tcp_close = loop_tcp_closed,
	.tcp_freeze = fake_tcp_nothing,
	.tcp_thaw = fake_tcp_nothing,
	.tcp_take_fd = fake_tcp_take_fd,
	.tcp_import = fake_tcp_import,
};

static inline void fake_loop_init(struct fake_loop *fake)
{
	*fake = (struct fake_loop){.room = SIZE_MAX};
	assert_int_equal(loop_init(&fake->loop, &fake_engine), 0);
	fake->clock_ns = fake->loop.now;
}

static inline void fake_loop_finish(struct fake_loop *fake)
{
	assert_null(fake->loop.queued);
	assert_null(fake->loop.posted);
	buf_finish(&fake->sent);
	loop_finish(&fake->loop);
}

static inline void fake_turn(struct fake_loop *fake)
{
	loop_run(&fake->loop);
}

/* --- each is one turn --- */

static inline void fake_recv(struct fake_loop *fake, struct tcp *tcp, const void *data, size_t len)
{
	fake->what = FAKE_RECV;
	fake->tcp = tcp;
	fake->data = data;
	fake->len = len;
	fake_turn(fake);
}

static inline void fake_tell(struct fake_loop *fake, struct tcp *tcp, enum fake_what what)
{
	fake->what = what;
	fake->tcp = tcp;
	fake_turn(fake);
}

static inline void fake_call(struct fake_loop *fake, void (*call)(void *arg), void *arg)
{
	fake->what = FAKE_CALL;
	fake->call = call;
	fake->arg = arg;
	fake_turn(fake);
}

static inline void fake_pass(struct fake_loop *fake, uint64_t ms)
{
	fake->clock_ns += ms * NS_PER_MS;
	fake_turn(fake);
}

/* The peer takes what waits, and what comes. */
static inline void fake_take(struct fake_loop *fake, struct tcp *tcp)
{
	fake->room = SIZE_MAX;
	if (!(tcp->flags & STREAM_CLOSING))
		loop_queue(tcp);
	fake_turn(fake);
}
