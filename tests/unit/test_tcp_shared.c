/* SPDX-License-Identifier: Apache-2.0
 * Bytes that many streams share: order, references, closing; on both engines. */
#include "io_unit.h"

#include "base/shared_bytes.h"

#define LARGE 50000
#define SMALL 64

static struct shared_bytes *bytes_new(size_t len, uint8_t first)
{
	struct shared_bytes *bytes = shared_bytes_create(len);

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes->data[i] = (uint8_t)(first + i * 31);
	return bytes;
}

static void run_one_turn(struct io_fixture *f)
{
	loop_timer_start(f->loop, &f->tick, 0);
	loop_run(f->loop);
}

static void test_the_last_reference_frees(void **state)
{
	(void)state;
	struct shared_bytes *bytes = bytes_new(3, 0);
	struct shared_bytes *again = shared_bytes_ref(bytes);

	assert_ptr_equal(again, bytes);
	assert_int_equal(bytes->references, 2);
	shared_bytes_unref(&bytes);
	assert_null(bytes);
	assert_int_equal(again->references, 1);
	assert_int_equal(shared_bytes_slice(again).len, 3);
	shared_bytes_unref(&again);
	shared_bytes_unref(&again); /* NULL in it is fine */
	assert_null(shared_bytes_create(SIZE_MAX));
}

static void test_bytes_are_shared_but_short_ones_copied_behind_others(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);
	struct shared_bytes *large = bytes_new(LARGE, 1), *small = bytes_new(SMALL, 2);

	assert_int_equal(tcp_write_shared(&stream->tcp, small), 0);
	assert_int_equal(small->references, 2);
	assert_int_equal(tcp_write_shared(&stream->tcp, small), 0);
	assert_int_equal(small->references, 2);
	assert_int_equal(tcp_write_shared(&stream->tcp, large), 0);
	assert_int_equal(large->references, 2);
	assert_int_equal(tcp_queued(&stream->tcp), LARGE + 2 * SMALL);
	RUN_UNTIL(f, seen.drains == 1);
	assert_int_equal(small->references + large->references, 2);
	assert_int_equal(tcp_queued(&stream->tcp), 0);
	close(peer);
	stream_close_and_wait(f, stream);
	shared_bytes_unref(&large);
	shared_bytes_unref(&small);
}

/* Many slow ones cost little, whatever the size of the message. */
static void test_what_waits_for_a_slow_reader_is_not_copied(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);
	struct shared_bytes *first = bytes_new(4 * 1048576, 1), *next = bytes_new(1000, 2);

	assert_int_equal(tcp_write_shared(&stream->tcp, first), 0);
	io_run_for(f, 10 * NS_PER_MS); /* nobody reads */
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(tcp_write_shared(&stream->tcp, next), 0);
	assert_int_equal(next->references, 101);
	stream_close_and_wait(f, stream);
	assert_int_equal(first->references + next->references, 2);
	close(peer);
	shared_bytes_unref(&first);
	shared_bytes_unref(&next);
}

/* --- order --- */

struct model {
	uint8_t *bytes;
	size_t len;
	size_t read; /* by the peer */
};

static void model_add(struct model *model, const uint8_t *data, size_t len)
{
	memcpy(model->bytes + model->len, data, len);
	model->len += len;
}

/* Everything that goes into a queue, in the order of `step`. */
static void write_step(struct tcp *tcp, unsigned step, struct shared_bytes *large,
		       struct shared_bytes *small, struct model *model)
{
	uint8_t flat[3000];
	size_t len = step * 37 % sizeof(flat);

	memset(flat, (int)step, sizeof(flat));
	switch (step % 5) {
	case 0:
	case 3:
		assert_int_equal(tcp_write_shared(tcp, large), 0);
		model_add(model, large->data, large->len);
		break;
	case 1:
		assert_int_equal(tcp_write_shared(tcp, small), 0);
		model_add(model, small->data, small->len);
		break;
	case 2:
		assert_non_null(tcp_reserve(tcp, 100)); /* and nothing of it */
		break;
	default:
		assert_int_equal(tcp_write(tcp, flat, len), 0);
		model_add(model, flat, len);
		break;
	}
}

