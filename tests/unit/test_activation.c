/* SPDX-License-Identifier: Apache-2.0
 * test_activation.c - sockets that were there before the process: from descriptor 3 on. Each test
 * runs in a child, whose descriptors are its own. */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/activation.h"

static struct activation activation;
static struct activation_error error;

static void number_set(const char *name, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

static int tcp_socket(bool listens)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(!listens || listen(fd, 1) == 0);
	return fd;
}

static int unix_socket(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t len = strlen(path);

	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = 0;
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&addr,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0);
	CHECK(listen(fd, 1) == 0);
	return fd;
}

static void place(int fd, int at)
{
	CHECK(dup2(fd, at) == at);
	if (fd != at)
		close(fd);
}

/* True: `run` has held. */
static bool holds(void (*run)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		number_set("LISTEN_PID", getpid());
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- in the child --- */

static void run_two(void)
{
	char path[64];
	int tcp = tcp_socket(true), local;

	snprintf(path, sizeof(path), "/tmp/gatehouse-activation.%d", (int)getpid());
	local = unix_socket(path);
	place(fcntl(tcp, F_DUPFD, 10), 3);
	place(fcntl(local, F_DUPFD, 10), 4);
	number_set("LISTEN_FDS", 2);
	setenv("LISTEN_FDNAMES", "server.listen:gatehouse.socket", 1);
	CHECK(activation_read(&activation, &error) == 0 && activation.count == 2);
	CHECK(strcmp(activation.items[0].name, "server.listen") == 0);
	CHECK(activation.items[0].fd == 3 && activation.items[0].addr.sa.sa_family == AF_INET);
	CHECK(net_addr_port(&activation.items[0].addr) != 0);
	CHECK(strcmp(activation.items[1].name, "gatehouse.socket") == 0);
	CHECK(activation.items[1].addr.sa.sa_family == AF_UNIX);
	CHECK(strcmp(activation.items[1].path, path) == 0);
	CHECK(fcntl(3, F_GETFD) == FD_CLOEXEC && fcntl(4, F_GETFD) == FD_CLOEXEC);
	activation.items[0].fd = -1; /* taken */
	activation_finish(&activation);
	CHECK(fcntl(3, F_GETFD) >= 0 && fcntl(4, F_GETFD) < 0);
	unlink(path);
}

static void run_fewer_names(void)
{
	place(fcntl(tcp_socket(true), F_DUPFD, 10), 3);
	number_set("LISTEN_FDS", 1);
	unsetenv("LISTEN_FDNAMES");
	CHECK(activation_read(&activation, &error) == 0 && activation.count == 1);
	CHECK(activation.items[0].name[0] == 0);
}

static void run_none(void)
{
	unsetenv("LISTEN_FDS");
	CHECK(activation_read(&activation, &error) == 0 && activation.count == 0);
	number_set("LISTEN_FDS", 0);
	CHECK(activation_read(&activation, &error) == 0 && activation.count == 0);
	number_set("LISTEN_FDS", 1); /* of another process, as a shell may leave it */
	setenv("LISTEN_PID", "1", 1);
	CHECK(activation_read(&activation, &error) == 0 && activation.count == 0);
}

static void check_bad(const char *want)
{
	error.text[0] = 0;
	CHECK(activation_read(&activation, &error) < 0);
	CHECK(strstr(error.text, want) != NULL);
}

static void run_bad_variables(void)
{
	static const char *const counts[] = {"", "many", "-1", "65", "99999999999999999999"};

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		setenv("LISTEN_FDS", counts[i], 1);
		check_bad("is not in 0..64 sockets");
	}
	setenv("LISTEN_FDS", "1", 1);
	unsetenv("LISTEN_PID");
	check_bad("LISTEN_PID is no number");
}

static void run_no_descriptor(void)
{
	number_set("LISTEN_FDS", 1);
	close(3);
	check_bad("there is no descriptor 3");
}

static void run_does_not_listen(void)
{
	place(fcntl(tcp_socket(false), F_DUPFD, 10), 3);
	number_set("LISTEN_FDS", 1);
	check_bad("is no stream socket that listens");
}

static void run_datagrams(void)
{
	place(fcntl(socket(AF_INET, SOCK_DGRAM, 0), F_DUPFD, 10), 3);
	number_set("LISTEN_FDS", 1);
	check_bad("is no stream socket that listens");
}

static void run_a_file(void)
{
	place(open("/dev/null", O_RDONLY), 3);
	number_set("LISTEN_FDS", 1);
	check_bad("is no stream socket that listens");
}

static void run_abstract(void)
{
	char name[64];

	snprintf(name, sizeof(name), "@gatehouse-activation.%d", (int)getpid());
	place(fcntl(unix_socket(name), F_DUPFD, 10), 3);
	number_set("LISTEN_FDS", 1);
	check_bad("neither on an address of IP nor on a path");
}

/* --- tests --- */

static void test_all(void **state)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{"two of them", run_two},
		{"fewer names", run_fewer_names},
		{"none", run_none},
		{"bad variables", run_bad_variables},
		{"no descriptor", run_no_descriptor},
		{"does not listen", run_does_not_listen},
		{"datagrams", run_datagrams},
		{"a file", run_a_file},
		{"abstract", run_abstract},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ASSERT_ROW(holds(cases[i].run), cases[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
