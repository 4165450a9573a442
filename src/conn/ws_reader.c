/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/ws_reader.h"

#include <errno.h>

#include "conn/compression.h"
#include "conn/ws_pace.h"

/* Input that may still come after reading was stopped is held; so much of it means
 * that the client goes on sending while it takes nothing. */
#define HELD_MAX (16 * 1048576)

/* Where the connection has it. */
static struct frame_rx **frames_of(struct conn *conn)
{
	struct conn_ws_part *ws = conn_ws(conn);

	return conn->has_windows ? &ws->windows->frames : &ws->frames;
}

struct frame_rx *ws_reader_frames(const struct conn *conn)
{
	const struct conn_ws_part *ws = &conn->part.ws;

	return conn->has_windows ? ws->windows->frames : ws->frames;
}

static struct frame_rx *borrow(struct conn_home *home)
{
	struct frame_rx *rx = home->spare_frames;

	home->spare_frames = NULL;
	if (rx == NULL) {
		rx = pool_get(&home->frame_pool);
		if (rx == NULL)
			return NULL;
		ws_decoder_init(&rx->decoder);
		rx->held = (struct buf){0};
		rx->held_at = 0;
		list_init(&rx->stopped);
	}
	stat_add(&home->stats.partial, 1);
	return rx;
}

static void give_back(struct conn_home *home, struct frame_rx *rx)
{
	CHECK(rx->held.len == 0 && ws_decoder_is_idle(&rx->decoder));
	if (home->memory.is_on)
		memory_guard_forget(home, rx);
	stat_sub(&home->stats.partial, 1);
	if (home->spare_frames == NULL) {
		home->spare_frames = rx;
		return;
	}
	ws_decoder_finish(&rx->decoder);
	pool_put(&home->frame_pool, rx);
}

struct frame_rx *ws_reader_take(struct conn *conn)
{
	struct frame_rx *rx = *frames_of(conn);

	*frames_of(conn) = NULL;
	if (rx == NULL)
		rx = borrow(conn->home);
	if (rx == NULL)
		return NULL;
	rx->conn = conn;
	ws_decoder_inflates_by(&rx->decoder, conn->deflate_bits != 0 ? conn->home->inflater : NULL,
			       conn_window_in(conn));
	return rx;
}

enum ws_event ws_reader_next(struct frame_rx *rx, const struct conn *conn, uint8_t **data,
			     size_t *len, struct ws_event_data *out_event)
{
	return ws_decoder_next(&rx->decoder, WS_SERVER, conn_limits(conn)->max_message_size, data,
			       len, out_event);
}

void ws_reader_keep(struct conn *conn, struct frame_rx *rx)
{
	CHECK(*frames_of(conn) == NULL);
	if (ws_decoder_is_idle(&rx->decoder))
		give_back(conn->home, rx);
	else
		*frames_of(conn) = rx;
}

void ws_reader_drop(struct conn_home *home, struct frame_rx *rx)
{
	ws_decoder_finish(&rx->decoder);
	buf_finish(&rx->held);
	rx->held_at = 0;
	give_back(home, rx);
}

static void set_stalled(struct conn *conn, bool is_stalled)
{
	if (conn->is_stalled == is_stalled)
		return;
	conn->is_stalled = is_stalled;
	if (!is_stalled)
		ws_pace_let_go(conn);
	stat_add(&conn_stats(conn)->stalled, is_stalled ? 1 : (uint64_t)-1);
}

bool ws_reader_stall(struct conn *conn, struct frame_rx *rx, const uint8_t *rest, size_t len,
		     struct buf *owner)
{
	CHECK(!conn->is_stalled && *frames_of(conn) == NULL);
	set_stalled(conn, true);
	stat_add(&conn_stats(conn)->stalls, 1);
	ws_decoder_release(&rx->decoder);
	*frames_of(conn) = rx;
	if (owner == NULL)
		return ws_reader_hold(conn, rest, len);
	CHECK(rest + len == owner->data + owner->len);
	rx->held = *owner;
	rx->held_at = owner->len - len;
	*owner = (struct buf){0};
	return true;
}

