/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_reply.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "proto/http_status.h"

#define HTTP_HEAD_MAX 2048

void http_reply_header(struct http_reply *reply, const char *format, ...)
{
	size_t used = strlen(reply->headers);
	va_list args;

	va_start(args, format);
	int len = vsnprintf(reply->headers + used, sizeof(reply->headers) - used, format, args);
	va_end(args);
	CHECK(len >= 0 && used + (size_t)len + 2 < sizeof(reply->headers));
	memcpy(reply->headers + used + len, "\r\n", 3);
}

/* Takes the reference of `problem`. Without memory the answer goes without a body. */
static void set_problem(struct http_reply *reply, unsigned status, json_t *problem)
{
	char *text = problem == NULL ? NULL : json_dumps(problem, JSON_COMPACT);

	json_decref(problem);
	reply->status = status;
	buf_finish(&reply->body);
	if (text != NULL && buf_append(&reply->body, text, strlen(text), HTTP_BODY_MAX) == 0 &&
	    buf_append(&reply->body, "\n", 1, HTTP_BODY_MAX) == 0)
		reply->content_type = "application/problem+json";
	free(text);
}

void http_reply_retry_after(struct http_reply *reply, unsigned seconds)
{
	http_reply_header(reply, "Retry-After: %u", seconds);
	reply->retry_after_s = seconds;
}

void http_reply_problem_about(struct http_reply *reply, const struct problem *problem)
{
	reply->reason = problem->reason;
	reply->detail = problem->detail;
	set_problem(reply, problem->status, problem_json(problem));
}

void http_reply_problem(struct http_reply *reply, unsigned status, const char *detail)
{
	http_reply_problem_about(reply, &(struct problem){.status = status, .detail = detail});
}

void http_reply_method(struct http_reply *reply, struct slice seen, const char *allow)
{
	http_reply_header(reply, "Allow: %s", allow);
	http_reply_problem_about(reply, &(struct problem){
						.status = 405,
						.detail = "This method is not served here.",
						.reason = "method",
						.seen = seen,
						.allowed = allow,
					});
}

void http_reply_options(struct http_reply *reply, const char *allow)
{
	reply->status = 204;
	http_reply_header(reply, "Allow: %s", allow);
}

void http_reply_conflict(struct http_reply *reply, const char *route, const char *client_id)
{
	reply->reason = "conflict";
	reply->detail = "This client is connected already, and its route keeps the oldest "
			"connection (takeover: oldest).";
	set_problem(reply, 409,
		    json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "type", "about:blank", "title",
			      http_status_text(409), "status", 409, "detail", reply->detail,
			      "reason", reply->reason, "route", route, "client_id", client_id));
}

void http_reply_limit(struct http_reply *reply, const struct limit_refusal *refusal)
{
	char detail[512];

	snprintf(detail, sizeof(detail),
		 "%s: the limit '%s' is %" PRIu64 ", and %" PRIu64 " are in use. Remedy: %s.",
		 refusal->title, refusal->limit, refusal->max, refusal->current, refusal->remedy);
	reply->reason = refusal->limit;
	reply->detail = refusal->title;
	http_reply_retry_after(reply, refusal->retry_after_s);
	http_reply_header(reply, "Gatehouse-Limit: %s; current=%" PRIu64 "; max=%" PRIu64,
			  refusal->limit, refusal->current, refusal->max);
	set_problem(reply, refusal->status,
		    json_pack("{s:s, s:s, s:i, s:s, s:s, s:I, s:I, s:s}", "type", "about:blank",
			      "title", refusal->title, "status", (int)refusal->status, "detail",
			      detail, "limit", refusal->limit, "current",
			      (json_int_t)refusal->current, "max", (json_int_t)refusal->max, "node",
			      refusal->node));
}

/* --- the head: of each answer, so without printf --- */

static int put(struct buf *out, const char *text)
{
	return buf_append(out, text, strlen(text), HTTP_HEAD_MAX);
}

static int put_number(struct buf *out, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return buf_append(out, digits + at, sizeof(digits) - at, HTTP_HEAD_MAX);
}

static int put_field(struct buf *out, const char *name, const char *value)
{
	int r = put(out, name);

	if (r == 0)
		r = put(out, value);
	return r == 0 ? put(out, "\r\n") : r;
}

static int put_number_field(struct buf *out, const char *name, uint64_t value)
{
	int r = put(out, name);

	if (r == 0)
		r = put_number(out, value);
	return r == 0 ? put(out, "\r\n") : r;
}

static int put_status(struct buf *out, unsigned status)
{
	int r = put(out, "HTTP/1.1 ");

	if (r == 0)
		r = put_number(out, status);
	return r == 0 ? put_field(out, " ", http_status_text(status)) : r;
}

/* Whoever says it, 426 names what to upgrade to (RFC 9110, 15.5.22; RFC 6455, 4.2.2). */
static int put_upgrade(struct buf *out, const struct http_reply *reply)
{
	return reply->status == 426
		       ? put(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")
		       : 0;
}

/* Upgrade in its own header needs to be named here (RFC 9110, 7.8). */
static int put_connection(struct buf *out, const struct http_reply *reply,
			  const struct http_frame *frame)
{
	int r = put_field(out, reply->status == 426 ? "Connection: Upgrade, " : "Connection: ",
			  frame->is_kept ? "keep-alive" : "close");

	if (r == 0 && frame->is_kept)
		r = put_number_field(out, "Keep-Alive: timeout=", frame->kept_ms / 1000);
	return r;
}

/* 204 has no body whose length could be told, and 304 not that of the body there
 * (RFC 9110, 8.6). */
static int put_end(struct buf *out, const struct http_reply *reply, enum http_end end)
{
	if (end == HTTP_END_CHUNKED)
		return put(out, "Transfer-Encoding: chunked\r\n");
	if (end == HTTP_END_CLOSE || reply->status == 204 || reply->status == 304)
		return 0;
	return put_number_field(out, "Content-Length: ", reply->body.len);
}

int http_reply_head(const struct http_reply *reply, const struct http_frame *frame, struct buf *out)
{
	int r = put_status(out, reply->status);

	if (r == 0)
		r = put_field(out, "Date: ", frame->date);
	if (r == 0 && reply->content_type != NULL)
		r = put_field(out, "Content-Type: ", reply->content_type);
	if (r == 0)
		r = put_end(out, reply, frame->end);
	if (r == 0)
		r = put_connection(out, reply, frame);
	if (r == 0)
		r = put_upgrade(out, reply);
	if (r == 0)
		r = put(out, reply->rules != NULL ? reply->rules : "Cache-Control: no-store\r\n");
	return r == 0 ? put_field(out, reply->headers, "") : r;
}
