/* SPDX-License-Identifier: Apache-2.0
 * stream_event.c - events as they are written: server-sent events, whose data is one line of JSON.
 */
#include <stdlib.h>

#include "admin/stream/stream_private.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"

/* [bytes] of an event beside its data. */
#define FRAME_MAX 64

/* [bytes] No event is larger; the overview is the largest. */
#define EVENT_MAX (HTTP_BODY_MAX + FRAME_MAX)

bool stream_event(struct stream *stream, const char *name, const char *text, size_t len)
{
	size_t queued = http_stream_queued(&stream->http);
	struct buf *out = &stream->scratch;

	if (queued > 0 && queued + len + FRAME_MAX > STREAM_QUEUE_MAX)
		return false;
	out->len = 0;
	if (buf_printf(out, EVENT_MAX, "event: %s\ndata: ", name) < 0 ||
	    buf_append(out, text, len, EVENT_MAX) < 0 ||
	    buf_append(out, "\n\n", 2, EVENT_MAX) < 0 ||
	    http_stream_write(&stream->http, buf_slice(out)) < 0)
		return false;
	stream->quiet_since_ns = loop_now(stream->loop);
	counter_set(&stream->streams->stats.events,
		    counter_read(&stream->streams->stats.events) + 1);
	return true;
}

bool stream_event_json(struct stream *stream, const char *name, json_t *json)
{
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
	bool is_written = text != NULL && stream_event(stream, name, text, strlen(text));

	free(text);
	json_decref(json);
	return is_written;
}

/* --- a message --- */

static const char *type_name(enum conn_tap_kind kind)
{
	static const char *const names[] = {
		[CONN_TAP_OPEN] = "open", [CONN_TAP_TEXT] = "text", [CONN_TAP_BINARY] = "binary",
		[CONN_TAP_PING] = "ping", [CONN_TAP_PONG] = "pong", [CONN_TAP_CLOSE] = "close",
		[CONN_TAP_END] = "end",
	};

	return names[kind];
}

static json_t *base64_json(const uint8_t *data, size_t len)
{
	size_t size = BASE64_ENCODED_LEN(len);
	char *text = malloc(size + 1);

	if (text == NULL)
		return NULL;
	base64_write(data, len, text);
	json_t *json = json_stringn(text, size);

	free(text);
	return json;
}

static void add_message(json_t *json, const struct tail_item *item)
{
	const char *withheld = tail_withheld_label(item->withheld);

	json_object_set_new(json, "bytes", json_integer((json_int_t)item->bytes));
	if (withheld != NULL)
		json_object_set_new(json, "withheld", json_string(withheld));
	else if (item->kind == CONN_TAP_TEXT)
		json_object_set_new(json, "text",
				    json_stringn((const char *)item->body, item->len));
	else
		json_object_set_new(json, "base64", base64_json(item->body, item->len));
	json_object_set_new(json, "cut", json_boolean(item->is_cut));
	json_object_set_new(json, "redacted", json_boolean(item->hidden > 0));
}

/* What is told of the kind. */
static void add_kind(json_t *json, const struct tail_item *item)
{
	switch (item->kind) {
	case CONN_TAP_TEXT:
	case CONN_TAP_BINARY:
		add_message(json, item);
		break;
	case CONN_TAP_PING:
	case CONN_TAP_PONG:
		json_object_set_new(json, "bytes", json_integer((json_int_t)item->bytes));
		break;
	case CONN_TAP_CLOSE:
		json_object_set_new(json, "code", json_integer(item->code));
		json_object_set_new(json, "reason",
				    json_stringn((const char *)item->body, item->len));
		break;
	case CONN_TAP_END:
		json_object_set_new(json, "reason",
				    json_stringn((const char *)item->body, item->len));
		break;
	case CONN_TAP_OPEN:
		break;
	}
}

json_t *stream_message_json(const struct stream *stream, const struct tail_item *item)
{
	json_t *json = json_pack("{s:I, s:s, s:s, s:s, s:I, s:s, s:s}", "at_ms",
				 (json_int_t)item->at_ms, "node", stream->wish.node, "route",
				 presence_route_name(item->presence), "client_id",
				 item->presence->client_id, "connection_id",
				 (json_int_t)item->presence->connection_id, "direction",
				 item->is_out ? "out" : "in", "type", type_name(item->kind));

	if (json != NULL)
		add_kind(json, item);
	return json;
}

/* --- the first event: what comes --- */

static json_t *tail_json(const struct stream *stream)
{
	const struct tail_options *tail;

	if (stream->tail == NULL)
		return json_null();
	tail = tail_options(stream->tail);
	return json_pack("{s:s, s:s?, s:I, s:I, s:s}", "route", tail->route, "client_id",
			 tail->client_id[0] == 0 ? NULL : tail->client_id, "sample",
			 (json_int_t)tail->sample, "body_bytes", (json_int_t)tail->body_bytes,
			 "bodies", tail_bodies_label(tail->rules.bodies));
}

/* Below the level that the log has, nothing is written that could be shown. */
json_t *stream_hello_json(const struct stream *stream)
{
	const struct stream_wish *wish = &stream->wish;

	return json_pack("{s:s, s:s, s:I, s:I, s:s?, s:o}", "node", wish->node, "version",
			 GATEHOUSE_VERSION, "at_ms", (json_int_t)(clock_wall_ns() / NS_PER_MS),
			 "overview_ms", (json_int_t)wish->overview_ms, "log",
			 wish->has_log ? log_level_name(MAX(wish->log_level, log_lowest())) : NULL,
			 "tail", tail_json(stream));
}
