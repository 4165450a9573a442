/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_ready.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "proto/http_head.h"

#define ASK_INTERVAL_MS  100
#define ANSWER_WITHIN_MS 2000
#define ANSWER_MAX       32768

/* Longest text of what one answer said. */
#define SEEN_MAX 512

/* True if `events` come before the deadline. */
static bool wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd entry = {.fd = fd, .events = events};
	uint64_t now_ns = clock_now_ns();

	if (now_ns >= deadline_ns)
		return false;
	return poll(&entry, 1, (int)((deadline_ns - now_ns) / NS_PER_MS) + 1) == 1;
}

/* 0 or a negative errno. */
static int connect_by(int fd, const struct net_addr *addr, uint64_t deadline_ns)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (connect(fd, &addr->sa, net_addr_len(addr)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (!wait_for(fd, POLLOUT, deadline_ns))
		return -ETIMEDOUT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return -error;
}

/* Everything until the end of the stream; 0 or a negative errno. */
static int answer_read(int fd, uint64_t deadline_ns, struct buf *answer)
{
	for (;;) {
		uint8_t *room = buf_reserve(answer, 4096, ANSWER_MAX);

		if (room == NULL)
			return 0; /* enough to judge */
		if (!wait_for(fd, POLLIN, deadline_ns))
			return -ETIMEDOUT;
		ssize_t n = read(fd, room, 4096);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		answer->len += n > 0 ? (size_t)n : 0;
	}
}

static int exchange(const struct bench_url *url, const struct net_addr *addr, struct buf *answer)
{
	char request[BENCH_PATH_MAX + BENCH_HOST_MAX + 256];
	uint64_t deadline_ns = clock_now_ns() + ANSWER_WITHIN_MS * NS_PER_MS;
	int len = snprintf(request, sizeof(request),
			   "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n"
			   "User-Agent: gatehouse-bench\r\nConnection: close\r\n\r\n",
			   url->path, url->authority);
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	int r = connect_by(fd, addr, deadline_ns);

	if (r == 0 && send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		r = -errno;
	if (r == 0)
		r = answer_read(fd, deadline_ns, answer);
	close(fd);
	return r;
}

/* The beginning of a body, for people: one line of printable ASCII. */
static void body_format(struct slice body, char *out, size_t size)
{
	size_t len = MIN(body.len, size - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = body.data[i] >= ' ' && body.data[i] < 0x7f ? (char)body.data[i] : ' ';
	out[len] = 0;
}

static void status_describe(unsigned status, struct slice body, char *seen)
{
	char text[300];

	body_format(body, text, sizeof(text));
	if (status == 503)
		snprintf(seen, SEEN_MAX, "HTTP 503, not ready: %s", text);
	else if (status == 404)
		snprintf(seen, SEEN_MAX,
			 "HTTP 404: something else answers there; is this the right port and "
			 "path? (health is at /health)");
	else
		snprintf(seen, SEEN_MAX,
			 "HTTP %u, which is not 200; is this the right port and path? %s", status,
			 text);
}

/* True if the answer is a 200; else says in `seen` (SEEN_MAX) what it is. */
static bool answer_is_ready(const struct buf *answer, int error, char *seen)
{
	struct http_head head;
	struct http_error ignored;
	size_t used;

	http_head_init(&head, HTTP_RESPONSE);
	if (answer->len == 0) {
		snprintf(seen, SEEN_MAX, "%s",
			 error == 0 ? "the connection was closed without an answer"
				    : strerror(-error));
		return false;
	}
	/* A server that keeps the stream open has still answered. */
	if (http_head_parse(&head, &http_limits_default, answer->data, answer->len, &used,
			    &ignored) != HTTP_OK) {
		snprintf(seen, SEEN_MAX, "an answer that is not HTTP; is this the right port?");
		return false;
	}
	if (head.status == 200)
		return true;
	status_describe(head.status, slice_of(answer->data + used, answer->len - used), seen);
	return false;
}

int bench_ready_wait(const struct bench_url *url, const struct net_addr *addr, uint64_t timeout_ms,
		     const volatile sig_atomic_t *is_interrupted, char *error, size_t error_size)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
	char seen[SEEN_MAX] = "nothing";
	struct buf answer = {0};
	bool is_ready = false;

	do {
		answer.len = 0;
		int r = exchange(url, addr, &answer);

		is_ready = answer_is_ready(&answer, r, seen);
		if (!is_ready && *is_interrupted == 0)
			poll(NULL, 0, ASK_INTERVAL_MS);
	} while (!is_ready && *is_interrupted == 0 && clock_now_ns() < deadline_ns);
	buf_finish(&answer);
	if (is_ready)
		return 0;
	if (*is_interrupted != 0)
		return -EINTR;
	snprintf(error, error_size,
		 "http://%s%s did not answer 200 within %.1f s; seen last: %s. Is the service up? "
		 "--wait-ready-timeout waits longer",
		 url->authority, url->path, (double)timeout_ms / 1000, seen);
	return -ETIMEDOUT;
}
