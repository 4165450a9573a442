/* SPDX-License-Identifier: Apache-2.0
 * test_sock_diag.c - what the kernel's list says of sockets that the test made. */
#include "sock_unit.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "os/sock_diag.h"

struct search {
	uint32_t inode;
	bool is_found;
	struct sock_listener listener;
};

static void on_listener(void *arg, const struct sock_listener *listener)
{
	struct search *search = arg;

	if (listener->inode == search->inode) {
		search->is_found = true;
		search->listener = *listener;
	}
}

static bool find(int diag, int fd, struct sock_listener *out_listener)
{
	struct search search = {.inode = inode_of(fd)};

	assert_int_equal(sock_diag_listeners(diag, on_listener, &search), 0);
	if (search.is_found)
		*out_listener = search.listener;
	return search.is_found;
}

static struct sock_listener look(int diag, int fd)
{
	struct sock_listener listener;

	assert_true(find(diag, fd, &listener));
	return listener;
}

static uint32_t established(int diag, int listener)
{
	struct sock_ports *ports = calloc(1, sizeof(*ports));
	struct net_addr addr = local_addr(listener);

	assert_non_null(ports);
	assert_int_equal(sock_diag_established(diag, ports), 0);
	uint32_t count = ports->established[net_addr_port(&addr)];

	free(ports);
	return count;
}

static int setup(void **state)
{
	static int diag;

	assert_int_equal(sock_diag_open(NULL, &diag), 0);
	*state = &diag;
	return 0;
}

static int teardown(void **state)
{
	return close(*(int *)*state);
}

static void test_listener_shows_with_address_and_backlog(void **state)
{
	static const struct {
		const char *address;
		int backlog;
		bool is_v6_only;
	} rows[] = {
		{"127.0.0.1:0", 7, false},
		{"0.0.0.0:0", 1, false},
		{"[::1]:0", 129, true},
		{"[::]:0", 64, false},
	};
	int diag = *(int *)*state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = listen_text(rows[i].address, rows[i].backlog);
		struct net_addr addr = local_addr(fd);
		struct sock_listener seen = look(diag, fd);

		ASSERT_ROW(memcmp(&seen.address, &addr, net_addr_len(&addr)) == 0, rows[i].address);
		ASSERT_ROW(seen.backlog == (uint32_t)rows[i].backlog, rows[i].address);
		ASSERT_ROW(seen.queue == 0 && seen.has_drops && seen.drops == 0, rows[i].address);
		ASSERT_ROW(seen.is_v6_only == rows[i].is_v6_only, rows[i].address);
		close(fd);
		ASSERT_ROW(!find(diag, diag, &seen), "a netlink socket is no listener");
	}
}

