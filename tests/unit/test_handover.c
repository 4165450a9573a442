/* SPDX-License-Identifier: Apache-2.0
 * The channel between two processes, what it carries afterwards, the sockets in its messages, and
 * the counters of the process before. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/metrics/metrics_before.h"
#include "base/clock.h"
#include "base/state.h"
#include "server/handover_carrier.h"
#include "server/handover_channel.h"
#include "server/handover_format.h"
#include "server/handover_sockets.h"

#define SOON (clock_now_ns() + GIVE_UP_NS)

struct pair {
	struct handover_channel old, new;
};

static void pair_open(struct pair *pair, pid_t peer)
{
	int fds[2];

	assert_int_equal(handover_pair(fds), 0);
	handover_channel_init(&pair->old, fds[0], peer);
	handover_channel_init(&pair->new, fds[1], 0);
}

static void pair_close(struct pair *pair)
{
	handover_channel_finish(&pair->old);
	handover_channel_finish(&pair->new);
}

/* --- the channel --- */

static void *send_large(void *arg)
{
	struct handover_channel *channel = arg;
	struct buf body = {0};
	int fds[HANDOVER_FDS_MAX];

	for (size_t i = 0; i < HANDOVER_FDS_MAX; i++)
		fds[i] = STDIN_FILENO;
	for (size_t i = 0; i < 4000000; i++)
		assert_int_equal(buf_append(&body, &i, 1, SIZE_MAX / 2), 0);
	for (unsigned kind = 1; kind <= 3; kind++)
		assert_int_equal(handover_send(channel, (uint16_t)kind, buf_slice(&body), fds,
					       HANDOVER_FDS_MAX, SOON),
				 0);
	buf_finish(&body);
	return NULL;
}

/* Larger than any buffer of the kernel, with as many descriptors as there may be. */
static void test_messages(void **state)
{
	struct handover_message message;
	struct pair pair;
	pthread_t thread;

	(void)state;
	pair_open(&pair, getpid());
	assert_int_equal(pthread_create(&thread, NULL, send_large, &pair.new), 0);
	for (unsigned kind = 1; kind <= 3; kind++) {
		assert_int_equal(handover_receive(&pair.old, &message, SOON), 1);
		assert_int_equal(message.kind, kind);
		assert_int_equal(message.body.len, 4000000);
		assert_int_equal(message.fd_count, HANDOVER_FDS_MAX);
		for (size_t i = 0; i < message.fd_count; i++)
			assert_true(fcntl(message.fds[i], F_GETFD) & FD_CLOEXEC);
		for (size_t i = 0; i < message.body.len; i++)
			if (message.body.data[i] != (uint8_t)i)
				fail();
		handover_message_finish(&message);
	}
	pthread_join(thread, NULL);
	handover_channel_finish(&pair.new);
	assert_int_equal(handover_receive(&pair.old, &message, SOON), 0);
	handover_channel_finish(&pair.old);
}

static void test_time_and_end(void **state)
{
	struct handover_message message;
	struct pair pair;

	(void)state;
	pair_open(&pair, 0);
	assert_int_equal(handover_receive(&pair.old, &message, 0), -ETIMEDOUT);
	handover_channel_cut(&pair.new);
	assert_int_equal(handover_receive(&pair.old, &message, SOON), 0);
	assert_int_equal(handover_send(&pair.old, 1, SLICE_LITERAL("x"), NULL, 0, SOON), -EPIPE);
	pair_close(&pair);
}

/* Nobody takes anything: a send ends in time. */
static void test_full(void **state)
{
	static uint8_t data[65536];
	struct pair pair;
	int r;

	(void)state;
	pair_open(&pair, 0);
	do
		r = handover_send(&pair.old, 1, slice_of(data, sizeof(data)), NULL, 0,
				  clock_now_ns() + 10 * NS_PER_MS);
	while (r == 0);
	assert_int_equal(r, -ETIMEDOUT);
	pair_close(&pair);
}

static void test_nonsense(void **state)
{
	struct handover_message message;
	struct pair pair;

	(void)state;
	pair_open(&pair, 0);
	assert_int_equal(write(pair.new.fd, "HTTP/1.1 200 OK\r\n\r\n", 19), 19);
	assert_int_equal(handover_receive(&pair.old, &message, SOON), -EPROTO);
	pair_close(&pair);
}

