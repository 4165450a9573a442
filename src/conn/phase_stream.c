/* SPDX-License-Identifier: Apache-2.0
 * phase_stream.c - STREAM: an answer whose body comes over time, from a producer that knows no
 * connection (http_stream.h). It is the last one on its connection. What the client sends is not
 * looked at; its end of the stream ends this one. A client that takes nothing for send_timeout,
 * while something waits for it, is cut. However the phase is left, the producer is told, once. */
#include "conn/phase_stream.h"

#include <errno.h>
#include <stdio.h>

#include "conn/hull.h"
#include "conn/phase_end.h"
#include "conn/tls_end.h"

/* [bytes] of a chunk's length in hexadecimal, with both its line ends. */
#define CHUNK_HEAD_MAX 20
#define CHUNK_END      "\r\n"

/* How often it is looked at, in a send_timeout, whether the client takes something. */
#define LOOKS 4

static struct conn *conn_of(const struct http_stream *stream)
{
	return stream->owner;
}

/* --- what its producer asks for --- */

static int write_chunk(struct conn *conn, struct slice piece)
{
	uint8_t *to = tcp_reserve(&conn->tcp, CHUNK_HEAD_MAX + piece.len + strlen(CHUNK_END));

	if (to == NULL)
		return -ENOMEM;
	size_t len = (size_t)snprintf((char *)to, CHUNK_HEAD_MAX, "%zx\r\n", piece.len);

	memcpy(to + len, piece.data, piece.len);
	len += piece.len;
	memcpy(to + len, CHUNK_END, strlen(CHUNK_END));
	tcp_commit(&conn->tcp, len + strlen(CHUNK_END));
	return 0;
}

static int on_write(struct http_stream *stream, struct slice piece)
{
	struct conn *conn = conn_of(stream);
	bool was_empty = tcp_queued(&conn->tcp) == 0;

	if (piece.len == 0)
		return 0;
	int r = conn_stream(conn)->is_chunked ? write_chunk(conn, piece)
					      : tcp_write(&conn->tcp, piece.data, piece.len);

	if (r == 0 && was_empty)
		conn_stream(conn)->waiting_ms = conn_now_ms(conn);
	return r;
}

static size_t on_queued(const struct http_stream *stream)
{
	return tcp_queued(&conn_of(stream)->tcp);
}

static void end_with(struct conn *conn, enum http_stream_end why)
{
	static const char last_chunk[] = "0\r\n\r\n";

	conn_stream(conn)->why = why;
	if (conn_stream(conn)->is_chunked &&
	    tcp_write(&conn->tcp, last_chunk, strlen(last_chunk)) < 0)
		conn_cut(conn, CLOSE_NO_MEMORY);
	else
		conn_flush_and_close(conn);
}

static void on_close(struct http_stream *stream)
{
	end_with(conn_of(stream), HTTP_STREAM_CLOSED);
}

static const struct http_stream_ops stream_ops = {
	.write = on_write,
	.queued = on_queued,
	.close = on_close,
};

/* --- the phase --- */

static void look_later(struct conn *conn)
{
	conn_timer_start(conn, conn_limits(conn)->send_timeout / LOOKS + 1);
}

bool conn_stream_begin(struct conn *conn, struct http_reply *reply, struct http_stream *stream,
		       bool is_chunked)
{
	struct buf head = {0};
	struct http_frame frame = {
		.date = http_date_now(&conn->home->date, loop_now(conn->home->loop)),
		.end = is_chunked ? HTTP_END_CHUNKED : HTTP_END_CLOSE,
	};
	int r = http_reply_head(reply, &frame, &head);

	CHECK(reply->body.len == 0 && !conn->is_head);
	if (r == 0)
		r = tcp_write(&conn->tcp, head.data, head.len);
	buf_finish(&head);
	if (r < 0) {
		conn_cut(conn, CLOSE_NO_MEMORY);
		return false;
	}
	conn_phase_set(conn, CONN_STREAM);
	*conn_stream(conn) = (struct conn_stream_part){
		.stream = stream,
		.waiting_ms = conn_now_ms(conn),
		.progress = conn->tcp.progress,
		.is_chunked = is_chunked,
	};
	stream->ops = &stream_ops;
	stream->owner = conn;
	tcp_read_start(&conn->tcp); /* its end must be seen */
	look_later(conn);
	return true;
}

/* Nothing that it could say is waited for. */
static void on_recv(struct conn *conn, uint8_t *data, size_t len)
{
	(void)conn;
	(void)data;
	(void)len;
}

static void on_drained(struct conn *conn)
{
	struct http_stream *stream = conn_stream(conn)->stream;

	stream->handler->on_room(stream);
}

static void on_timeout(struct conn *conn)
{
	struct conn_stream_part *part = conn_stream(conn);

	if (tcp_queued(&conn->tcp) == 0 || part->progress != conn->tcp.progress) {
		part->progress = conn->tcp.progress;
		part->waiting_ms = conn_now_ms(conn);
	} else if (conn_now_ms(conn) - part->waiting_ms >= conn_limits(conn)->send_timeout) {
		part->why = HTTP_STREAM_STUCK;
		conn_cut(conn, CLOSE_SLOW_READER);
		return;
	}
	look_later(conn);
}

static void on_drain(struct conn *conn)
{
	end_with(conn, HTTP_STREAM_STOPPED);
}

static void on_shed(struct conn *conn)
{
	conn_stream(conn)->why = HTTP_STREAM_MEMORY;
	conn_cut(conn, CLOSE_PAYLOAD_MEMORY);
}

static void on_release(struct conn *conn)
{
	struct http_stream *stream = conn_stream(conn)->stream;

	stream->handler->on_end(stream, conn_stream(conn)->why);
}

const struct conn_phase phase_stream = {
	.name = "stream",
	.next = CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv,
	.eof = conn_close,
	.tls_failed = conn_tls_linger,
	.drained = on_drained,
	.timeout = on_timeout,
	.drain = on_drain,
	.shed = on_shed,
	.release = on_release,
};
