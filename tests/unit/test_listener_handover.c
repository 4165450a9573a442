/* SPDX-License-Identifier: Apache-2.0
 * test_listener_handover.c - listeners that pause, and whose socket another loop goes on with: who
 * connects meanwhile waits, and is accepted once. */
#include <netinet/tcp.h>
#include <sys/un.h>

#include "handover_unit.h"
#include "io/listener_unix.h"

static void acceptor_init(struct acceptor *acceptor)
{
	*acceptor = (struct acceptor){.listener = {.on_accept = acceptor_on_accept,
						   .on_accept_error = acceptor_on_error,
						   .on_closed = acceptor_on_closed}};
}

static void refuse_all(struct acceptor *acceptor)
{
	for (unsigned i = 0; i < acceptor->count; i++)
		listener_refuse(&acceptor->listener, &acceptor->accepted[i]);
	acceptor->count = 0;
}

static void pause_and_settle(struct io_fixture *f, struct acceptor *acceptor)
{
	listener_pause(&acceptor->listener);
	settle(f);
	assert_true(listener_is_paused(&acceptor->listener));
}

/* --- one loop --- */

static void test_paused(void **state)
{
	struct two *two = *state;
	struct io_fixture *f = &two->from;
	struct acceptor acceptor;
	int peers[4];

	acceptor_open(f, &acceptor, LOOPBACK);
	assert_false(listener_is_paused(&acceptor.listener));
	peers[0] = peer_connect(&acceptor.addr);
	RUN_UNTIL(f, acceptor.count == 1);
	pause_and_settle(f, &acceptor);
	listener_pause(&acceptor.listener); /* harmless */
	for (size_t i = 1; i < ARRAY_LEN(peers); i++)
		peers[i] = peer_connect(&acceptor.addr);
	for (unsigned i = 0; i < 5; i++)
		turns_of(f);
	assert_int_equal(acceptor.count, 1);
	listener_resume(&acceptor.listener);
	listener_resume(&acceptor.listener); /* harmless */
	RUN_UNTIL(f, acceptor.count == ARRAY_LEN(peers));
	pause_and_settle(f, &acceptor);
	refuse_all(&acceptor);
	acceptor_close(f, &acceptor);
	assert_int_equal(acceptor.errors, 0);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		close(peers[i]);
	turns_of(f);
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* Connections come while it is being paused: each is accepted once, before or after. */
static void test_paused_in_a_burst(void **state)
{
	struct two *two = *state;
	struct io_fixture *f = &two->from;
	struct acceptor acceptor;

	enum { ROUNDS = 40, PER_ROUND = 10 };

	static int peers[ROUNDS * PER_ROUND];

	acceptor_open(f, &acceptor, LOOPBACK);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < PER_ROUND; i++)
			peers[round * PER_ROUND + i] = peer_connect(&acceptor.addr);
		if (round % 3 == 0)
			turns_of(f);
		listener_pause(&acceptor.listener);
		if (round % 2 == 0)
			settle(f);
		unsigned count = acceptor.count;

		if (listener_is_paused(&acceptor.listener)) {
			turns_of(f);
			assert_int_equal(acceptor.count, count);
		}
		listener_resume(&acceptor.listener);
	}
	RUN_UNTIL(f, acceptor.count == ROUNDS * PER_ROUND);
	io_run_for(f, NS_PER_MS);
	assert_int_equal(acceptor.count, ROUNDS * PER_ROUND);
	assert_int_equal(acceptor.errors, 0);
	refuse_all(&acceptor);
	acceptor_close(f, &acceptor);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		close(peers[i]);
}

