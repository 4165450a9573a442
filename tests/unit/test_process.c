/* SPDX-License-Identifier: Apache-2.0
 * test_process.c - this process, its children and made-up ones, seen through /proc. */
#include "sock_unit.h"

#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "diag/process.h"

#define NOBODY 65534

static struct process read_own(void)
{
	struct process process;

	assert_int_equal(process_read(NULL, getpid(), &process), 0);
	assert_true(process.has_descriptors);
	return process;
}

static const struct process_listener *listener_of(const struct process *process, int fd)
{
	struct net_addr addr = local_addr(fd);

	for (size_t i = 0; i < process->listener_count; i++)
		if (memcmp(&process->listeners[i].address, &addr, net_addr_len(&addr)) == 0)
			return &process->listeners[i];
	return NULL;
}

static void test_own_descriptors_by_kind(void **state)
{
	struct process before = read_own();
	int files[3], pair[2], listener = listen_text("127.0.0.1:0", 9);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		files[i] = open("/dev/null", O_RDONLY);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct process after = read_own();

	assert_int_equal(after.others, before.others + 3);
	assert_int_equal(after.sockets, before.sockets + 3);
	assert_int_equal(after.listening, before.listening + 1);
	assert_int_equal(process_connections(&after), process_connections(&before) + 2);
	assert_string_equal(after.name, "test_process");
	assert_non_null(strstr(after.command, "test_process"));
	assert_string_equal(after.problem, "");
	assert_int_equal(listener_of(&after, listener)->backlog, 9);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		close(files[i]);
	close(pair[0]);
	close(pair[1]);
	close(listener);
	assert_int_equal(read_own().others, before.others);
}

static void test_sockets_that_share_an_address_are_one_listener(void **state)
{
	struct net_addr addr = addr_of("127.0.0.1:0");
	int first = listen_on(&addr, 5, true);

	(void)state;
	addr = local_addr(first);
	int second = listen_on(&addr, 7, true), clients[6];

	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_to(first);
	WAIT_UNTIL(listener_of(&(struct process[]){read_own()}[0], first)->queue == 6);
	struct process process = read_own();
	const struct process_listener *listener = listener_of(&process, first);

	assert_int_equal(listener->backlog, 12);
	assert_int_equal(listener->established, 6);
	assert_true(listener->has_drops);
	assert_int_equal(process.listener_count, 1);
	assert_int_equal(process.listening, 2);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	close(first);
	close(second);
}

/* 127.0.0.1 and [::1] have one port: its connections are not counted twice. */
static void test_port_with_two_addresses_counts_once(void **state)
{
	int v4 = listen_text("127.0.0.1:0", 5);
	struct net_addr addr = addr_of("[::1]:0"), of_v4 = local_addr(v4);

	(void)state;
	net_addr_set_port(&addr, net_addr_port(&of_v4));
	int v6 = listen_on(&addr, 5, false), client = connect_to(v4),
	    accepted = accept(v4, NULL, NULL);

	WAIT_UNTIL(read_own().established == 1);
	assert_int_equal(read_own().listener_count, 2);
	close(client);
	close(accepted);
	close(v4);
	close(v6);
}

static void test_more_listeners_than_places(void **state)
{
	int fds[PROCESS_LISTENERS_MAX + 6];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = listen_text("127.0.0.1:0", 1);
	struct process process = read_own();

	assert_int_equal(process.listener_count, PROCESS_LISTENERS_MAX);
	assert_int_equal(process.listeners_omitted, 6);
	assert_int_equal(process.listening, ARRAY_LEN(fds));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void test_ring_is_seen(void **state)
{
	struct io_uring_params params = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);

	(void)state;
	if (ring < 0) {
		print_message("no io_uring here: not tried\n");
		return;
	}
	assert_int_equal(read_own().rings, 1);
	close(ring);
	assert_int_equal(read_own().rings, 0);
}

static void test_where_the_connections_are(void **state)
{
	static const struct {
		const char *name;
		struct process process;
		bool is_direct;
		uint64_t connections;
	} rows[] = {
		{"epoll server", {.sockets = 52, .listening = 2, .established = 50}, false, 50},
		{"rings, thousands on two sockets",
		 {.sockets = 4, .listening = 2, .rings = 2, .established = 3000},
		 true,
		 3000},
		{"rings, idle", {.sockets = 2, .listening = 2, .rings = 2}, true, 0},
		{"a ring for files only",
		 {.sockets = 52, .listening = 2, .rings = 1, .established = 50},
		 false,
		 50},
		{"client", {.sockets = 100}, false, 100},
		{"client with a ring for files", {.sockets = 100, .rings = 1}, false, 100},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ASSERT_ROW(process_has_direct_sockets(&rows[i].process) == rows[i].is_direct,
			   rows[i].name);
		ASSERT_ROW(process_connections(&rows[i].process) == rows[i].connections,
			   rows[i].name);
	}
}