static void take(int peer, struct model *model)
{
	uint8_t got[30011];
	ssize_t n = recv(peer, got, sizeof(got), MSG_DONTWAIT);

	if (n <= 0)
		return;
	assert_memory_equal(got, model->bytes + model->read, (size_t)n);
	model->read += (size_t)n;
}

static void test_order_is_kept_with_a_slow_reader(void **state)
{
	enum { STEPS = 200 };
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);
	struct shared_bytes *large = bytes_new(LARGE, 1), *small = bytes_new(SMALL, 2);
	struct model model = {.bytes = malloc(STEPS * (size_t)LARGE)};
	uint64_t give_up = clock_now_ns() + GIVE_UP_NS;

	for (unsigned i = 0; i < STEPS; i++) {
		write_step(&stream->tcp, i, large, small, &model);
		if (i % 10 == 9) {
			take(peer, &model);
			run_one_turn(f);
		}
		assert_true(tcp_queued(&stream->tcp) <= model.len - model.read);
	}
	assert_true(large->references > 10); /* it waits many times */
	while (model.read < model.len && clock_now_ns() < give_up) {
		take(peer, &model);
		run_one_turn(f);
	}
	assert_int_equal(model.read, model.len);
	assert_int_equal(large->references, 1);
	close(peer);
	stream_close_and_wait(f, stream);
	shared_bytes_unref(&large);
	shared_bytes_unref(&small);
	free(model.bytes);
}

/* --- closing --- */

static void test_close_gives_back_what_is_queued(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen[4];
	int peers[4];
	struct stream *streams[4];
	struct shared_bytes *large = bytes_new(4 * 1048576, 1);

	for (size_t i = 0; i < 4; i++) {
		streams[i] = stream_pair(f, LOOPBACK, &seen[i], &peers[i]);
		assert_int_equal(tcp_write_shared(&streams[i]->tcp, large), 0);
		assert_int_equal(tcp_write(&streams[i]->tcp, "between", 7), 0);
		assert_int_equal(tcp_write_shared(&streams[i]->tcp, large), 0);
	}
	io_run_for(f, 10 * NS_PER_MS); /* nobody reads: one is under way, one behind it */
	assert_int_equal(large->references, 9);
	for (size_t i = 0; i < 4; i++) {
		stream_close_and_wait(f, streams[i]);
		close(peers[i]);
		assert_int_equal(large->references, 9 - 2 * (i + 1));
	}
	shared_bytes_unref(&large);
}

static void test_shutdown_waits_for_shared_bytes(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);
	struct shared_bytes *large = bytes_new(LARGE, 1);
	struct model model = {.bytes = large->data, .len = LARGE};

	assert_int_equal(tcp_write_shared(&stream->tcp, large), 0);
	tcp_shutdown(&stream->tcp);
	uint64_t give_up = clock_now_ns() + GIVE_UP_NS;
	char byte;

	while (model.read < LARGE && clock_now_ns() < give_up) {
		take(peer, &model);
		run_one_turn(f);
	}
	assert_int_equal(model.read, LARGE);
	SPIN_UNTIL(f, recv(peer, &byte, 1, MSG_DONTWAIT) == 0);
	close(peer);
	stream_close_and_wait(f, stream);
	shared_bytes_unref(&large);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_EPOLL(test_the_last_reference_frees),
		ON_BOTH(test_bytes_are_shared_but_short_ones_copied_behind_others),
		ON_BOTH(test_what_waits_for_a_slow_reader_is_not_copied),
		ON_BOTH(test_order_is_kept_with_a_slow_reader),
		ON_BOTH(test_close_gives_back_what_is_queued),
		ON_BOTH(test_shutdown_waits_for_shared_bytes),
	};
	return RUN_IO_TESTS(tests);
}
