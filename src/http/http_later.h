/* SPDX-License-Identifier: Apache-2.0
 * http_later.h - answers that come later.
 *
 * Layer: http. Whoever reads requests makes these (struct http_request has its function for it);
 * whoever answers them knows no more than this. */
#pragma once

#include "http/http_handler.h"

struct fleet_home;
struct http_stream;
struct loop;
struct trace_span;

/* A request that was taken; all of it lives until the reply. */
struct http_later {
	struct http_request request;
	/* Whose thread the reply must come from. Another thread gets there by loop_post; the
	 * loop outlives every request that was taken and not answered. */
	struct loop *loop;
	struct fleet_home *home; /* the same worker's part of the fleet */
	void (*reply)(struct http_later *later, struct http_reply *reply);
	/* Whoever took it may want to know how it was answered; NULL: nobody. */
	void (*on_reply)(struct http_later *later, const struct http_reply *reply);
	struct trace_span *span; /* on_reply's */
	const char *span_path;   /* likewise; static text */
	/* For http_stream_begin. */
	bool (*stream)(struct http_later *later, struct http_reply *reply,
		       struct http_stream *stream);
};

/* In answer(): the reply comes by http_later_reply, and what answer() returns is
 * ignored. After `timeout_ms` without it the client gets 504. NULL: the listener's
 * max_calls are under way, or memory is out; then answer() refuses as usual. */
static inline struct http_later *http_later_take(const struct http_request *request,
						 uint64_t timeout_ms)
{
	return request->take(request, timeout_ms);
}

/* Exactly once for each request taken, also if its client has gone or got its 504:
 * frees it. The body of `reply` is freed. */
static inline void http_later_reply(struct http_later *later, struct http_reply *reply)
{
	if (later->on_reply != NULL)
		later->on_reply(later, reply);
	later->reply(later, reply);
}
