/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/load/bench_http.h"

/* More than the kernel holds for a connection, so that all is never sent before it is refused. */
#define BODY_SIZE (64u << 20)

#define WITHIN_MS 60000

static int listen_somewhere(struct net_addr *out_addr)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
	*out_addr = (struct net_addr){.in = any};
	return fd;
}

/* A process that reads a byte of one request, says `answer`, and resets the connection, as the
 * kernel does of one that is closed with bytes unread. */
static pid_t refuse(int listener, const char *answer)
{
	pid_t pid = fork();
	char byte;

	if (pid != 0)
		return pid;
	int fd = accept(listener, NULL, NULL);

	CHECK(read(fd, &byte, 1) == 1);
	CHECK(write(fd, answer, strlen(answer)) == (ssize_t)strlen(answer));
	close(fd);
	_exit(0);
}

static int post_much(const char *answer, struct bench_http *out_answer)
{
	struct bench_url url = {.path = "/big", .authority = "127.0.0.1"};
	struct bench_http_request request = {.method = "POST", .fields = ""};
	struct net_addr addr;
	int listener = listen_somewhere(&addr), status;
	uint8_t *body = calloc(1, BODY_SIZE);
	pid_t pid = refuse(listener, answer);

	request.body = slice_of(body, BODY_SIZE);
	int r = bench_http_ask(&url, &request, &addr, NULL, WITHIN_MS, out_answer);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(listener);
	free(body);
	return r;
}

static void test_refused_before_all_is_sent(void **state)
{
	(void)state;
	static const char answer[] =
		"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nless!";
	struct bench_http got = {0};

	assert_int_equal(post_much(answer, &got), 0);
	assert_int_equal(got.status, 413);
	assert_true(slice_equals(bench_http_body(&got), SLICE_LITERAL("less!")));
	bench_http_finish(&got);
}

static void test_reset_without_a_word(void **state)
{
	(void)state;
	struct bench_http got = {0};
	int r = post_much("", &got);

	assert_true(r == -ECONNRESET || r == -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_before_all_is_sent),
		cmocka_unit_test(test_reset_without_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
