/* SPDX-License-Identifier: Apache-2.0
 * http_handler.h - what is asked over HTTP, and who answers it.
 *
 * Layer: http. */
#pragma once

#include "base/slice.h"
#include "http/http_reply.h"
#include "proto/http_head.h"

struct http_later;

/* All of it is lent until answer() returns, or, once the request is taken by
 * http_later_take, until its answer. */
struct http_request {
	struct slice method; /* any token; a handler knows which it serves */
	struct slice path;   /* as it came: not percent-decoded */
	struct slice query;  /* without its '?'; may be empty */
	struct slice body;
	const struct http_head *head; /* for http_field_find */
	const uint8_t *data;          /* the bytes of the head */
	/* For http_later_take. */
	struct http_later *(*take)(const struct http_request *request, uint64_t timeout_ms);
	void *owner;
	const char *client; /* address of who asks, of one that was taken; else NULL */
	bool is_local;      /* from a loopback address, and not through a proxy that says so */
};

/* GET or HEAD: only reads. */
static inline bool http_request_is_read(const struct http_request *request)
{
	return slice_equals(request->method, SLICE_LITERAL("GET")) ||
	       slice_equals(request->method, SLICE_LITERAL("HEAD"));
}

static inline bool http_request_is_options(const struct http_request *request)
{
	return slice_equals(request->method, SLICE_LITERAL("OPTIONS"));
}

/* Who answers ordinary HTTP on a listener, in its thread, which must not be blocked. */
struct http_handler {
	/* False: there is nothing at this path. */
	bool (*answer)(void *arg, const struct http_request *request, struct http_reply *reply);
	/* Is the body, which is still to come, worth reading? If not, answer() is asked
	 * without it. NULL: the listener takes no bodies. */
	bool (*wants_body)(void *arg, const struct http_request *request);
	void *arg;
};