/* --- other processes --- */

static void child_with_descriptors(int to, int count)
{
	int null = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < count; i++)
		if (dup(null) < 0)
			_exit(1);
	if (write(to, "r", 1) == 1)
		pause();
	_exit(0);
}

static void test_child_with_many_descriptors(void **state)
{
	struct process process;
	int pipes[2];
	char ready;

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t child = fork();

	if (child == 0)
		child_with_descriptors(pipes[1], 800);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &ready, 1), 1);
	assert_int_equal(process_read(NULL, child, &process), 0);
	assert_in_range(process.others, 801, 830);
	assert_int_equal(process.pid, child);
	close(pipes[0]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void test_zombie_holds_nothing(void **state)
{
	struct process process;
	siginfo_t info;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_read(NULL, child, &process), 0);
	assert_int_equal(process.state, PROCESS_IS_ZOMBIE);
	assert_false(process.has_descriptors);
	waitpid(child, NULL, 0);
	memset(&process, 0x55, sizeof(process));
	struct process untouched = process;

	assert_int_equal(process_read(NULL, child, &process), -ESRCH);
	assert_memory_equal(&process, &untouched, sizeof(process));
}

/* Run in a child: exits 0 if the parent's descriptors are hidden and that is said. */
static void look_as_nobody(pid_t at)
{
	struct process process;

	if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
		_exit(2);
	if (process_read(NULL, at, &process) != 0)
		_exit(3);
	bool is_said = strstr(process.problem, "not ours; run it as root") != NULL;

	_exit(!process.has_descriptors && is_said && process.name[0] != 0 ? 0 : 4);
}

