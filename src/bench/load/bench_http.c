/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "proto/http_head.h"

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
static int answer_read(struct bench_wire *wire, struct bench_http *answer)
{
	while (answer->bytes.len < BENCH_HTTP_MAX) {
		int r = bench_wire_recv(wire, &answer->bytes);

		if (r < 0)
			return r;
		if (is_complete(answer))
			return 0;
	}
	return 0;
}

/* The fields may have a secret. */
static void request_finish(struct buf *text)
{
	if (text->data != NULL)
		explicit_bzero(text->data, text->len);
	buf_finish(text);
}

static int request_send(const struct bench_url *url, const struct bench_http_request *request,
			struct bench_wire *wire)
{
	struct buf text = {0};
	int r = buf_printf(&text, SIZE_MAX,
			   "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n"
			   "User-Agent: gatehouse-bench\r\n%sConnection: close\r\n",
			   request->method, url->path, url->authority, request->fields);

	if (r >= 0 && strcmp(request->method, "GET") != 0)
		r = buf_printf(&text, SIZE_MAX, "Content-Length: %zu\r\n", request->body.len);
	if (r >= 0)
		r = buf_append(&text, "\r\n", 2, SIZE_MAX);
	if (r >= 0 && request->body.len > 0)
		r = buf_append(&text, request->body.data, request->body.len, SIZE_MAX);
	if (r >= 0)
		r = bench_wire_send(wire, buf_slice(&text));
	request_finish(&text);
	return r < 0 ? r : 0;
}

/* Whoever refuses may end before it has read all of the request. What it said before that has come
 * all the same, and tells more than the end. */
static int ask(const struct bench_url *url, const struct bench_http_request *request,
	       struct bench_wire *wire, struct bench_http *answer)
{
	int sent = request_send(url, request, wire);

	if (sent != 0 && sent != -ECONNRESET && sent != -EPIPE)
		return sent;
	int r = answer_read(wire, answer);

	return sent != 0 && r == -ENODATA ? sent : r;
}

int bench_http_ask(const struct bench_url *url, const struct bench_http_request *request,
		   const struct net_addr *addr, struct tls_context *tls, uint64_t timeout_ms,
		   struct bench_http *out_answer)
{
	struct bench_http answer = {0};
	struct bench_wire wire;
	int r = bench_wire_open(&wire, url, addr, tls, clock_now_ns() + timeout_ms * NS_PER_MS);

	if (r == 0)
		r = ask(url, request, &wire, &answer);
	bool is_answer = r == 0 || answer.head_len > 0 || (r == -ENODATA && answer.bytes.len > 0);

	if (r == -EPROTO && !is_answer)
		memcpy(out_answer->problem, wire.problem, sizeof(wire.problem));
	bench_wire_close(&wire);
	if (is_answer)
		*out_answer = answer;
	else
		buf_finish(&answer.bytes);
	return is_answer ? 0 : r;
}

int bench_http_get(const struct bench_url *url, const struct net_addr *addr,
		   struct tls_context *tls, uint64_t timeout_ms, struct bench_http *out_answer)
{
	const struct bench_http_request get = {.method = "GET", .fields = ""};

	return bench_http_ask(url, &get, addr, tls, timeout_ms, out_answer);
}

/* An alert, which is what a server of TLS says to plain HTTP (RFC 8446, 5.1). */
static bool is_tls_record(const struct bench_http *answer)
{
	const struct buf *bytes = &answer->bytes;

	return bytes->len >= 2 && bytes->data[0] == 21 && bytes->data[1] == 3;
}

char *bench_http_describe(int r, const struct bench_http *answer, char *out, size_t size)
{
	if (r == -ECONNREFUSED)
		snprintf(out, size, "nothing listens there (Connection refused)");
	else if (r == -ENODATA)
		snprintf(out, size, "the connection was closed without an answer");
	else if (r == -ETIMEDOUT)
		snprintf(out, size, "no answer in time (%s)", strerror(ETIMEDOUT));
	else if (r == -EPROTO)
		snprintf(out, size, "%s", answer->problem);
	else if (r < 0)
		snprintf(out, size, "%s", strerror(-r));
	else if (answer->status == 0 && is_tls_record(answer))
		snprintf(out, size, "an answer in TLS: https is spoken there");
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