/* The kernel tells who speaks. */
static void test_stranger(void **state)
{
	struct handover_message message;
	struct pair pair;

	(void)state;
	pair_open(&pair, getpid());
	pid_t pid = fork();

	if (pid == 0)
		_exit(handover_send(&pair.new, 1, SLICE_LITERAL("x"), NULL, 0, SOON) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(handover_receive(&pair.old, &message, SOON), -EPERM);
	pair_close(&pair);
}

/* --- what is carried --- */

struct heard {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned told, last;
	bool has_ended;
};

static void on_told(void *arg, struct slice bytes)
{
	struct heard *heard = arg;

	pthread_mutex_lock(&heard->mutex);
	assert_int_equal(bytes.len, sizeof(heard->told));
	assert_memory_equal(bytes.data, &heard->told, bytes.len);
	heard->told++;
	pthread_mutex_unlock(&heard->mutex);
}

static void on_last(void *arg, struct slice body)
{
	struct heard *heard = arg;

	assert_int_equal(body.len, 3);
	heard->last++;
}

static void on_end(void *arg)
{
	struct heard *heard = arg;

	pthread_mutex_lock(&heard->mutex);
	heard->has_ended = true;
	pthread_cond_signal(&heard->changed);
	pthread_mutex_unlock(&heard->mutex);
}

static struct handover_ear ear_of(struct heard *heard)
{
	*heard = (struct heard){0};
	pthread_mutex_init(&heard->mutex, NULL);
	pthread_cond_init(&heard->changed, NULL);
	return (struct handover_ear){
		.on_told = on_told, .on_last = on_last, .on_end = on_end, .arg = heard};
}

/* In order, also what was sent before it was open; the last words behind all. */
static void test_carrier(void **state)
{
	struct handover_carrier *old = handover_carrier_create(), *new = handover_carrier_create();
	struct heard by_old, by_new;
	struct handover_ear old_ear = ear_of(&by_old), new_ear = ear_of(&by_new);
	struct pair pair;

	(void)state;
	pair_open(&pair, getpid());
	assert_true(handover_carrier_has_ended(old));
	assert_false(handover_carrier_send(old, SLICE_LITERAL("x")));
	handover_carrier_prepare(old);
	handover_carrier_prepare(new);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(handover_carrier_send(old, slice_of(&i, sizeof(i))));
	assert_true(handover_carrier_open(old, &pair.old, &old_ear));
	assert_true(handover_carrier_open(new, &pair.new, &new_ear));
	for (unsigned i = 1000; i < 2000; i++)
		assert_true(handover_carrier_send(old, slice_of(&i, sizeof(i))));
	handover_carrier_send_last(old, SLICE_LITERAL("end"));
	assert_false(handover_carrier_has_ended(new));
	handover_carrier_close(old);
	pthread_mutex_lock(&by_new.mutex);
	while (!by_new.has_ended)
		pthread_cond_wait(&by_new.changed, &by_new.mutex);
	pthread_mutex_unlock(&by_new.mutex);
	assert_int_equal(by_new.told, 2000);
	assert_int_equal(by_new.last, 1);
	assert_true(by_old.has_ended);
	assert_false(handover_carrier_send(new, SLICE_LITERAL("x")));
	handover_carrier_close(new);
	handover_carrier_destroy(&old);
	handover_carrier_destroy(&new);
}

/* --- sockets --- */

static void test_sockets(void **state)
{
	struct handover_sockets sockets = {0};
	struct handover_message message = {.kind = HANDOVER_DOORS};
	struct config_place place = {0}, other = {0};
	struct state_writer writer;

	(void)state;
	assert_null(net_addr_parse(SLICE_LITERAL("127.0.0.1:80"), &place.addr));
	assert_null(net_addr_parse(SLICE_LITERAL("127.0.0.1:81"), &other.addr));
	state_writer_init(&writer, &message.body, 65536);
	for (unsigned i = 0; i < 3; i++) {
		size_t begun = state_begin(&writer, HANDOVER_TAG_DOOR);

		state_put_text(&writer, HANDOVER_TAG_PLACE, "127.0.0.1:80");
		state_put_u64(&writer, HANDOVER_TAG_IS_ADMIN, i == 2);
		state_end(&writer, begun);
		message.fds[message.fd_count++] = dup(STDIN_FILENO);
	}
	assert_int_equal(handover_sockets_add(&sockets, &message), 0);
	handover_message_finish(&message);

	struct handover_place wanted = {.address = &place};

	assert_non_null(handover_sockets_find(&sockets, &wanted));
	assert_true(close(handover_sockets_take(&sockets, &wanted)) == 0);
	assert_true(close(handover_sockets_take(&sockets, &wanted)) == 0);
	assert_int_equal(handover_sockets_take(&sockets, &wanted), -1);
	wanted.is_admin = true;
	assert_non_null(handover_sockets_find(&sockets, &wanted));
	wanted.address = &other;
	assert_null(handover_sockets_find(&sockets, &wanted));
	handover_sockets_finish(&sockets);
}

/* As many descriptors as records, or it is no message of ours; nothing is left open. */
static void test_sockets_that_do_not_fit(void **state)
{
	struct handover_sockets sockets = {0};
	struct handover_message message = {.kind = HANDOVER_DOORS};

	(void)state;
	message.fds[message.fd_count++] = dup(STDIN_FILENO);
	int fd = message.fds[0];

	assert_int_equal(handover_sockets_add(&sockets, &message), -EPROTO);
	handover_message_finish(&message);
	handover_sockets_finish(&sockets);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* --- counters --- */

static void test_counters(void **state)
{
	struct metrics_before *before = metrics_before_create();
	struct buf page = {0};
	static const char old[] = "# HELP a_total Counts.\n# TYPE a_total counter\n"
				  "a_total{x=\"1 2\"} 5\na_total{x=\"3\"} 7\n"
				  "# TYPE g gauge\ng 9\n# TYPE h histogram\n"
				  "h_bucket{le=\"+Inf\"} 2\nh_sum 0.5\nh_count 2\n"
				  "# TYPE process_cpu_seconds_total counter\n"
				  "process_cpu_seconds_total 3.5\n";
	static const char now[] = "# TYPE a_total counter\na_total{x=\"1 2\"} 1\n"
				  "a_total{x=\"4\"} 2\n# TYPE g gauge\ng 1\n"
				  "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 0.25\n"
				  "h_count 1\n# TYPE process_cpu_seconds_total counter\n"
				  "process_cpu_seconds_total 0.5\n";
	static const char sum[] = "# TYPE a_total counter\na_total{x=\"1 2\"} 6\n"
				  "a_total{x=\"4\"} 2\n# TYPE g gauge\ng 1\n"
				  "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 0.750000\n"
				  "h_count 3\n# TYPE process_cpu_seconds_total counter\n"
				  "process_cpu_seconds_total 0.5\n";

	(void)state;
	assert_int_equal(buf_append(&page, now, sizeof(now) - 1, 65536), 0);
	metrics_before_add(before, &page);
	assert_int_equal(page.len, sizeof(now) - 1);
	metrics_before_take(before, SLICE_LITERAL("nonsense\n# TYPE\n\n x"));
	metrics_before_take(before, slice_from_text(old));
	metrics_before_add(before, &page);
	assert_int_equal(page.len, sizeof(sum) - 1);
	assert_memory_equal(page.data, sum, page.len);
	buf_finish(&page);
	metrics_before_destroy(&before);
}

/* As it is, until it is released. */
static void test_a_page_is_held(void **state)
{
	struct metrics_before *before = metrics_before_create();
	struct buf page = {0};

	(void)state;
	assert_false(metrics_before_held(before, &page));
	metrics_before_hold(before, SLICE_LITERAL("older 1\n"));
	metrics_before_hold(before, SLICE_LITERAL("held 2\n"));
	assert_true(metrics_before_held(before, &page));
	assert_true(metrics_before_held(before, &page));
	assert_true(slice_equals(buf_slice(&page), SLICE_LITERAL("held 2\nheld 2\n")));
	metrics_before_release(before);
	assert_false(metrics_before_held(before, &page));
	metrics_before_release(before);
	metrics_before_hold(before, SLICE_LITERAL("left 3\n"));
	metrics_before_destroy(&before);
	buf_finish(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages), cmocka_unit_test(test_time_and_end),
		cmocka_unit_test(test_full),     cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_stranger), cmocka_unit_test(test_carrier),
		cmocka_unit_test(test_sockets),  cmocka_unit_test(test_sockets_that_do_not_fit),
		cmocka_unit_test(test_counters), cmocka_unit_test(test_a_page_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
