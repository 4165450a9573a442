/* SPDX-License-Identifier: Apache-2.0
 * test_tcp_handover.c - plain streams go from one loop to another: all bytes once, in order, and
 * the peer notices nothing; or it comes to nothing, and they go on where they were. */
#include "base/shared_bytes.h"
#include "handover_unit.h"

/* A numbered stream of bytes, so that one that is lost, doubled or out of order is seen. */
static uint8_t byte_at(size_t at)
{
	return (uint8_t)(at * 31 + at / 251);
}

static void numbered(uint8_t *to, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = byte_at(at + i);
}

/* What comes, over all streams that have had it. */
struct listener_ear {
	size_t got;
};

static void hear(struct stream *stream, const uint8_t *data, size_t len)
{
	struct listener_ear *ear = stream->arg;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], byte_at(ear->got + i));
	ear->got += len;
}

static void peer_say(int fd, size_t *said, size_t len)
{
	uint8_t bytes[4096];

	assert_true(len <= sizeof(bytes));
	numbered(bytes, *said, len);
	peer_write(fd, bytes, len);
	*said += len;
}

/* Takes what is there, and checks it. */
static void peer_hear(int fd, size_t *heard)
{
	static uint8_t bytes[65536];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(bytes[i], byte_at(*heard + (size_t)i));
		*heard += (size_t)n;
	}
}

static int say(struct stream *stream, size_t *said, size_t len)
{
	uint8_t *to = tcp_reserve(&stream->tcp, len);

	assert_non_null(to);
	numbered(to, *said, len);
	tcp_commit(&stream->tcp, len);
	*said += len;
	return 0;
}

static int say_shared(struct stream *stream, size_t *said, size_t len)
{
	struct shared_bytes *shared = shared_bytes_create(len);

	numbered(shared->data, *said, len);
	assert_int_equal(tcp_write_shared(&stream->tcp, shared), 0);
	shared_bytes_unref(&shared);
	*said += len;
	return 0;
}

static struct stream *move(struct two *two, struct stream *stream, struct seen *seen)
{
	void (*on_recv)(struct stream *, const uint8_t *, size_t) = stream->on_recv;
	void *arg = stream->arg;
	struct stream *moved = stream_move(two, stream, seen, &stream_handler);

	moved->on_recv = on_recv;
	moved->arg = arg;
	return moved;
}

