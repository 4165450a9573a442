/* SPDX-License-Identifier: Apache-2.0
 * tls_stream.c - a stream: OpenSSL's while it shakes hands (tls_shake.c), and then ours. */
#include "tls/tls_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "tls/tls_memory.h"
#include "tls/tls_stream_private.h"

/* --- the start of a record, which waits for the rest --- */

static size_t held_len(const struct tls_stream *stream)
{
	return stream->held == NULL ? 0 : stream->held->len;
}

bool tls_stream_hold(struct tls_stream *stream, struct slice bytes)
{
	if (bytes.len == 0)
		return true;
	if (stream->held == NULL) {
		stream->held = tls_memory_get(sizeof(*stream->held));
		if (stream->held == NULL)
			return false;
		*stream->held = (struct buf){0};
	}
	return buf_append(stream->held, bytes.data, bytes.len, TLS_RECORD_MAX) == 0;
}

static void held_finish(struct tls_stream *stream)
{
	if (stream->held == NULL)
		return;
	buf_finish(stream->held);
	tls_memory_put(stream->held, sizeof(*stream->held));
	stream->held = NULL;
}

size_t tls_stream_held(const struct tls_stream *stream)
{
	return stream->held == NULL ? 0 : stream->held->cap;
}

/* --- life --- */

static struct tls_stream *stream_create(struct tls_context *context, const char *server_name,
					bool is_server)
{
	struct tls_stream *stream = tls_memory_get(sizeof(*stream));

	if (stream == NULL)
		return NULL;
	*stream = (struct tls_stream){.is_server = is_server};
	stream->shake = tls_shake_create(context, server_name, is_server);
	if (stream->shake == NULL)
		tls_stream_destroy(&stream);
	return stream;
}

struct tls_stream *tls_stream_accept(struct tls_context *context)
{
	return stream_create(context, NULL, true);
}

struct tls_stream *tls_stream_connect(struct tls_context *context, const char *server_name)
{
	return stream_create(context, server_name, false);
}

void tls_stream_destroy(struct tls_stream **stream)
{
	struct tls_stream *self = *stream;

	if (self == NULL)
		return;
	tls_shake_destroy(&self->shake);
	tls_records_destroy(&self->records);
	held_finish(self);
	free(self->failure);
	tls_memory_put(self, sizeof(*self));
	*stream = NULL;
}

size_t tls_stream_size(const struct tls_stream *stream)
{
	return sizeof(*stream) + tls_stream_held(stream) +
	       (stream->shake == NULL ? 0 : sizeof(*stream->shake)) +
	       (stream->records == NULL ? 0 : tls_records_size(tls_records_suite(stream->records)));
}

/* --- failures --- */

enum tls_stream_result tls_stream_fail(struct tls_stream *stream, enum tls_trouble trouble,
				       const char *reason, int alert, bool is_from_peer)
{
	stream->has_stopped = true;
	stream->has_failed = true;
	stream->failure = calloc(1, sizeof(*stream->failure));
	if (stream->failure == NULL)
		return TLS_STREAM_FAILED;
	snprintf(stream->failure->reason, sizeof(stream->failure->reason), "%s", reason);
	stream->failure->trouble = trouble;
	stream->failure->version = stream->shake == NULL ? NULL : tls_shake_version(stream->shake);
	stream->failure->alert = alert;
	stream->failure->is_from_peer = is_from_peer;
	return TLS_STREAM_FAILED;
}

struct tls_failure tls_stream_failure(const struct tls_stream *stream)
{
	if (stream->failure == NULL)
		return (struct tls_failure){
			.reason = "out of memory", .trouble = TLS_TROUBLE_MEMORY, .alert = -1};
	return *stream->failure;
}

bool tls_stream_has_failed(const struct tls_stream *stream)
{
	return stream->has_failed;
}

/* --- records of ours --- */

static enum tls_stream_result peer_failed(struct tls_stream *stream, struct tls_crypt *crypt,
					  uint8_t alert, struct buf *reply)
{
	size_t max = tls_sealed_max(stream->records, 2), len;
	/* Behind our close_notify there is nothing more to say. */
	uint8_t *to = stream->has_ended ? NULL : buf_reserve(reply, max, OUT_MAX);
	bool is_said = to != NULL && tls_seal_alert(stream->records, crypt, alert, to, &len) == 0;

	if (is_said)
		reply->len += len;
	return tls_stream_fail(stream, TLS_TROUBLE_RECORD, "a record broke the protocol",
			       is_said ? alert : -1, false);
}

static enum tls_stream_result opening_result(struct tls_stream *stream, struct tls_crypt *crypt,
					     enum tls_opening opening, uint8_t alert,
					     struct buf *reply)
{
	switch (opening) {
	case TLS_OPENED:
		return TLS_STREAM_OK;
	case TLS_CLOSED:
		stream->has_stopped = true;
		return TLS_STREAM_CLOSED;
	case TLS_ALERTED:
		tls_stream_fail(stream, tls_trouble_of_alert(alert), "the peer gave up", alert,
				true);
		return TLS_STREAM_CLOSED;
	case TLS_BROKEN:
		break;
	}
	return peer_failed(stream, crypt, alert, reply);
}

/* [bytes] missing to what is held until its record is whole; of its head first. */
static size_t held_missing(const struct buf *held)
{
	if (held->len < TLS_RECORD_HEAD)
		return TLS_RECORD_HEAD - held->len;
	size_t whole = TLS_RECORD_HEAD +
		       MIN(be_read(held->data + 3, 2), (uint64_t)TLS_RECORD_MAX - TLS_RECORD_HEAD);

	return whole > held->len ? whole - held->len : 0;
}

