/* SPDX-License-Identifier: Apache-2.0
 * http_reply.h - an answer that is not an upgrade.
 *
 * Layer: http. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/problem.h"

struct conn;
struct http_head;
struct fleet_home;
struct http_later;
struct loop;

/* [bytes] of a body; /metrics with the most back ends is below, and a test sees to it. */
#define HTTP_BODY_MAX 2097152

struct http_reply {
	unsigned status;
	const char *content_type; /* NULL: no body */
	char headers[512];        /* further lines, each ending in CRLF */
	struct buf body;
};

/* All of it is lent until answer() returns, or, once the request is taken by
 * http_later_take, until its answer. */
struct http_request {
	struct slice method; /* any token; a handler knows which it serves */
	struct slice path;   /* as it came: not percent-decoded */
	struct slice query;  /* without its '?'; may be empty */
	struct slice body;
	const struct http_head *head; /* for http_field_find */
	const uint8_t *data;          /* the bytes of the head */
	struct conn *conn;            /* for http_later_take */
	const char *client; /* address of who asks, of one that was taken; else NULL */
	bool is_local; /* from a loopback address, and not through a proxy that says so */
};

/* GET or HEAD: only reads. */
bool http_request_is_read(const struct http_request *request);

/* Who answers ordinary HTTP on a listener, in its thread, which must not be blocked. */
struct http_handler {
	/* False: there is nothing at this path. */
	bool (*answer)(void *arg, const struct http_request *request, struct http_reply *reply);
	/* Is the body, which is still to come, worth reading? If not, answer() is asked
	 * without it. NULL: the listener takes no bodies. */
	bool (*wants_body)(void *arg, const struct http_request *request);
	void *arg;
};

/* --- answers that come later --- */

/* In answer(): the reply comes by http_later_reply, and what answer() returns is
 * ignored. After `timeout_ms` without it the client gets 504. NULL: the listener's
 * max_calls are under way, or memory is out; then answer() refuses as usual. */
struct http_later *http_later_take(const struct http_request *request, uint64_t timeout_ms);

/* The request that was taken; lives until the reply. */
const struct http_request *http_later_request(const struct http_later *later);

/* Whose thread the reply must come from. Another thread gets there by loop_post; the
 * loop outlives every request that was taken and not answered. */
struct loop *http_later_loop(const struct http_later *later);

/* The same worker's part of the fleet. */
struct fleet_home *http_later_home(const struct http_later *later);

/* Exactly once for each request taken, also if its client has gone or got its 504:
 * frees it. The body of `reply` is freed. */
void http_later_reply(struct http_later *later, struct http_reply *reply);

/* Appends a header line to reply->headers; what does not fit is our bug. */
void http_reply_header(struct http_reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A problem+json body (RFC 9457) with title and detail. */
void http_reply_problem(struct http_reply *reply, unsigned status, const char *detail);

/* 409 with the members route and client_id: what was asked for, nothing about the
 * connection that is there. */
void http_reply_conflict(struct http_reply *reply, const char *route, const char *client_id);

/* The same with further members. */
void http_reply_problem_about(struct http_reply *reply, const struct problem *problem);

/* 405; `allow` as "GET, HEAD". */
void http_reply_method(struct http_reply *reply, struct slice seen, const char *allow);

/* 204 to OPTIONS; `allow` likewise. */
void http_reply_options(struct http_reply *reply, const char *allow);
bool http_request_is_options(const struct http_request *request);

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

/* What is not the handler's to say. */
struct http_frame {
	const char *date;
	uint64_t kept_ms; /* is_kept: how long the connection waits for the next request */
	bool is_kept;
};

/* Appends the head to `out`. The body follows it, unless the request was a HEAD. 0 or
 * a negative errno as buf_append. */
int http_reply_head(const struct http_reply *reply, const struct http_frame *frame,
		    struct buf *out);
