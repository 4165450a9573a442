/* SPDX-License-Identifier: Apache-2.0
 * bench_wire.c - a blocking stream: a socket that is waited for with poll, and perhaps a TLS stream
 * between it and the caller. */
#include "bench/load/bench_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/client/bench_tls.h"
#include "tls/tls_records.h"

#define READ_SIZE 16384

/* True if `events` come before the deadline. */
static bool wait_for(const struct bench_wire *wire, short events)
{
	struct pollfd entry = {.fd = wire->fd, .events = events};
	uint64_t now_ns = clock_now_ns();

	if (now_ns >= wire->deadline_ns)
		return false;
	return poll(&entry, 1, (int)((wire->deadline_ns - now_ns) / NS_PER_MS) + 1) == 1;
}

/* --- the socket --- */

static int socket_connect(struct bench_wire *wire, const struct net_addr *addr)
{
	int error = 0;
	socklen_t len = sizeof(error);

	wire->fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (wire->fd < 0)
		return -errno;
	if (connect(wire->fd, &addr->sa, net_addr_len(addr)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (!wait_for(wire, POLLOUT))
		return -ETIMEDOUT;
	getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return -error;
}

static int socket_send(struct bench_wire *wire, struct slice bytes)
{
	while (bytes.len > 0) {
		if (!wait_for(wire, POLLOUT))
			return -ETIMEDOUT;
		ssize_t n = send(wire->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		size_t sent = n > 0 ? (size_t)n : 0;

		bytes = slice_of(bytes.data + sent, bytes.len - sent);
	}
	return 0;
}

static int socket_recv(struct bench_wire *wire, struct buf *into)
{
	for (;;) {
		uint8_t *room = buf_reserve(into, READ_SIZE, SIZE_MAX);

		if (room == NULL)
			return -ENOMEM;
		if (!wait_for(wire, POLLIN))
			return -ETIMEDOUT;
		ssize_t n = read(wire->fd, room, READ_SIZE);

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			continue;
		into->len += (size_t)n;
		return 0;
	}
}

/* --- TLS --- */

static int tls_failed(struct bench_wire *wire)
{
	struct tls_failure failure = tls_stream_failure(wire->stream);

	bench_tls_explain(&failure, wire->problem, sizeof(wire->problem));
	return -EPROTO;
}

/* One step with what has come; plain text is appended to `into`, which may be NULL while hands are
 * shaken. */
static int tls_step(struct bench_wire *wire, struct buf *into, enum tls_stream_result *out_result)
{
	struct buf reply = {0};
	uint8_t none[TLS_OPEN_ROOM];
	uint8_t *out = into == NULL ? none : buf_reserve(into, TLS_OPEN_ROOM, SIZE_MAX);
	size_t used, len;

	if (out == NULL)
		return -ENOMEM;
	*out_result = tls_stream_recv(wire->stream, wire->crypt, buf_slice(&wire->sealed), &used,
				      out, TLS_OPEN_ROOM, &len, &reply);
	if (into != NULL)
		into->len += len;
	buf_consume(&wire->sealed, used);
	int r = socket_send(wire, buf_slice(&reply));

	buf_finish(&reply);
	if (*out_result == TLS_STREAM_FAILED)
		return tls_failed(wire); /* also if the alert did not get through */
	return r;
}

static int tls_shake_hands(struct bench_wire *wire)
{
	enum tls_stream_result result;

	for (;;) {
		int r = tls_step(wire, NULL, &result);

		if (r < 0 || result == TLS_STREAM_READY)
			return r;
		r = socket_recv(wire, &wire->sealed);
		if (r < 0)
			return r;
	}
}

static int tls_recv(struct bench_wire *wire, struct buf *into)
{
	enum tls_stream_result result = TLS_STREAM_OK;
	size_t before = into->len;

	while (into->len == before) {
		if (wire->has_ended)
			return -ENODATA; /* what comes behind the end is nobody's */
		if (wire->sealed.len == 0) {
			int r = socket_recv(wire, &wire->sealed);

			if (r < 0)
				return r;
		}
		int r = tls_step(wire, into, &result);

		if (r < 0)
			return r;
		wire->has_ended = result == TLS_STREAM_CLOSED;
	}
	return 0;
}

static int tls_send(struct bench_wire *wire, struct slice bytes)
{
	struct buf sealed = {0};
	int r = tls_stream_send(wire->stream, wire->crypt, bytes, &sealed);

	if (r == 0)
		r = socket_send(wire, buf_slice(&sealed));
	buf_finish(&sealed);
	return r;
}

/* --- either --- */

int bench_wire_open(struct bench_wire *wire, const struct bench_url *url,
		    const struct net_addr *addr, struct tls_context *tls, uint64_t deadline_ns)
{
	*wire = (struct bench_wire){.fd = -1, .deadline_ns = deadline_ns};
	int r = socket_connect(wire, addr);

	if (r < 0 || !url->is_tls)
		return r;
	CHECK(tls != NULL);
	wire->crypt = tls_crypt_create();
	wire->stream = tls_stream_connect(tls, url->host);
	if (wire->crypt == NULL || wire->stream == NULL)
		return -ENOMEM;
	return tls_shake_hands(wire);
}

void bench_wire_close(struct bench_wire *wire)
{
	tls_stream_destroy(&wire->stream);
	tls_crypt_destroy(&wire->crypt);
	buf_finish(&wire->sealed);
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
}

int bench_wire_send(struct bench_wire *wire, struct slice bytes)
{
	return wire->stream == NULL ? socket_send(wire, bytes) : tls_send(wire, bytes);
}

int bench_wire_recv(struct bench_wire *wire, struct buf *into)
{
	return wire->stream == NULL ? socket_recv(wire, into) : tls_recv(wire, into);
}
