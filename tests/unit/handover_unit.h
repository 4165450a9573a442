/* SPDX-License-Identifier: Apache-2.0
 * handover_unit.h - two loops, of any two engines, in the places of two processes: what one of them
 * has goes to the other. */
#pragma once

#include <dirent.h>

#include "io/tcp_handover.h"
#include "io_unit.h"

struct two {
	struct io_fixture from;
	struct io_fixture to;
	unsigned descriptors; /* open at the beginning */
};

#define ROOMY (64u << 20)

static inline unsigned descriptors_count(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

/* Between the turns of both. */
static inline void two_turn_round(struct two *two)
{
	struct loop *loop = two->from.loop;
	enum loop_engine engine = two->from.engine;

	two->from.loop = two->to.loop;
	two->from.engine = two->to.engine;
	two->to.loop = loop;
	two->to.engine = engine;
}

/* --- each test once per pair of engines --- */

struct engines {
	enum loop_engine from, to;
};

static struct engines engine_pairs[] = {
	{LOOP_ENGINE_EPOLL, LOOP_ENGINE_EPOLL},
	{LOOP_ENGINE_IO_URING, LOOP_ENGINE_IO_URING},
	{LOOP_ENGINE_IO_URING, LOOP_ENGINE_EPOLL},
	{LOOP_ENGINE_EPOLL, LOOP_ENGINE_IO_URING},
};

static inline int two_setup(void **state)
{
	const struct engines *engines = *state;
	struct two *two = calloc(1, sizeof(*two));

	io_fixture_init(&two->from, engines->from, 1024);
	io_fixture_init(&two->to, engines->to, 1024);
	two->descriptors = descriptors_count();
	*state = two;
	return 0;
}

static inline int two_teardown(void **state)
{
	struct two *two = *state;

	if (!two->from.has_timed_out && !two->to.has_timed_out) {
		loop_destroy(&two->from.loop);
		loop_destroy(&two->to.loop);
	}
	free(two);
	return 0;
}

#define BETWEEN(test, i, name)                                                  \
	{                                                                       \
#test "/" name, test, two_setup, two_teardown, &engine_pairs[i] \
	}
#define BETWEEN_ALL(test)                                        \
	BETWEEN(test, 0, "epoll"), BETWEEN(test, 1, "io_uring"), \
		BETWEEN(test, 2, "io_uring to epoll"), BETWEEN(test, 3, "epoll to io_uring")

/* Without io_uring only the first row of each is left, and that is said. */
static inline size_t two_keep_possible(struct CMUnitTest *tests, size_t count)
{
	enum loop_engine engine;
	const char *reason;
	size_t kept = 0;

	if (loop_engine_choose(LOOP_ENGINE_IO_URING, &engine, &reason) == 0)
		return count;
	fprintf(stderr, "io_uring is not tested: %s\n", reason);
	for (size_t i = 0; i < count; i++)
		if (tests[i].initial_state == &engine_pairs[0])
			tests[kept++] = tests[i];
	return kept;
}

#define RUN_TWO_TESTS(tests, setup, teardown)                                                     \
	_cmocka_run_group_tests(#tests, tests, two_keep_possible(tests, ARRAY_LEN(tests)), setup, \
				teardown)

/* --- both loops in turn --- */

static inline void turns_of(struct io_fixture *f)
{
	loop_timer_start(f->loop, &f->tick, NS_PER_MS / 2);
	loop_run(f->loop);
	loop_timer_stop(f->loop, &f->tick);
}

#define SPIN_TWO(two, cond)                                                       \
	do {                                                                      \
		uint64_t give_up_at = clock_now_ns() + GIVE_UP_NS;                \
		while (!(cond) && clock_now_ns() < give_up_at) {                  \
			turns_of(&(two)->from);                                   \
			turns_of(&(two)->to);                                     \
		}                                                                 \
		if (!(cond))                                                      \
			fail_msg("line %d: waited in vain: %s", __LINE__, #cond); \
	} while (0)

static inline void settle(struct io_fixture *f)
{
	assert_int_equal(loop_settle(f->loop, clock_now_ns() + GIVE_UP_NS), 0);
}

/* --- a stream goes over --- */

static inline void stream_freeze(struct io_fixture *f, struct stream *stream)
{
	tcp_freeze(&stream->tcp);
	settle(f);
	assert_true(tcp_is_frozen(&stream->tcp));
}

static inline struct buf stream_export(struct stream *stream)
{
	struct buf buf = {0};
	struct state_writer writer;

	state_writer_init(&writer, &buf, ROOMY);
	assert_int_equal(tcp_export(&stream->tcp, &writer), 0);
	return buf;
}

/* From an exact copy. */
static inline int stream_try_import(struct io_fixture *f, struct stream *stream, int fd,
				    struct slice bytes)
{
	uint8_t *copy = malloc(bytes.len + 1);
	struct state_reader reader;

	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	state_reader_init(&reader, slice_of(copy, bytes.len));
	int r = tcp_import(&stream->tcp, f->loop, fd, stream->arg, &reader);

	free(copy);
	return r;
}

/* Of one that is frozen. The new one is frozen too. `handler` is what it has. */
static inline struct stream *stream_copy(struct two *two, struct stream *stream, struct seen *seen,
					 const struct tcp_handler *handler)
{
	struct buf buf = stream_export(stream);
	struct stream *copy = stream_new(seen);
	int fd = tcp_take_fd(&stream->tcp);

	assert_true(fd >= 0);
	copy->arg = (void *)(uintptr_t)handler;
	assert_int_equal(stream_try_import(&two->to, copy, fd, buf_slice(&buf)), 0);
	settle(&two->to);
	assert_true(tcp_is_frozen(&copy->tcp));
	state_wipe(&buf);
	return copy;
}

static inline void stream_forget(struct io_fixture *f, struct stream *stream)
{
	struct seen *seen = stream->seen;

	seen->is_close_called = true;
	tcp_forget(&stream->tcp);
	RUN_UNTIL(f, seen->closes == 1);
}

static inline struct stream *stream_move(struct two *two, struct stream *stream, struct seen *seen,
					 const struct tcp_handler *handler)
{
	stream_freeze(&two->from, stream);
	struct stream *copy = stream_copy(two, stream, seen, handler);

	stream_forget(&two->from, stream);
	tcp_thaw(&copy->tcp);
	return copy;
}