static void test_process_of_somebody_else(void **state)
{
	pid_t at = geteuid() == 0 ? getpid() : 1;
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		look_as_nobody(at);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- made-up ones --- */

static void file_write(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

struct tree {
	char root[64];
	char path[128];
};

static char *in_tree(struct tree *tree, const char *name)
{
	snprintf(tree->path, sizeof(tree->path), "%s/proc/77/%s", tree->root, name);
	return tree->path;
}

static void tree_make(struct tree *tree)
{
	static const char *const directories[] = {"", "fd"};

	snprintf(tree->root, sizeof(tree->root), "/tmp/gatehouse-test-XXXXXX");
	assert_non_null(mkdtemp(tree->root));
	snprintf(tree->path, sizeof(tree->path), "%s/proc", tree->root);
	assert_int_equal(mkdir(tree->path, 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		assert_int_equal(mkdir(in_tree(tree, directories[i]), 0700), 0);
}

/* Removes what the tests may have put there. */
static void tree_remove(struct tree *tree)
{
	static const char *const names[] = {"fd/3", "fd/4", "fd/5", "stat", "cmdline", "fd", ""};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		remove(in_tree(tree, names[i]));
	snprintf(tree->path, sizeof(tree->path), "%s/proc", tree->root);
	assert_int_equal(rmdir(tree->path), 0);
	assert_int_equal(rmdir(tree->root), 0);
}

static void test_made_up_process(void **state)
{
	static const char stat[] = "77 (od) (d\x1b\xff name) S 1 77 77 0 -1 4194560 1 2 3\n";
	static const char command[] = "srv\0--port\0x\ty\xc2\x9b\xc3\xbc\0";
	struct tree tree;
	struct process process;

	(void)state;
	tree_make(&tree);
	file_write(in_tree(&tree, "stat"), stat, sizeof(stat) - 1);
	file_write(in_tree(&tree, "cmdline"), command, sizeof(command) - 1);
	assert_int_equal(symlink("socket:[4000000001]", in_tree(&tree, "fd/3")), 0);
	assert_int_equal(symlink("anon_inode:[io_uring]", in_tree(&tree, "fd/4")), 0);
	assert_int_equal(symlink("/etc/passwd", in_tree(&tree, "fd/5")), 0);
	assert_int_equal(process_read(tree.root, 77, &process), 0);
	assert_string_equal(process.name, "od) (d   name");
	assert_string_equal(process.command, "srv --port x y  \xc3\xbc");
	assert_int_equal(process.state, PROCESS_RUNS);
	assert_int_equal(process.sockets, 1);
	assert_int_equal(process.rings, 1);
	assert_int_equal(process.others, 1);
	assert_non_null(strstr(process.problem, "its listeners cannot be read"));
	tree_remove(&tree);
}

static void test_made_up_process_without_its_files(void **state)
{
	static const struct {
		const char *name;
		const char *stat;
		int result;
		enum process_state state;
	} rows[] = {
		{"no stat", NULL, -ESRCH, PROCESS_RUNS},
		{"empty stat", "", -EBADMSG, PROCESS_RUNS},
		{"no name", "77 S 1", -EBADMSG, PROCESS_RUNS},
		{"brackets the wrong way", "77 )x( S 1 2 3 4 5 6", -EBADMSG, PROCESS_RUNS},
		{"cut", "77 (x) S 1 2", -EBADMSG, PROCESS_RUNS},
		{"running", "77 (x) R 1 2 3 4 5 64", 0, PROCESS_RUNS},
		{"zombie", "77 (x) Z 1 2 3 4 5 64", 0, PROCESS_IS_ZOMBIE},
		{"kernel", "77 (kworker/0:1) S 2 0 0 0 -1 69238880", 0, PROCESS_IS_KERNEL},
	};
	struct tree tree;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct process process;

		tree_make(&tree);
		assert_int_equal(rmdir(in_tree(&tree, "fd")), 0);
		if (rows[i].stat != NULL)
			file_write(in_tree(&tree, "stat"), rows[i].stat, strlen(rows[i].stat));
		ASSERT_ROW(process_read(tree.root, 77, &process) == rows[i].result, rows[i].name);
		if (rows[i].result == 0) {
			ASSERT_ROW(process.state == rows[i].state, rows[i].name);
			ASSERT_ROW(!process.has_descriptors, rows[i].name);
			ASSERT_ROW((process.problem[0] != 0) == (process.state == PROCESS_RUNS),
				   rows[i].name);
		}
		tree_remove(&tree);
	}
}

/* --- who listens --- */

static pid_t finds(const char *host, int fd)
{
	struct net_addr addr = addr_of(host), bound = local_addr(fd);

	net_addr_set_port(&addr, net_addr_port(&bound));
	return process_find_listener(NULL, &addr);
}

static void test_listener_is_found(void **state)
{
	static const struct {
		const char *listens;
		const char *asked;
		bool found;
	} rows[] = {
		{"127.0.0.1:0", "127.0.0.1:0", true},
		{"127.0.0.1:0", "127.0.0.2:0", false},
		{"0.0.0.0:0", "127.0.0.9:0", true},
		{"0.0.0.0:0", "[::1]:0", false},
		{"[::1]:0", "[::1]:0", true},
		{"[::]:0", "[::1]:0", true},
		{"[::]:0", "127.0.0.1:0", true},
		{"[::1]:0", "127.0.0.1:0", false},
		{"127.0.0.1:0", "[::ffff:127.0.0.1]:0", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = listen_text(rows[i].listens, 1);

		ASSERT_ROW(finds(rows[i].asked, fd) == (rows[i].found ? getpid() : 0),
			   rows[i].asked);
		close(fd);
	}
}

static void test_nobody_listens(void **state)
{
	int fd = listen_text("127.0.0.1:0", 1);
	struct net_addr addr = local_addr(fd);

	(void)state;
	close(fd);
	assert_int_equal(process_find_listener(NULL, &addr), 0);
}

/* A child holds the inherited listener and more descriptors: it is the worker. */
static void test_worker_is_found_rather_than_its_master(void **state)
{
	int fd = listen_text("127.0.0.1:0", 1), pipes[2];
	struct net_addr addr = local_addr(fd);
	char ready;

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t child = fork();

	if (child == 0)
		child_with_descriptors(pipes[1], 50);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &ready, 1), 1);
	assert_int_equal(process_find_listener(NULL, &addr), child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(process_find_listener(NULL, &addr), getpid());
	close(pipes[0]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_descriptors_by_kind),
		cmocka_unit_test(test_sockets_that_share_an_address_are_one_listener),
		cmocka_unit_test(test_port_with_two_addresses_counts_once),
		cmocka_unit_test(test_more_listeners_than_places),
		cmocka_unit_test(test_ring_is_seen),
		cmocka_unit_test(test_where_the_connections_are),
		cmocka_unit_test(test_child_with_many_descriptors),
		cmocka_unit_test(test_zombie_holds_nothing),
		cmocka_unit_test(test_process_of_somebody_else),
		cmocka_unit_test(test_made_up_process),
		cmocka_unit_test(test_made_up_process_without_its_files),
		cmocka_unit_test(test_listener_is_found),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_worker_is_found_rather_than_its_master),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