static void test_closed_while_paused(void **state)
{
	struct two *two = *state;

	for (int is_settled = 0; is_settled < 2; is_settled++) {
		struct acceptor acceptor;

		acceptor_open(&two->from, &acceptor, LOOPBACK);
		listener_pause(&acceptor.listener);
		if (is_settled)
			settle(&two->from);
		acceptor_close(&two->from, &acceptor);
		settle(&two->from);
	}
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* --- two loops --- */

/* The second has the socket long before it may use it; the first accepts meanwhile as always,
 * whichever engine the second has. */
static void hand_over(struct two *two, struct acceptor *first, int (*client)(const void *arg),
		      const void *arg)
{
	struct acceptor second;
	int peers[5];

	acceptor_init(&second);
	int fd = listener_take_fd(&first->listener);

	assert_true(fd >= 0);
	assert_int_equal(listener_open_paused(&second.listener, two->to.loop, fd), 0);
	assert_true(listener_is_paused(&second.listener));
	peers[0] = client(arg);
	SPIN_TWO(two, first->count == 1);
	io_run_for(&two->from, 2 * NS_PER_MS); /* there is nobody else, and it does not block */
	pause_and_settle(&two->from, first);
	peers[1] = client(arg);
	turns_of(&two->from);
	turns_of(&two->to);
	assert_int_equal(first->count + second.count, 1);
	listener_resume(&second.listener);
	SPIN_TWO(two, second.count == 1);
	io_run_for(&two->to, 2 * NS_PER_MS);
	refuse_all(first);
	acceptor_close(&two->from, first);
	peers[2] = client(arg);
	SPIN_TWO(two, second.count == 2);
	turns_of(&two->from); /* it hears nothing more of that socket */
	assert_int_equal(first->errors + second.errors, 0);
	refuse_all(&second);
	acceptor_close(&two->to, &second);
	for (size_t i = 0; i < 3; i++)
		close(peers[i]);
	turns_of(&two->to);
}

static int tcp_client(const void *arg)
{
	return peer_connect(arg);
}

static void test_handed_over(void **state)
{
	struct two *two = *state;
	struct acceptor first;

	acceptor_open(&two->from, &first, LOOPBACK);
	hand_over(two, &first, tcp_client, &first.addr);
	assert_int_equal(descriptors_count(), two->descriptors);
}

static int unix_client(const void *arg)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", (const char *)arg);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_unix_socket_handed_over(void **state)
{
	struct two *two = *state;
	char folder[] = "/tmp/unix.XXXXXX", path[64];
	struct acceptor first;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	struct listener_unix socket = {
		.path = path, .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
	int fd = listener_unix_bind(&socket);

	assert_true(fd >= 0);
	acceptor_init(&first);
	assert_int_equal(listener_open(&first.listener, two->from.loop, fd), 0);
	hand_over(two, &first, unix_client, path);
	listener_unix_remove(&socket);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* The second ends without having accepted anything: the first goes on, and nobody was lost. */
static void test_comes_to_nothing(void **state)
{
	struct two *two = *state;
	struct acceptor first, second;
	int peers[3];

	acceptor_open(&two->from, &first, LOOPBACK);
	acceptor_init(&second);
	assert_int_equal(listener_open_paused(&second.listener, two->to.loop,
					      listener_take_fd(&first.listener)),
			 0);
	pause_and_settle(&two->from, &first);
	peers[0] = peer_connect(&first.addr);
	acceptor_close(&two->to, &second);
	peers[1] = peer_connect(&first.addr);
	listener_resume(&first.listener);
	SPIN_TWO(two, first.count == 2);
	peers[2] = peer_connect(&first.addr);
	SPIN_TWO(two, first.count == 3);
	io_run_for(&two->from, 2 * NS_PER_MS);
	assert_int_equal(first.errors + second.count, 0);
	refuse_all(&first);
	acceptor_close(&two->from, &first);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		close(peers[i]);
	turns_of(&two->from);
	assert_int_equal(descriptors_count(), two->descriptors);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		BETWEEN_ALL(test_paused),
		BETWEEN_ALL(test_paused_in_a_burst),
		BETWEEN_ALL(test_closed_while_paused),
		BETWEEN_ALL(test_handed_over),
		BETWEEN_ALL(test_unix_socket_handed_over),
		BETWEEN_ALL(test_comes_to_nothing),
	};

	return RUN_TWO_TESTS(tests, NULL, NULL);
}
