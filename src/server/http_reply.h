/* SPDX-License-Identifier: Apache-2.0
 * http_reply.h - an answer that is not an upgrade.
 *
 * Layer: server. The connection closes after it: keeping connections alive is for
 * WebSockets here, not for HTTP. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* [bytes] of a body; /metrics of the largest gateway is far below. */
#define HTTP_BODY_MAX 1048576

struct http_reply {
	unsigned status;
	const char *content_type; /* NULL: no body */
	char headers[512];        /* further lines, each ending in CRLF */
	struct buf body;
};

struct http_request {
	struct slice method;
	struct slice path;
	struct slice query; /* without its '?'; may be empty */
};

/* Who answers ordinary HTTP on a listener. False: there is nothing at this path.
 * Runs in the listener's thread and must not block it. */
struct http_handler {
	bool (*answer)(void *arg, const struct http_request *request, struct http_reply *reply);
	void *arg;
};

/* "Not Found" for 404. */
const char *http_status_text(unsigned status);

/* Appends a header line to reply->headers; what does not fit is our bug. */
void http_reply_header(struct http_reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A problem+json body (RFC 9457) with title and detail. */
void http_reply_problem(struct http_reply *reply, unsigned status, const char *detail);

/* 409 with the members route and client_id: what was asked for, nothing about the
 * connection that is there. */
void http_reply_conflict(struct http_reply *reply, const char *route, const char *client_id);

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

/* Appends the head to `out`. The body follows it, unless the request was a HEAD. 0 or
 * a negative errno as buf_append. */
int http_reply_head(const struct http_reply *reply, struct buf *out);
