/* SPDX-License-Identifier: Apache-2.0
 * test_notify.c - what the service manager is told, by a socket that stands in for it. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/notify.h"

static char path[64];
static int manager;

static void listen_at(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(name);

	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = 0;
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_true(manager >= 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&addr,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/gatehouse-notify.%d", (int)getpid());
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	manager = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_open(); /* closes what was open */
	if (manager >= 0)
		close(manager);
	unlink(path);
	return 0;
}

static const char *heard(void)
{
	static char text[2048];
	ssize_t len = recv(manager, text, sizeof(text) - 1, 0);

	assert_true(len > 0);
	text[len] = 0;
	return text;
}

static void assert_silent(void)
{
	char byte;

	assert_true(recv(manager, &byte, 1, 0) < 0 && errno == EAGAIN);
}

/* --- tests --- */

static void test_without_a_manager(void **state)
{
	(void)state;
	assert_int_equal(notify_open(), 0);
	assert_false(notify_is_on());
	assert_true(notify_watchdog_ns() == 0);
	notify_ready(); /* nothing happens */
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_open(), 0);
	assert_false(notify_is_on());
}

static void say_all(void)
{
	notify_ready();
	assert_string_equal(heard(), "READY=1");
	notify_stopping();
	assert_string_equal(heard(), "STOPPING=1");
	notify_status("%d of %s", 3, "them");
	assert_string_equal(heard(), "STATUS=3 of them");
	notify_extend(15 * NS_PER_S);
	assert_string_equal(heard(), "EXTEND_TIMEOUT_USEC=15000000");
	notify_main_pid(4711);
	assert_string_equal(heard(), "MAINPID=4711");
	notify_watchdog();
	assert_string_equal(heard(), "WATCHDOG=1");
	assert_silent();
}

static void test_by_a_path(void **state)
{
	(void)state;
	listen_at(path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify_open(), 0);
	assert_true(notify_is_on());
	say_all();
}

static void test_by_an_abstract_name(void **state)
{
	(void)state;
	path[0] = '@';
	listen_at(path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify_open(), 0);
	say_all();
}

/* By the clock that the manager compares with. */
static void test_reloading_has_its_time(void **state)
{
	unsigned long long usec;
	uint64_t before = clock_now_ns() / NS_PER_US;

	(void)state;
	listen_at(path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify_open(), 0);
	notify_reloading();
	assert_int_equal(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	assert_true(usec >= before && usec <= clock_now_ns() / NS_PER_US);
}

/* Else whoever names a client could tell the manager anything. */
static void test_a_status_is_one_line(void **state)
{
	char text[4096];

	(void)state;
	listen_at(path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify_open(), 0);
	notify_status("all\nMAINPID=1");
	assert_string_equal(heard(), "STATUS=all");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	notify_status("%s", text);
	assert_true(strlen(heard()) < 1024);
}

static void test_one_that_has_gone_is_no_trouble(void **state)
{
	(void)state;
	listen_at(path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify_open(), 0);
	close(manager);
	manager = -1;
	unlink(path);
	notify_ready();
}

static void test_bad_sockets(void **state)
{
	static const char *const bad[] = {"relative", "/", "@", "vsock:2:1234"};
	char long_path[200];

	(void)state;
	memset(long_path, '/', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = 0;
	setenv("NOTIFY_SOCKET", long_path, 1);
	assert_int_equal(notify_open(), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		setenv("NOTIFY_SOCKET", bad[i], 1);
		ASSERT_ROW(notify_open() == -EINVAL, bad[i]);
		ASSERT_ROW(!notify_is_on(), bad[i]);
	}
}

static void test_watchdog(void **state)
{
	static const struct {
		const char *usec, *pid; /* NULL: not given; "self" */
		uint64_t want_ns;
	} cases[] = {
		{NULL, NULL, 0},
		{"30000000", NULL, 30 * NS_PER_S},
		{"30000000", "self", 30 * NS_PER_S},
		{"30000000", "1", 0},
		{"30000000", "", 0},
		{"", NULL, 0},
		{"-1", NULL, 0},
		{"1s", NULL, 0},
		{"99999999999999999999", NULL, 0},
	};
	char pid[32];

	(void)state;
	listen_at(path);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("NOTIFY_SOCKET", path, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (cases[i].usec != NULL)
			setenv("WATCHDOG_USEC", cases[i].usec, 1);
		if (cases[i].pid != NULL)
			setenv("WATCHDOG_PID",
			       strcmp(cases[i].pid, "self") == 0 ? pid : cases[i].pid, 1);
		assert_int_equal(notify_open(), 0);
		ASSERT_ROW(notify_watchdog_ns() == cases[i].want_ns,
			   cases[i].usec == NULL ? "none" : cases[i].usec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without_a_manager, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_a_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_an_abstract_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reloading_has_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_status_is_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_that_has_gone_is_no_trouble, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_bad_sockets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watchdog, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