static void end(struct two *two, struct stream *stream, int peer)
{
	stream_close_and_wait(&two->to, stream);
	SPIN_TWO(two, recv(peer, &(char){0}, 1, MSG_DONTWAIT) == 0);
	close(peer);
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* --- quiet ones --- */

static void test_idle(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	struct listener_ear ear = {0};
	size_t peer_said = 0, said = 0, heard = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	stream->arg = &ear;
	stream->on_recv = hear;
	peer_say(peer, &peer_said, 100);
	RUN_UNTIL(&two->from, ear.got == 100);
	stream = move(two, stream, &second);
	assert_int_equal(first.closes, 1);
	assert_int_equal(first.errors + first.eofs, 0);
	assert_false(peer_at_eof(peer));
	peer_say(peer, &peer_said, 100);
	RUN_UNTIL(&two->to, ear.got == 200);
	say(stream, &said, 1000);
	SPIN_TWO(two, (peer_hear(peer, &heard), heard == 1000));
	assert_int_equal(second.drains, 1);
	end(two, stream, peer);
}

/* From the ways in which io_uring waits: the first receive, a poll, a multishot receive. */
static void test_from_every_wait(void **state)
{
	struct two *two = *state;

	for (unsigned messages = 0; messages < 6; messages++) {
		struct seen first, second;
		struct listener_ear ear = {0};
		size_t peer_said = 0;
		int peer;
		struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

		stream->arg = &ear;
		stream->on_recv = hear;
		for (unsigned i = 0; i < messages; i++) {
			peer_say(peer, &peer_said, 10);
			RUN_UNTIL(&two->from, ear.got == peer_said);
		}
		turns_of(&two->from);
		stream = move(two, stream, &second);
		for (unsigned i = 0; i < messages; i++) {
			peer_say(peer, &peer_said, 10);
			RUN_UNTIL(&two->to, ear.got == peer_said);
		}
		end(two, stream, peer);
	}
}

/* --- bytes under way --- */

/* Bytes come at every moment: before the freeze, in it, while nobody has the stream, and after. */
static void test_bytes_come_at_every_moment(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	struct listener_ear ear = {0};
	size_t said = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	stream->arg = &ear;
	stream->on_recv = hear;
	for (unsigned i = 0; i < 5; i++) { /* it is an active one */
		peer_say(peer, &said, 300);
		RUN_UNTIL(&two->from, ear.got == said);
	}
	peer_say(peer, &said, 4000);
	tcp_freeze(&stream->tcp);
	peer_say(peer, &said, 4000);
	settle(&two->from);
	assert_true(tcp_is_frozen(&stream->tcp));
	size_t got_before = ear.got;

	peer_say(peer, &said, 4000);
	struct buf buf = stream_export(stream);
	int fd = tcp_take_fd(&stream->tcp);

	assert_true(fd >= 0);
	turns_of(&two->from); /* nothing comes of that */
	assert_int_equal(ear.got, got_before);
	struct stream *moved = stream_new(&second);

	moved->arg = (void *)(uintptr_t)&stream_handler;
	assert_int_equal(stream_try_import(&two->to, moved, fd, buf_slice(&buf)), 0);
	moved->arg = &ear;
	moved->on_recv = hear;
	peer_say(peer, &said, 4000);
	settle(&two->to);
	turns_of(&two->to);
	assert_int_equal(ear.got, got_before);
	stream_forget(&two->from, stream);
	peer_say(peer, &said, 4000);
	assert_int_equal(ear.got, got_before);
	tcp_thaw(&moved->tcp);
	RUN_UNTIL(&two->to, ear.got == said);
	peer_say(peer, &said, 4000);
	RUN_UNTIL(&two->to, ear.got == said);
	state_wipe(&buf);
	end(two, moved, peer);
}

/* --- output --- */

/* The socket takes no more; what it has and what waits arrive once, in order. */
static void test_output_half_sent(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	size_t said = 0, heard = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	for (unsigned i = 0; i < 100; i++)
		say(stream, &said, 100000);
	io_run_for(&two->from, 5 * NS_PER_MS);
	say(stream, &said, 100);
	say_shared(stream, &said, 100000);
	say_shared(stream, &said, 100);
	say(stream, &said, 1000);
	say_shared(stream, &said, 30000);
	assert_true(tcp_queued(&stream->tcp) > 200000);
	stream_freeze(&two->from, stream);
	say(stream, &said, 777); /* waits like the rest */
	say_shared(stream, &said, 70000);
	size_t queued = tcp_queued(&stream->tcp);

	stream = move(two, stream, &second);
	assert_int_equal(tcp_queued(&stream->tcp), queued);
	say(stream, &said, 5000);
	say_shared(stream, &said, 70000);
	SPIN_TWO(two, (peer_hear(peer, &heard), heard == said));
	RUN_UNTIL(&two->to, tcp_queued(&stream->tcp) == 0);
	assert_true(second.drains > 0);
	assert_int_equal(tcp_held(&stream->tcp), 0);
	end(two, stream, peer);
}

/* Nothing leaves while it is frozen. */
static void test_frozen_sends_nothing(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	size_t said = 0, heard = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	stream_freeze(&two->from, stream);
	say(stream, &said, 100);
	for (unsigned i = 0; i < 5; i++)
		turns_of(&two->from);
	assert_int_equal(peer_readable(peer, 1), 0);
	struct stream *moved = stream_copy(two, stream, &second, &stream_handler);

	for (unsigned i = 0; i < 5; i++)
		turns_of(&two->to);
	assert_int_equal(peer_readable(peer, 1), 0);
	stream_forget(&two->from, stream);
	assert_int_equal(peer_readable(peer, 1), 0);
	tcp_thaw(&moved->tcp);
	SPIN_TWO(two, (peer_hear(peer, &heard), heard == said));
	end(two, moved, peer);
}

/* --- ends --- */

static void test_shutdown_waits_for_output(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	struct listener_ear ear = {0};
	size_t said = 0, heard = 0, peer_said = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	stream->arg = &ear;
	stream->on_recv = hear;
	for (unsigned i = 0; i < 100; i++)
		say(stream, &said, 100000);
	tcp_shutdown(&stream->tcp);
	io_run_for(&two->from, 2 * NS_PER_MS);
	stream = move(two, stream, &second);
	SPIN_TWO(two, (peer_hear(peer, &heard), heard == said && peer_at_eof(peer)));
	peer_say(peer, &peer_said, 10); /* reading goes on */
	RUN_UNTIL(&two->to, ear.got == 10);
	end(two, stream, peer);
}

static void test_after_shutdown(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	struct listener_ear ear = {0};
	size_t peer_said = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	stream->arg = &ear;
	stream->on_recv = hear;
	tcp_shutdown(&stream->tcp);
	SPIN_TWO(two, peer_at_eof(peer));
	stream = move(two, stream, &second);
	peer_say(peer, &peer_said, 10);
	RUN_UNTIL(&two->to, ear.got == 10);
	end(two, stream, peer);
}

/* The peer's end is told once: by whom it was told, or by the new one. */
static void test_eof(void **state)
{
	struct two *two = *state;

	for (int is_told = 0; is_told < 2; is_told++) {
		struct seen first, second;
		size_t said = 0, heard = 0;
		int peer;
		struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

		if (is_told) {
			shutdown(peer, SHUT_WR);
			RUN_UNTIL(&two->from, first.eofs == 1);
			stream = move(two, stream, &second);
			for (unsigned i = 0; i < 5; i++)
				turns_of(&two->to);
			assert_int_equal(second.eofs, 0);
		} else {
			stream_freeze(&two->from, stream);
			shutdown(peer, SHUT_WR);
			stream = move(two, stream, &second);
			RUN_UNTIL(&two->to, second.eofs == 1);
		}
		assert_int_equal(first.eofs, is_told);
		say(stream, &said, 100);
		SPIN_TWO(two, (peer_hear(peer, &heard), heard == said));
		end(two, stream, peer);
	}
}

static void test_reset_while_frozen(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	stream_freeze(&two->from, stream);
	peer_reset(peer);
	stream = move(two, stream, &second);
	RUN_UNTIL(&two->to, second.errors == 1);
	assert_int_equal(second.error, -ECONNRESET);
	assert_int_equal(first.errors, 0);
	stream_close_and_wait(&two->to, stream);
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* Bytes that nobody has read do not turn a forgotten stream into a reset. */
static void test_forgotten_with_unread_bytes(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	struct listener_ear ear = {0};
	size_t said = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	stream->arg = &ear;
	stream->on_recv = hear;
	stream_freeze(&two->from, stream);
	peer_say(peer, &said, 4000);
	stream = move(two, stream, &second);
	RUN_UNTIL(&two->to, ear.got == said);
	peer_say(peer, &said, 10);
	RUN_UNTIL(&two->to, ear.got == said);
	end(two, stream, peer);
}

static void test_reading_was_stopped(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	struct listener_ear ear = {0};
	size_t said = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	stream->arg = &ear;
	stream->on_recv = hear;
	tcp_read_stop(&stream->tcp);
	stream_freeze(&two->from, stream);
	size_t got = ear.got;

	stream = move(two, stream, &second);
	peer_say(peer, &said, 100);
	for (unsigned i = 0; i < 5; i++)
		turns_of(&two->to);
	assert_int_equal(ear.got, got);
	tcp_read_start(&stream->tcp);
	RUN_UNTIL(&two->to, ear.got == said);
	end(two, stream, peer);
}

/* --- it comes to nothing --- */

/* However far it came, the old one goes on as if nothing had been. */
static void test_comes_to_nothing(void **state)
{
	struct two *two = *state;

	enum { FROZEN, EXPORTED, TAKEN, IMPORTED, STEPS };

	for (int step = FROZEN; step < STEPS; step++) {
		struct seen first, second;
		struct listener_ear ear = {0};
		size_t said = 0, heard = 0, peer_said = 0;
		struct buf buf = {0};
		int peer, fd = -1;
		struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);
		struct stream *copy = NULL;

		stream->arg = &ear;
		stream->on_recv = hear;
		for (unsigned i = 0; i < 50; i++)
			say(stream, &said, 100000);
		io_run_for(&two->from, 2 * NS_PER_MS);
		tcp_freeze(&stream->tcp);
		peer_say(peer, &peer_said, 1000);
		if (step >= EXPORTED) {
			settle(&two->from);
			buf = stream_export(stream);
		}
		peer_say(peer, &peer_said, 1000);
		if (step >= TAKEN)
			fd = tcp_take_fd(&stream->tcp);
		if (step >= IMPORTED) {
			copy = stream_new(&second);
			copy->arg = (void *)(uintptr_t)&stream_handler;
			assert_int_equal(stream_try_import(&two->to, copy, fd, buf_slice(&buf)), 0);
			stream_forget(&two->to, copy);
		} else if (step >= TAKEN) {
			assert_true(fd >= 0);
			close(fd);
		}
		peer_say(peer, &peer_said, 1000);
		tcp_thaw(&stream->tcp);
		assert_false(tcp_is_frozen(&stream->tcp));
		say(stream, &said, 1000);
		SPIN_TWO(two, (peer_hear(peer, &heard), heard == said && ear.got == peer_said));
		state_wipe(&buf);
		stream_close_and_wait(&two->from, stream);
		SPIN_TWO(two, recv(peer, &(char){0}, 1, MSG_DONTWAIT) == 0);
		close(peer);
		assert_int_equal(descriptors_count(), two->descriptors);
	}
}

static void test_twice_and_back(void **state)
{
	struct two *two = *state;
	struct seen first, second;
	size_t said = 0, heard = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

	tcp_thaw(&stream->tcp); /* harmless */
	tcp_freeze(&stream->tcp);
	tcp_freeze(&stream->tcp);
	tcp_thaw(&stream->tcp); /* before anything has settled */
	say(stream, &said, 10);
	SPIN_TWO(two, (peer_hear(peer, &heard), heard == said));
	settle(&two->from);
	assert_false(tcp_is_frozen(&stream->tcp));
	stream = move(two, stream, &second);
	say(stream, &said, 10);
	SPIN_TWO(two, (peer_hear(peer, &heard), heard == said));
	end(two, stream, peer);
}

static void test_closed_while_frozen(void **state)
{
	struct two *two = *state;

	for (int is_settled = 0; is_settled < 2; is_settled++) {
		struct seen first;
		int peer;
		struct stream *stream = stream_pair(&two->from, LOOPBACK, &first, &peer);

		tcp_freeze(&stream->tcp);
		if (is_settled)
			settle(&two->from);
		stream_close(stream);
		assert_false(tcp_is_frozen(&stream->tcp));
		tcp_freeze(&stream->tcp); /* harmless */
		tcp_thaw(&stream->tcp);
		settle(&two->from);
		RUN_UNTIL(&two->from, first.closes == 1);
		SPIN_TWO(two, peer_at_eof(peer));
		close(peer);
	}
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* Whether an epoll of this process has it (proc(5), fdinfo). */
static bool is_watched(int fd)
{
	bool is_there = false;
	char line[256];
	int target;

	for (int i = 0; i < 1024; i++) {
		snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", i);
		FILE *file = fopen(line, "re");

		while (file != NULL && fgets(line, sizeof(line), file) != NULL)
			is_there |= sscanf(line, "tfd: %d", &target) == 1 && target == fd;
		if (file != NULL)
			fclose(file);
	}
	return is_there;
}

/* While another process is started it has all of our descriptors for a moment: what is closed then
 * must not be told of any more, since its memory goes. */
static void test_closed_while_another_descriptor_is_there(void **state)
{
	struct two *two = *state;
	struct seen seen;
	int peer;

	if (two->from.engine != LOOP_ENGINE_EPOLL)
		return; /* the other one has none that is inherited */
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &seen, &peer);
	int fd = stream->tcp.fd, other = dup(fd);

	assert_true(is_watched(fd));
	stream_close_and_wait(&two->from, stream);
	assert_false(is_watched(fd));
	peer_write(peer, "x", 1);
	io_run_for(&two->from, 2 * NS_PER_MS);
	close(other);
	close(peer);
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* --- what stays, and what is refused --- */

static void test_what_stays(void **state)
{
	struct two *two = *state;
	struct seen seen;
	struct buf buf = {0};
	struct state_writer writer;
	size_t said = 0, heard = 0;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &seen, &peer);

	stream_freeze(&two->from, stream);
	say(stream, &said, 1000);
	state_writer_init(&writer, &buf, 500); /* it may be tried again */
	assert_int_equal(tcp_export(&stream->tcp, &writer), -EMSGSIZE);
	state_wipe(&buf);
	say(stream, &said, 1000);
	buf = stream_export(stream);
	state_wipe(&buf);
	tcp_thaw(&stream->tcp);
	SPIN_TWO(two, (peer_hear(peer, &heard), heard == said));
	stream_close(stream);
	state_writer_init(&writer, &buf, ROOMY);
	assert_int_equal(tcp_export(&stream->tcp, &writer), -EBUSY);
	assert_int_equal(buf.len, 0);
	RUN_UNTIL(&two->from, seen.closes == 1);
	close(peer);
}

static void test_misuse(void **state)
{
	struct two *two = *state;
	static const struct {
		const char *name;
		size_t len;
		uint8_t bytes[32];
		int want;
	} rows[] = {
		{"cut", 5, {1, 0, 0, 0, 0}, -EPROTO},
		{"a flag that is none", 7, {1, 0, 1, 0, 0, 0, 2}, -EPROTO},
		{"reads behind the end", 14, {1, 0, 1, 0, 0, 0, 1, 2, 0, 1, 0, 0, 0, 1}, -EPROTO},
		{"has shut down without wanting to", 7, {4, 0, 1, 0, 0, 0, 1}, -EPROTO},
		{"output behind a shutdown",
		 21,
		 {3, 0, 1, 0, 0, 0, 1, 4, 0, 1, 0, 0, 0, 1, 6, 0, 1, 0, 0, 0, 'x'},
		 -EPROTO},
		{"text of a plain stream", 7, {7, 0, 1, 0, 0, 0, 'x'}, -EPROTO},
		{"no bytes", 6, {6, 0, 0, 0, 0, 0}, -EPROTO},
		{"a seal that is none", 7, {5, 0, 1, 0, 0, 0, 1}, -EPROTO},
		{"what must be understood", 7, {9, 0x80, 1, 0, 0, 0, 1}, -EPROTO},
		{"what is not known", 7, {9, 0, 1, 0, 0, 0, 1}, 0},
		{"nothing", 0, {0}, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen seen;
		int fds[2];
		struct stream *stream = stream_new(&seen);

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		stream->arg = (void *)(uintptr_t)&stream_handler;
		int r = stream_try_import(&two->to, stream, fds[0],
					  slice_of(rows[i].bytes, rows[i].len));

		ASSERT_ROW(r == rows[i].want, rows[i].name);
		if (r == 0) {
			stream_forget(&two->to, stream);
		} else {
			ASSERT_ROW(close(fds[0]) == 0, rows[i].name);
			free(stream);
		}
		close(fds[1]);
	}
	turns_of(&two->to);
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* No direct descriptor, or no descriptor that epoll could watch. */
static void test_import_finds_no_place(void **state)
{
	struct two *two = *state;
	struct io_fixture small;
	struct seen seen[2];
	struct stream *streams[2];
	int fds[2];

	io_fixture_init(&small, two->to.engine, 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	for (size_t i = 0; i < 2; i++) {
		streams[i] = stream_new(&seen[i]);
		streams[i]->arg = (void *)(uintptr_t)&stream_handler;
	}
	assert_int_equal(stream_try_import(&small, streams[0], fds[0], (struct slice){0}), 0);
	if (small.engine == LOOP_ENGINE_IO_URING)
		assert_int_equal(stream_try_import(&small, streams[1], fds[1], (struct slice){0}),
				 -ENFILE);
	else
		assert_true(stream_try_import(&small, streams[1], -1, (struct slice){0}) < 0);
	settle(&small);
	stream_forget(&small, streams[0]);
	assert_int_equal(close(fds[1]), 0);
	free(streams[1]);
	loop_destroy(&small.loop);
}

/* --- many --- */

/* More than one turn's completions, all of them speaking, some with output that waits. */
static void test_many(void **state)
{
	struct two *two = *state;

	enum { COUNT = 300 };

	static struct stream *streams[COUNT];
	static struct seen first[COUNT], second[COUNT];
	static struct listener_ear ears[COUNT];
	static size_t peer_said[COUNT], said[COUNT], heard[COUNT];
	static int peers[COUNT];

	for (size_t i = 0; i < COUNT; i++) {
		streams[i] = stream_pair(&two->from, LOOPBACK, &first[i], &peers[i]);
		ears[i].got = peer_said[i] = said[i] = heard[i] = 0;
		streams[i]->arg = &ears[i];
		streams[i]->on_recv = hear;
	}
	for (unsigned round = 0; round < 4; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			peer_say(peers[i], &peer_said[i], 50);
			say(streams[i], &said[i], i % 10 == 0 ? 400000 : 50);
		}
		turns_of(&two->from);
	}
	for (size_t i = 0; i < COUNT; i++)
		tcp_freeze(&streams[i]->tcp);
	settle(&two->from);
	for (size_t i = 0; i < COUNT; i++) {
		struct stream *copy = stream_copy(two, streams[i], &second[i], &stream_handler);

		copy->arg = &ears[i];
		copy->on_recv = hear;
		peer_say(peers[i], &peer_said[i], 50);
		first[i].is_close_called = true;
		tcp_forget(&streams[i]->tcp);
		streams[i] = copy;
	}
	for (size_t i = 0; i < COUNT; i++)
		tcp_thaw(&streams[i]->tcp);
	for (size_t i = 0; i < COUNT; i++) {
		SPIN_TWO(two, (peer_hear(peers[i], &heard[i]),
			       heard[i] == said[i] && ears[i].got == peer_said[i] &&
				       first[i].closes == 1));
		stream_close(streams[i]);
		close(peers[i]);
	}
	for (size_t i = 0; i < COUNT; i++)
		RUN_UNTIL(&two->to, second[i].closes == 1);
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* To and fro, at moments and with traffic that follow from a number; some hops come to nothing. */
static void test_to_and_fro(void **state)
{
	struct two *two = *state;

	enum { COUNT = 8, HOPS = 60 };

	static struct seen seen[2 * HOPS + 2][COUNT];
	struct stream *streams[COUNT];
	struct listener_ear ears[COUNT] = {{0}};
	size_t peer_said[COUNT] = {0}, said[COUNT] = {0}, heard[COUNT] = {0};
	uint32_t random = 1;
	int peers[COUNT];

	for (size_t i = 0; i < COUNT; i++) {
		streams[i] = stream_pair(&two->from, LOOPBACK, &seen[0][i], &peers[i]);
		streams[i]->arg = &ears[i];
		streams[i]->on_recv = hear;
	}
	for (unsigned hop = 1; hop <= HOPS; hop++) {
		for (size_t i = 0; i < COUNT; i++) {
			random = random * 1664525 + 1013904223;
			peer_say(peers[i], &peer_said[i], 1 + (random >> 20));
			say(streams[i], &said[i], 1 + (random >> (random >> 30 == 0 ? 12 : 20)));
			if (random >> 29 == 0)
				turns_of(&two->from);
			if (random >> 30 == 1)
				peer_hear(peers[i], &heard[i]);
			tcp_freeze(&streams[i]->tcp);
		}
		settle(&two->from);
		for (size_t i = 0; i < COUNT; i++) {
			struct stream *old = streams[i];
			struct stream *copy = stream_copy(two, old, &seen[hop][i], &stream_handler);
			bool is_gone = (random >> (i % 16)) % 8 != 0;

			copy->arg = &ears[i];
			copy->on_recv = hear;
			if (is_gone) {
				stream_forget(&two->from, old);
				tcp_thaw(&copy->tcp);
				streams[i] = copy;
				continue;
			}
			stream_forget(&two->to, copy);
			tcp_thaw(&old->tcp);
			/* It goes alone. */
			streams[i] = stream_move(two, old, &seen[HOPS + hop][i], &stream_handler);
			streams[i]->arg = &ears[i];
			streams[i]->on_recv = hear;
		}
		two_turn_round(two);
	}
	for (size_t i = 0; i < COUNT; i++) {
		SPIN_TWO(two, (peer_hear(peers[i], &heard[i]),
			       heard[i] == said[i] && ears[i].got == peer_said[i]));
		stream_close_and_wait(&two->from, streams[i]);
		close(peers[i]);
	}
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* While descriptors are taken nobody else is told anything; what came meanwhile is told after. */
static void test_others_wait_while_it_stands_still(void **state)
{
	struct two *two = *state;
	struct seen frozen_seen, live_seen;
	struct listener_ear ear = {0};
	size_t said = 0, written = 0, heard = 0;
	int frozen_peer, live_peer;
	struct stream *frozen = stream_pair(&two->from, LOOPBACK, &frozen_seen, &frozen_peer);
	struct stream *live = stream_pair(&two->from, LOOPBACK, &live_seen, &live_peer);

	live->arg = &ear;
	live->on_recv = hear;
	for (unsigned i = 0; i < 5; i++) {
		peer_say(live_peer, &said, 10);
		RUN_UNTIL(&two->from, ear.got == said);
	}
	stream_freeze(&two->from, frozen);
	struct buf buf = stream_export(frozen);
	size_t got = ear.got;

	for (unsigned i = 0; i < 50; i++) {
		peer_say(live_peer, &said, 100);
		say(live, &written, 100);
		int fd = tcp_take_fd(&frozen->tcp);

		assert_true(fd >= 0);
		close(fd);
	}
	assert_int_equal(ear.got, got);
	tcp_thaw(&frozen->tcp);
	SPIN_TWO(two, (peer_hear(live_peer, &heard), ear.got == said && heard == written));
	state_wipe(&buf);
	stream_close_and_wait(&two->from, frozen);
	stream_close_and_wait(&two->from, live);
	close(frozen_peer);
	close(live_peer);
}

/* --- the loop --- */

static void nothing(struct timer *timer)
{
	CHECK(timer == NULL); /* never */
}

/* No timer fires while it settles, and all of them after. */
static void test_timers_wait(void **state)
{
	struct two *two = *state;
	struct seen seen;
	struct timer timer;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &seen, &peer);

	loop_timer_init(&timer, nothing);
	loop_timer_start(two->from.loop, &timer, 0);
	stream_freeze(&two->from, stream);
	assert_true(loop_timer_is_running(&timer));
	loop_timer_stop(two->from.loop, &timer);
	tcp_thaw(&stream->tcp);
	io_run_for(&two->from, NS_PER_MS); /* timers run */
	stream_close_and_wait(&two->from, stream);
	close(peer);
}

static void test_settle_gives_up(void **state)
{
	struct two *two = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(&two->from, LOOPBACK, &seen, &peer);

	turns_of(&two->from);
	tcp_freeze(&stream->tcp);
	int r = loop_settle(two->from.loop, 0); /* it is long past */

	assert_int_equal(r, tcp_is_frozen(&stream->tcp) ? 0 : -ETIMEDOUT);
	settle(&two->from);
	assert_true(tcp_is_frozen(&stream->tcp));
	assert_int_equal(loop_engine_can_hand_over(two->from.engine), 0);
	tcp_thaw(&stream->tcp);
	stream_close_and_wait(&two->from, stream);
	close(peer);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		BETWEEN_ALL(test_idle),
		BETWEEN_ALL(test_from_every_wait),
		BETWEEN_ALL(test_bytes_come_at_every_moment),
		BETWEEN_ALL(test_output_half_sent),
		BETWEEN_ALL(test_frozen_sends_nothing),
		BETWEEN_ALL(test_shutdown_waits_for_output),
		BETWEEN_ALL(test_after_shutdown),
		BETWEEN_ALL(test_eof),
		BETWEEN_ALL(test_reset_while_frozen),
		BETWEEN_ALL(test_forgotten_with_unread_bytes),
		BETWEEN_ALL(test_reading_was_stopped),
		BETWEEN_ALL(test_comes_to_nothing),
		BETWEEN_ALL(test_twice_and_back),
		BETWEEN_ALL(test_closed_while_frozen),
		BETWEEN_ALL(test_closed_while_another_descriptor_is_there),
		BETWEEN_ALL(test_what_stays),
		BETWEEN_ALL(test_misuse),
		BETWEEN_ALL(test_import_finds_no_place),
		BETWEEN_ALL(test_many),
		BETWEEN_ALL(test_to_and_fro),
		BETWEEN_ALL(test_others_wait_while_it_stands_still),
		BETWEEN_ALL(test_timers_wait),
		BETWEEN_ALL(test_settle_gives_up),
	};

	return RUN_TWO_TESTS(tests, NULL, NULL);
}
