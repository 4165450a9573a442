/* SPDX-License-Identifier: Apache-2.0
 * stream.c - one stream, from its request to its end, which may come from either side: its
 * connection tells on_end exactly once, and there everything is given back. */
#include <stdlib.h>

#include "admin/overview.h"
#include "admin/stream/stream_private.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"

#define TICK_NS NS_PER_S

static void count(uint64_t *counter, uint64_t more)
{
	counter_set(counter, counter_read(counter) + more);
}

/* --- what is left out --- */

static uint64_t messages_left_out(const struct stream *stream)
{
	return stream->unsent_messages + (stream->tail == NULL ? 0 : tail_left_out(stream->tail));
}

uint64_t stream_lines_left_out(const struct stream *stream)
{
	if (!stream->wish.has_log)
		return 0;
	return stream->unsent_lines + counter_read(&stream->streams->log.lost) -
	       stream->lost_before;
}

/* Counted when it can be told, or at the end. */
static void tell_dropped(struct stream *stream, const char *of, uint64_t left_out, uint64_t *told,
			 uint64_t *stat)
{
	uint64_t more = left_out - *told;

	if (more == 0 ||
	    !stream_event_json(stream, "dropped",
			       json_pack("{s:s, s:I}", "of", of, "count", (json_int_t)more)))
		return;
	*told = left_out;
	count(stat, more);
}

static void tell_all_dropped(struct stream *stream)
{
	struct streams_stats *stats = &stream->streams->stats;

	tell_dropped(stream, "message", messages_left_out(stream), &stream->told_messages,
		     &stats->dropped_messages);
	tell_dropped(stream, "log", stream_lines_left_out(stream), &stream->told_lines,
		     &stats->dropped_lines);
}

/* --- what comes --- */

static void on_message(void *arg, const struct tail_item *item)
{
	struct stream *stream = arg;

	if (stream_event_json(stream, "message", stream_message_json(stream, item)))
		stream->shown++;
	else
		stream->unsent_messages++;
}

/* A comment, so that whatever is in between sees that the stream lives. */
static void keep_alive(struct stream *stream)
{
	if (loop_now(stream->loop) - stream->quiet_since_ns < STREAM_KEEPALIVE_NS ||
	    http_stream_queued(&stream->http) > 0)
		return;
	stream->quiet_since_ns = loop_now(stream->loop);
	(void)http_stream_write(&stream->http, SLICE_LITERAL(": alive\n\n"));
}

static void on_tick(struct timer *timer)
{
	struct stream *stream = CONTAINER_OF(timer, struct stream, tick);

	tell_all_dropped(stream);
	keep_alive(stream);
	loop_timer_start(stream->loop, timer, TICK_NS);
}

static void on_overview(struct timer *timer)
{
	struct stream *stream = CONTAINER_OF(timer, struct stream, overview);

	/* To whoever is behind the next one is worth more. */
	(void)stream_event_json(stream, "overview", overview_json(stream->streams->admin));
	loop_timer_start(stream->loop, timer, stream->wish.overview_ms * NS_PER_MS);
}

/* --- the end --- */

/* Who watched whom. */
static void log_tail_end(const struct stream *stream, enum stream_end why)
{
	const struct tail_options *tail = tail_options(stream->tail);

	log_info("a tail has ended", F_TEXT("route", tail->route),
		 F_TEXT("client_id", tail->client_id[0] == 0 ? NULL : tail->client_id),
		 F_TEXT("asked_by", stream->client), F_TEXT("reason", stream_end_label(why)),
		 F_UINT("shown", stream->shown), F_UINT("dropped", messages_left_out(stream)),
		 F_UINT("seconds", (loop_now(stream->loop) - stream->begun_ns) / NS_PER_S));
}

static enum stream_end end_of(const struct stream *stream, enum http_stream_end why)
{
	static const enum stream_end ends[] = {
		[HTTP_STREAM_LEFT] = STREAM_END_CLIENT,
		[HTTP_STREAM_CLOSED] = STREAM_END_CLIENT,
		[HTTP_STREAM_STUCK] = STREAM_END_SLOW,
		[HTTP_STREAM_STOPPED] = STREAM_END_SHUTDOWN,
		[HTTP_STREAM_MEMORY] = STREAM_END_MEMORY,
	};

