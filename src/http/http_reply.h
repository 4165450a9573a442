/* SPDX-License-Identifier: Apache-2.0
 * http_reply.h - an answer that is not an upgrade.
 *
 * Layer: http. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/problem.h"

/* [bytes] of a body; /metrics with the most back ends is below, and a test sees to it. */
#define HTTP_BODY_MAX 4194304

struct http_reply {
	unsigned status;
	const char *content_type; /* NULL: no body */
	char headers[512];        /* further lines, each ending in CRLF */
	const char *rules;        /* more, lent, with Cache-Control; NULL: it is not stored */
	struct buf body;
	/* Of what is wrong, for whoever gets no body; lent, NULL: not said. */
	const char *reason;
	const char *detail;
	unsigned retry_after_s; /* 0: not said */
	bool is_unproved;       /* another proof would help, also if the status is 403 */
	bool is_of_backend;     /* the status is a back end's, and means what it wants */
};

/* Appends a header line to reply->headers; what does not fit is our bug. */
void http_reply_header(struct http_reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Retry-After, in seconds. */
void http_reply_retry_after(struct http_reply *reply, unsigned seconds);

/* A problem+json body (RFC 9457) with title and detail. */
void http_reply_problem(struct http_reply *reply, unsigned status, const char *detail);

/* Its texts, and those of a problem below, must live until the answer is sent.
 *
 * 409 with the members route and client_id: what was asked for, nothing about the
 * connection that is there. */
void http_reply_conflict(struct http_reply *reply, const char *route, const char *client_id);

/* The same with further members. */
void http_reply_problem_about(struct http_reply *reply, const struct problem *problem);

/* 405; `allow` as "GET, HEAD". */
void http_reply_method(struct http_reply *reply, struct slice seen, const char *allow);

/* 204 to OPTIONS; `allow` likewise. */
void http_reply_options(struct http_reply *reply, const char *allow);

/* The same for a limit that refuses: Retry-After, the Gatehouse-Limit header and the
 * members limit, current, max and node. `retry_after_s` in seconds. */
struct limit_refusal {
	const char *limit;
	const char *title;
	const char *remedy;
	const char *node;
	uint64_t current;
	uint64_t max;
	unsigned status;
	unsigned retry_after_s;
};
void http_reply_limit(struct http_reply *reply, const struct limit_refusal *refusal);

/* Where the body ends. */
enum http_end {
	HTTP_END_LENGTH,  /* it is all there */
	HTTP_END_CHUNKED, /* it comes over time, in chunks (RFC 9112, 7.1) */
	HTTP_END_CLOSE,   /* likewise, to a client of HTTP/1.0: with the connection */
};

/* What is not the handler's to say. */
struct http_frame {
	const char *date;
	uint64_t kept_ms; /* is_kept: how long the connection waits for the next request */
	enum http_end end;
	bool is_kept;
};

/* Appends the head to `out`. The body follows it, unless the request was a HEAD. 0 or
 * a negative errno as buf_append. */
int http_reply_head(const struct http_reply *reply, const struct http_frame *frame,
		    struct buf *out);
