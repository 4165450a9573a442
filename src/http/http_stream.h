/* SPDX-License-Identifier: Apache-2.0
 * http_stream.h - answers whose body is produced over time.
 *
 * Layer: http. A request that was taken (http_later.h) may be answered by a stream: its head leaves
 * at once, and its body in pieces, as its producer writes them. It has no place of max_calls: how
 * many there may be is for the producer to bound, and how much of each waits by http_stream_queued.
 * When it ends, so does the connection. */
#pragma once

#include "http/http_later.h"

/* Why a stream has ended. */
enum http_stream_end {
	HTTP_STREAM_LEFT,    /* the client has gone */
	HTTP_STREAM_CLOSED,  /* by http_stream_close */
	HTTP_STREAM_STUCK,   /* the client took nothing for send_timeout, while something waited */
	HTTP_STREAM_STOPPED, /* the gateway stops */
	HTTP_STREAM_MEMORY,  /* memory is out, or payload memory scarce */
};

/* Both in the loop's thread. */
struct http_stream_handler {
	/* All that was written is with the kernel. */
	void (*on_room)(struct http_stream *stream);
	/* Exactly once for a stream that has begun; perhaps from inside a call for it. Nothing may
	 * be asked of it from then on: the memory is its producer's again. */
	void (*on_end)(struct http_stream *stream, enum http_stream_end why);
};

struct http_stream_ops {
	int (*write)(struct http_stream *stream, struct slice piece);
	size_t (*queued)(const struct http_stream *stream);
	void (*close)(struct http_stream *stream);
};

/* Lies in its producer's memory, who fills `handler`. */
struct http_stream {
	const struct http_stream_handler *handler;
	const struct http_stream_ops *ops; /* whoever reads requests fills both */
	void *owner;
};

/* In the loop's thread, instead of http_later_reply: `reply` has status, type and headers, and no
 * body. True: the head is on its way, and on_end will come. False: the client has gone, or memory
 * is out, and nothing comes. */
static inline bool http_stream_begin(struct http_later *later, struct http_reply *reply,
				     struct http_stream *stream)
{
	if (later->on_reply != NULL)
		later->on_reply(later, reply);
	return later->stream(later, reply, stream);
}

/* All of it or nothing: 0 or -ENOMEM. An empty piece is none. */
static inline int http_stream_write(struct http_stream *stream, struct slice piece)
{
	return stream->ops->write(stream, piece);
}

/* [bytes] that wait for the client in the gateway. */
static inline size_t http_stream_queued(const struct http_stream *stream)
{
	return stream->ops->queued(stream);
}

/* The body is complete; what waits is sent yet. on_end comes before this returns. */
static inline void http_stream_close(struct http_stream *stream)
{
	stream->ops->close(stream);
}
