/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_http.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "proto/http_head.h"

#define READ_SIZE 4096

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

/* The first head that is no announcement of another one. */
static enum http_result head_read(struct buf *bytes, struct http_head *head, size_t *out_len)
{
	struct http_error ignored;

	for (;;) {
		http_head_init(head, HTTP_RESPONSE);
		enum http_result r = http_head_parse(head, &http_limits_default, bytes->data,
						     bytes->len, out_len, &ignored);

		if (r != HTTP_OK || !http_is_interim(head))
			return r;
		buf_consume(bytes, *out_len);
	}
}

/* Reads the head in what has come so far. True if no more is needed: the answer is
 * whole, or no HTTP. */
static bool is_complete(struct bench_http *answer)
{
	struct http_head head;
	struct slice text;
	size_t head_len;
	uint64_t len = UINT64_MAX; /* until the end of the stream */
	enum http_result r = head_read(&answer->bytes, &head, &head_len);

	if (r != HTTP_OK)
		return r == HTTP_BAD;
	answer->status = head.status;
	answer->head_len = head_len;
	if (http_field_find(&head, answer->bytes.data, "Content-Length", &text) == 1)
		(void)units_parse_count(text, &len);
	return answer->bytes.len - head_len >= len;
}

/* 0 or a negative errno: why reading ended before the answer was complete. */
static int answer_read(int fd, uint64_t deadline_ns, struct bench_http *answer)
{
	while (answer->bytes.len < BENCH_HTTP_MAX) {
		uint8_t *room = buf_reserve(&answer->bytes, READ_SIZE, BENCH_HTTP_MAX + READ_SIZE);

		if (room == NULL)
			return -ENOMEM;
		if (!wait_for(fd, POLLIN, deadline_ns))
			return -ETIMEDOUT;
		ssize_t n = read(fd, room, READ_SIZE);

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		answer->bytes.len += n > 0 ? (size_t)n : 0;
		if (n > 0 && is_complete(answer))
			return 0;
	}
	return 0;
}

static int exchange(const struct bench_url *url, const struct net_addr *addr, uint64_t deadline_ns,
		    struct bench_http *answer)
{
	char request[BENCH_PATH_MAX + BENCH_HOST_MAX + 256];
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

int bench_http_get(const struct bench_url *url, const struct net_addr *addr, uint64_t timeout_ms,
		   struct bench_http *out_answer)
{
	struct bench_http answer = {0};
	int r = exchange(url, addr, clock_now_ns() + timeout_ms * NS_PER_MS, &answer);
	bool is_answer = r == 0 || answer.head_len > 0 || (r == -ENODATA && answer.bytes.len > 0);

	if (is_answer)
		*out_answer = answer;
	else
		buf_finish(&answer.bytes);
	return is_answer ? 0 : r;
}

char *bench_http_describe(int r, const struct bench_http *answer, char *out, size_t size)
{
	if (r == -ECONNREFUSED)
		snprintf(out, size, "nothing listens there (Connection refused)");
	else if (r == -ENODATA)
		snprintf(out, size, "the connection was closed without an answer");
	else if (r == -ETIMEDOUT)
		snprintf(out, size, "no answer in time (%s)", strerror(ETIMEDOUT));
	else if (r < 0)
		snprintf(out, size, "%s", strerror(-r));
	else if (answer->status == 0)
		snprintf(out, size, "an answer that is not HTTP; is this the right port?");
	else
		snprintf(out, size, "HTTP %u", answer->status);
	return out;
}

void bench_http_finish(struct bench_http *answer)
{
	buf_finish(&answer->bytes);
	*answer = (struct bench_http){0};
}