	return stream->is_ending ? stream->why : ends[why];
}

static void stream_free(struct stream *stream)
{
	loop_timer_stop(stream->loop, &stream->tick);
	loop_timer_stop(stream->loop, &stream->overview);
	tail_stop(&stream->tail);
	buf_finish(&stream->scratch);
	free(stream);
}

static void on_end(struct http_stream *http, enum http_stream_end how)
{
	struct stream *stream = CONTAINER_OF(http, struct stream, http);
	struct streams *streams = stream->streams;
	enum stream_end why = end_of(stream, how);

	count(&streams->stats.ended[why], 1);
	count(&streams->stats.dropped_messages, messages_left_out(stream) - stream->told_messages);
	count(&streams->stats.dropped_lines, stream_lines_left_out(stream) - stream->told_lines);
	list_remove(&stream->node);
	stream_log_leave(streams, stream);
	counter_set(&streams->stats.open, counter_read(&streams->stats.open) - 1);
	if (stream->tail != NULL)
		log_tail_end(stream, why);
	stream_free(stream);
}

void stream_end(struct stream *stream, enum stream_end why)
{
	tell_all_dropped(stream);
	stream->is_ending = true;
	stream->why = why;
	stream_event_json(stream, "end", json_pack("{s:s}", "reason", stream_end_label(why)));
	http_stream_close(&stream->http);
}

/* Nothing waits for it: what is left out is told by the tick. */
static void on_room(struct http_stream *http)
{
	(void)http;
}

static const struct http_stream_handler handler = {.on_room = on_room, .on_end = on_end};

/* --- the beginning --- */

/* NULL: memory is out. */
static struct stream *stream_create(struct streams *streams, struct http_later *later,
				    const struct stream_wish *wish)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	stream->http.handler = &handler;
	stream->streams = streams;
	stream->loop = later->loop;
	stream->wish = *wish;
	stream->begun_ns = stream->quiet_since_ns = loop_now(later->loop);
	snprintf(stream->client, sizeof(stream->client), "%s", later->request.client);
	list_init(&stream->node);
	loop_timer_init(&stream->tick, on_tick);
	loop_timer_init(&stream->overview, on_overview);
	if (!wish->has_tail)
		return stream;
	stream->wish.tail = (struct tail_options){0}; /* lent; the tail has its own */
	stream->tail = tail_start(streams_server(streams), later->loop, &wish->tail, on_message,
				  stream);
	if (stream->tail == NULL) {
		free(stream);
		return NULL;
	}
	return stream;
}

static void log_tail_begin(const struct stream *stream)
{
	const struct tail_options *tail = tail_options(stream->tail);

	log_info("the API shows messages", F_TEXT("route", tail->route),
		 F_TEXT("client_id", tail->client_id[0] == 0 ? NULL : tail->client_id),
		 F_TEXT("asked_by", stream->client), F_TEXT("access", stream->wish.access),
		 F_TEXT("bodies", tail_bodies_label(tail->rules.bodies)),
		 F_UINT("body_bytes", tail->body_bytes), F_UINT("sample", tail->sample));
}

/* The head has left. */
static void begin(struct streams *streams, struct stream *stream)
{
	list_append(&streams->open, &stream->node);
	counter_set(&streams->stats.open, counter_read(&streams->stats.open) + 1);
	if (stream->tail != NULL)
		log_tail_begin(stream);
	stream_event_json(stream, "hello", stream_hello_json(stream));
	stream_log_join(streams, stream);
	loop_timer_start(stream->loop, &stream->tick, TICK_NS);
	if (stream->wish.overview_ms > 0)
		on_overview(&stream->overview);
}

bool stream_open(struct streams *streams, struct http_later *later, const struct stream_wish *wish)
{
	struct stream *stream = stream_create(streams, later, wish);
	struct http_reply reply = {.status = 200, .content_type = "text/event-stream"};

	if (stream == NULL)
		return false;
	bool is_open = streams_use(streams, later->loop);

	/* For proxies that would gather it. */
	http_reply_header(&reply, "X-Accel-Buffering: no");
	if (!http_stream_begin(later, &reply, &stream->http)) {
		stream_free(stream);
		return true;
	}
	begin(streams, stream);
	if (!is_open)
		stream_end(stream, streams->close_why);
	return true;
}