/* A record that began in an earlier call. */
static enum tls_stream_result held_open(struct tls_stream *stream, struct tls_crypt *crypt,
					struct slice *in, uint8_t *out, size_t size,
					size_t *out_len, struct buf *reply)
{
	struct buf *held = stream->held;
	struct tls_opened opened;
	size_t missing;

	while ((missing = held_missing(held)) > 0 && in->len > 0) {
		size_t len = MIN(missing, in->len);

		if (!tls_stream_hold(stream, slice_of(in->data, len)))
			return tls_stream_fail(stream, TLS_TROUBLE_MEMORY, "out of memory", -1,
					       false);
		*in = slice_of(in->data + len, in->len - len);
	}
	if (held->len < TLS_RECORD_HEAD)
		return TLS_STREAM_OK;
	enum tls_opening opening = tls_open(stream->records, crypt, buf_slice(held), out + *out_len,
					    size - *out_len, &opened);

	*out_len += opened.len;
	if (opened.used > 0)
		held_finish(stream);
	return opening_result(stream, crypt, opening, opened.alert, reply);
}

/* Keeps what is the start of a record. */
static enum tls_stream_result rest_hold(struct tls_stream *stream, struct slice *in)
{
	if (!tls_stream_hold(stream, *in))
		return tls_stream_fail(stream, TLS_TROUBLE_MEMORY, "out of memory", -1, false);
	*in = (struct slice){0};
	return TLS_STREAM_OK;
}

static bool is_whole(struct slice in)
{
	return in.len >= TLS_RECORD_HEAD && in.len >= TLS_RECORD_HEAD + be_read(in.data + 3, 2);
}

static enum tls_stream_result records_recv(struct tls_stream *stream, struct tls_crypt *crypt,
					   struct slice in, size_t *out_used, uint8_t *out,
					   size_t size, size_t *out_len, struct buf *reply)
{
	enum tls_stream_result r = TLS_STREAM_OK;
	struct slice rest = in;
	struct tls_opened opened;

	if (held_len(stream) > 0)
		r = held_open(stream, crypt, &rest, out, size, out_len, reply);
	if (r == TLS_STREAM_OK && held_len(stream) == 0 && size - *out_len >= TLS_OPEN_ROOM) {
		enum tls_opening opening = tls_open(stream->records, crypt, rest, out + *out_len,
						    size - *out_len, &opened);

		*out_len += opened.len;
		rest = slice_of(rest.data + opened.used, rest.len - opened.used);
		r = opening_result(stream, crypt, opening, opened.alert, reply);
	}
	if (r == TLS_STREAM_OK && held_len(stream) == 0 && !is_whole(rest))
		r = rest_hold(stream, &rest);
	*out_used = in.len - rest.len;
	return r;
}

/* --- either --- */

enum tls_stream_result tls_stream_recv(struct tls_stream *stream, struct tls_crypt *crypt,
				       struct slice in, size_t *out_used, uint8_t *out, size_t size,
				       size_t *out_len, struct buf *reply)
{
	CHECK(!stream->has_stopped && !stream->is_at_rest && size >= TLS_OPEN_ROOM);
	*out_len = 0;
	if (stream->shake != NULL)
		return tls_shake_recv(stream, in, out_used, out, size, out_len, reply);
	return records_recv(stream, crypt, in, out_used, out, size, out_len, reply);
}

int tls_stream_send_pieces(struct tls_stream *stream, struct tls_crypt *crypt,
			   const struct slice *pieces, size_t count, struct buf *out)
{
	size_t sealed, len = 0;
	int r = 0;

	CHECK(!stream->is_at_rest);
	if (stream->has_failed || stream->has_ended)
		return -EPIPE;
	CHECK(stream->is_ready);
	if (stream->shake != NULL) {
		for (size_t i = 0; i < count && r == 0; i++)
			r = tls_shake_send(stream, pieces[i], out);
		return r;
	}
	for (size_t i = 0; i < count; i++)
		len += pieces[i].len;
	uint8_t *to = buf_reserve(out, tls_sealed_max(stream->records, len), OUT_MAX);

	r = to == NULL ? -ENOMEM
		       : tls_seal_pieces(stream->records, crypt, pieces, count, to, &sealed);
	if (r == 0)
		out->len += sealed;
	return r;
}

int tls_stream_send(struct tls_stream *stream, struct tls_crypt *crypt, struct slice text,
		    struct buf *out)
{
	return tls_stream_send_pieces(stream, crypt, &text, 1, out);
}

int tls_stream_end(struct tls_stream *stream, struct tls_crypt *crypt, struct buf *out)
{
	size_t len;

	CHECK(!stream->is_at_rest);
	if (stream->has_failed || stream->has_ended)
		return -EPIPE;
	CHECK(stream->is_ready);
	stream->has_ended = true;
	if (stream->shake != NULL)
		return tls_shake_end(stream, out);
	uint8_t *to = buf_reserve(out, tls_sealed_max(stream->records, 2), OUT_MAX);
	int r = to == NULL
			? -ENOMEM
			: tls_seal_alert(stream->records, crypt, TLS_ALERT_CLOSE_NOTIFY, to, &len);

	if (r == 0)
		out->len += len;
	return r;
}

bool tls_stream_is_detached(const struct tls_stream *stream)
{
	return stream->records != NULL;
}

size_t tls_stream_sealed_max(const struct tls_stream *stream, size_t len)
{
	CHECK(stream->records != NULL);
	return tls_sealed_max(stream->records, MAX(len, (size_t)2));
}