bool ws_reader_hold(struct conn *conn, const uint8_t *data, size_t len)
{
	CHECK(conn->is_stalled && *frames_of(conn) != NULL);
	struct frame_rx *rx = *frames_of(conn);

	/* What is dealt with goes when it is the larger part: each byte is moved once at most. */
	if (rx->held_at > rx->held.len / 2) {
		buf_consume(&rx->held, rx->held_at);
		rx->held_at = 0;
	}
	return buf_append(&rx->held, data, len, HELD_MAX + rx->held_at) == 0;
}

/* What is held and not dealt with. */
static struct slice held_rest(const struct frame_rx *rx)
{
	if (rx->held.len == rx->held_at)
		return (struct slice){0};
	return slice_of(rx->held.data + rx->held_at, rx->held.len - rx->held_at);
}

void ws_reader_resume(struct conn *conn, struct buf *out_held, struct slice *out_rest)
{
	CHECK(conn->is_stalled && *frames_of(conn) != NULL);
	struct frame_rx *rx = *frames_of(conn);

	list_remove(&rx->stopped);
	*out_held = rx->held;
	*out_rest = held_rest(rx);
	rx->held = (struct buf){0};
	rx->held_at = 0;
	set_stalled(conn, false);
	if (out_rest->len > 0)
		return;
	*frames_of(conn) = NULL;
	ws_reader_keep(conn, rx);
}

bool ws_reader_is_stopped(const struct conn *conn)
{
	const struct frame_rx *rx = ws_reader_frames(conn);

	return rx != NULL && memory_guard_has_stopped(rx);
}

size_t ws_reader_held(const struct conn *conn)
{
	const struct frame_rx *rx = ws_reader_frames(conn);

	return rx == NULL ? 0 : rx->decoder.message.cap + rx->held.cap;
}

void ws_reader_release(struct conn *conn)
{
	struct frame_rx *rx = *frames_of(conn);

	set_stalled(conn, false);
	*frames_of(conn) = NULL;
	if (rx != NULL)
		ws_reader_drop(conn->home, rx);
	conn_compression_end(conn);
}

/* --- in another process --- */

/* A tag keeps its meaning for ever. */
enum {
	TAG_DECODER = 1, /* fields of ws_decoder.h */
	TAG_HELD = 2,    /* bytes that are not dealt with */
};

void ws_reader_export(struct conn *conn, struct state_writer *writer)
{
	const struct frame_rx *rx = *frames_of(conn);

	if (rx == NULL)
		return;
	size_t begun = state_begin(writer, TAG_DECODER);

	ws_decoder_export(&rx->decoder, writer);
	state_end(writer, begun);
	struct slice held = held_rest(rx);

	if (held.len > 0)
		state_put_bytes(writer, TAG_HELD, held);
}

static int decoder_read(struct frame_rx *rx, struct slice bytes)
{
	struct state_reader reader;

	if (!ws_decoder_is_idle(&rx->decoder))
		return -EBADMSG;
	state_reader_init(&reader, bytes);
	return ws_decoder_import(&rx->decoder, WS_SERVER, &reader);
}

static int field_read(struct frame_rx *rx, bool is_stalled, const struct state_field *field)
{
	switch (field->tag) {
	case TAG_DECODER:
		return decoder_read(rx, field->value);
	case TAG_HELD:
		return is_stalled ? buf_append(&rx->held, field->value.data, field->value.len,
					       SIZE_MAX)
				  : -EBADMSG;
	default:
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	}
}

int ws_reader_import(struct conn *conn, bool is_stalled, struct state_reader *reader)
{
	struct frame_rx *rx = ws_reader_take(conn);
	struct state_field field;
	int r = 0;

	if (rx == NULL)
		return -ENOMEM;
	while (r == 0 && state_next(reader, &field))
		r = field_read(rx, is_stalled, &field);
	if (r == 0 && reader->is_bad)
		r = -EBADMSG;
	if (r < 0) {
		ws_reader_drop(conn->home, rx);
		return r;
	}
	if (!is_stalled) {
		ws_reader_keep(conn, rx);
		return 0;
	}
	*frames_of(conn) = rx;
	set_stalled(conn, true);
	return 0;
}