static void test_v6_only_shows(void **state)
{
	struct net_addr addr = addr_of("[::]:0");
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	assert_int_equal(bind(fd, &addr.sa, net_addr_len(&addr)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_true(look(*(int *)*state, fd).is_v6_only);
	close(fd);
}

static void test_queue_counts_those_not_accepted(void **state)
{
	int diag = *(int *)*state, fd = listen_text("127.0.0.1:0", 16), clients[5];

	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_to(fd);
	WAIT_UNTIL(look(diag, fd).queue == 5);
	close(accept(fd, NULL, NULL));
	assert_int_equal(look(diag, fd).queue, 4);
	assert_int_equal(look(diag, fd).drops, 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	close(fd);
}

/* A queue of backlog 1 takes two; who comes then is lost and counted. */
static void test_overflow_makes_drops_rise(void **state)
{
	int diag = *(int *)*state, fd = listen_text("127.0.0.1:0", 1), clients[8];

	clients[0] = connect_to(fd);
	clients[1] = connect_to(fd);
	WAIT_UNTIL(look(diag, fd).queue == 2);
	for (size_t i = 2; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_to(fd);
	WAIT_UNTIL(look(diag, fd).drops >= 6);
	assert_int_equal(look(diag, fd).queue, 2);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	close(fd);
}

static void test_established_are_counted_by_port(void **state)
{
	static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0", "[::]:0"};
	int diag = *(int *)*state;

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		int fd = listen_text(addresses[i], 16), client[3], server[3];

		ASSERT_ROW(established(diag, fd) == 0, addresses[i]);
		for (size_t j = 0; j < ARRAY_LEN(client); j++) {
			client[j] = connect_to(fd);
			server[j] = accept(fd, NULL, NULL);
		}
		WAIT_UNTIL(established(diag, fd) == 3);
		for (size_t j = 0; j < ARRAY_LEN(client); j++) {
			close(server[j]);
			close(client[j]);
		}
		WAIT_UNTIL(established(diag, fd) == 0);
		close(fd);
	}
}

static void count_one(void *arg, const struct sock_listener *listener)
{
	assert_int_not_equal(net_addr_port(&listener->address), 0);
	++*(size_t *)arg;
}

/* More than one message of the kernel holds. */
static void test_many_listeners_are_all_seen(void **state)
{
	int diag = *(int *)*state, fds[700];
	size_t before = 0, after = 0;
	struct sock_listener seen;

	assert_int_equal(sock_diag_listeners(diag, count_one, &before), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = listen_text("127.0.0.1:0", 1);
	assert_int_equal(sock_diag_listeners(diag, count_one, &after), 0);
	assert_true(after >= before + ARRAY_LEN(fds) - 50); /* others may have gone */
	assert_true(find(diag, fds[0], &seen));
	assert_true(find(diag, fds[ARRAY_LEN(fds) - 1], &seen));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

/* A child in a network namespace of its own listens and tells its inode. */
static void child_in_namespace(int to)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) < 0)
		_exit(1);
	int fd = listen_text("0.0.0.0:7001", 33);
	uint32_t inode = inode_of(fd);

	if (write(to, &inode, sizeof(inode)) == sizeof(inode))
		pause();
	_exit(0);
}

static void test_listener_of_another_namespace(void **state)
{
	struct search search = {0}, here = {0};
	int pipes[2], diag;
	char path[64];

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t child = fork();

	if (child == 0)
		child_in_namespace(pipes[1]);
	close(pipes[1]);
	if (read(pipes[0], &search.inode, sizeof(search.inode)) == sizeof(search.inode)) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)child);
		here.inode = search.inode;
		assert_int_equal(sock_diag_open(path, &diag), 0);
		assert_int_equal(sock_diag_listeners(diag, on_listener, &search), 0);
		close(diag);
		assert_true(search.is_found);
		assert_int_equal(search.listener.backlog, 33);
		assert_int_equal(net_addr_port(&search.listener.address), 7001);
		assert_int_equal(sock_diag_listeners(*(int *)*state, on_listener, &here), 0);
		assert_false(here.is_found);
	} else {
		print_message("no right to make a network namespace: not tried\n");
	}
	close(pipes[0]);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_own_namespace_by_name(void **state)
{
	int diag, fd = listen_text("127.0.0.1:0", 3);

	(void)state;
	assert_int_equal(sock_diag_open("/proc/self/ns/net", &diag), 0);
	assert_int_equal(look(diag, fd).backlog, 3);
	close(diag);
	close(fd);
}

static void test_namespace_that_is_none(void **state)
{
	int diag = 99;

	(void)state;
	assert_int_equal(sock_diag_open("/proc/self/ns/there-is-none", &diag), -ENOENT);
	assert_int_equal(sock_diag_open("/dev/null", &diag), -EINVAL);
	assert_int_equal(diag, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listener_shows_with_address_and_backlog),
		cmocka_unit_test(test_v6_only_shows),
		cmocka_unit_test(test_queue_counts_those_not_accepted),
		cmocka_unit_test(test_overflow_makes_drops_rise),
		cmocka_unit_test(test_established_are_counted_by_port),
		cmocka_unit_test(test_many_listeners_are_all_seen),
		cmocka_unit_test(test_listener_of_another_namespace),
		cmocka_unit_test(test_own_namespace_by_name),
		cmocka_unit_test(test_namespace_that_is_none),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
