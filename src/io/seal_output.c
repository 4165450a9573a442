/* SPDX-License-Identifier: Apache-2.0
 * seal_output.c - what leaves: text is sealed where pending becomes sending, so that a turn's
 * output is in as few records as it fits in, and in one send.
 *
 * The text of one send is gathered from where it lies, shared bytes too, and sealed into a buffer
 * of its own; what does not fit waits as text. */
#include "io/seal.h"

#include <errno.h>

/* [bytes] of text that are sealed for one send: four full records, and with their heads and tags
 * the largest class of output buffers. */
#define BURST      (4 * 16384)
#define PIECES_MAX 64

bool seal_raw_add(struct tcp *tcp, struct slice bytes)
{
	struct outbuf_cache *cache = &tcp->loop->outbufs;
	struct outbuf *raw = tcp->seal->raw;

	if (raw == NULL)
		raw = outbuf_get(cache, bytes.len);
	else if (raw->cap - raw->end < bytes.len)
		raw = outbuf_grow(cache, raw, bytes.len);
	if (raw == NULL)
		return false;
	memcpy(raw->data + raw->end, bytes.data, bytes.len);
	raw->end += bytes.len;
	tcp->seal->raw = raw;
	return true;
}

/* --- records --- */

/* What goes into one send; returns how many pieces. */
static size_t gather(const struct tcp *tcp, struct slice pieces[PIECES_MAX], size_t *out_len)
{
	const struct outbuf *last = tcp->pending, *outbuf = last;
	size_t count = 0, len = 0;

	do {
		outbuf = outbuf->next;
		struct slice unsent = outbuf_unsent(outbuf);

		if (unsent.len == 0)
			continue;
		pieces[count] = slice_of(unsent.data, MIN(unsent.len, BURST - len));
		len += pieces[count++].len;
	} while (outbuf != last && count < PIECES_MAX && len < BURST);
	*out_len = len;
	return count;
}

/* OpenSSL makes a record of each call: so it gets all at once. */
static size_t flatten(struct seals *seals, struct slice *pieces, size_t count)
{
	size_t len = 0;

	if (count < 2)
		return count;
	for (size_t i = 0; i < count; i++) {
		memcpy(seals->text + len, pieces[i].data, pieces[i].len);
		len += pieces[i].len;
	}
	pieces[0] = slice_of(seals->text, len);
	return 1;
}

/* Appends to *out: the text, and close_notify if it is due behind it. */
static int seal_into(struct tcp *tcp, const struct slice *pieces, size_t count, bool has_end,
		     struct buf *out)
{
	struct seals *seals = tcp->loop->seals;
	struct seal *seal = tcp->seal;
	int r = 0;

	if (count > 0)
		r = tls_stream_send_pieces(seal->stream, seals->crypt, pieces, count, out);
	if (r == 0 && has_end) {
		seal->has_ended = true;
		r = tls_stream_end(seal->stream, seals->crypt, out);
	}
	return r;
}

/* The buffer that is sent next, with room for `len` more: behind what leaves as it is (a ticket,
 * with which the handshake ended), so that it is one send. NULL: memory is out. */
static struct outbuf *raw_take(struct tcp *tcp, size_t len)
{
	struct outbuf_cache *cache = &tcp->loop->outbufs;
	struct outbuf *raw = tcp->seal->raw;

	if (raw == NULL)
		return outbuf_get(cache, len);
	if (raw->cap - raw->end < len)
		raw = outbuf_grow(cache, raw, len);
	if (raw != NULL)
		tcp->seal->raw = NULL;
	return raw;
}

/* Ours: right where it is sent from. NULL with *out_error. */
static struct outbuf *seal_directly(struct tcp *tcp, const struct slice *pieces, size_t count,
				    size_t len, bool has_end, int *out_error)
{
	const struct tls_stream *stream = tcp->seal->stream;
	struct outbuf *made = raw_take(tcp, tls_stream_sealed_max(stream, len) +
						    tls_stream_sealed_max(stream, 0));

	*out_error = -ENOMEM;
	if (made == NULL)
		return NULL;
	struct buf out = {.data = made->data + made->end, .cap = made->cap - made->end};

	*out_error = seal_into(tcp, pieces, count, has_end, &out);
	CHECK(out.data == made->data + made->end);
	made->end += out.len;
	if (*out_error == 0)
		return made;
	outbuf_put(&tcp->loop->outbufs, made);
	return NULL;
}

static struct outbuf *seal_by_openssl(struct tcp *tcp, struct slice *pieces, size_t count,
				      bool has_end, int *out_error)
{
	struct seals *seals = tcp->loop->seals;
	struct outbuf *made = NULL;

	*out_error = seal_into(tcp, pieces, flatten(seals, pieces, count), has_end, &seals->reply);
	if (*out_error == 0) {
		made = raw_take(tcp, seals->reply.len);
		*out_error = -ENOMEM;
	}
	if (made != NULL) {
		memcpy(made->data + made->end, seals->reply.data, seals->reply.len);
		made->end += seals->reply.len;
	}
	seals->reply.len = 0;
	return made;
}

/* Makes tcp->sending of `count` pieces. False: the stream has failed. */
static bool seal_pieces(struct tcp *tcp, struct slice *pieces, size_t count, size_t len,
			bool has_end)
{
	int error;

	tcp->sending = tls_stream_is_detached(tcp->seal->stream)
			       ? seal_directly(tcp, pieces, count, len, has_end, &error)
			       : seal_by_openssl(tcp, pieces, count, has_end, &error);
	if (tcp->sending == NULL)
		tcp_fail(tcp, error);
	return tcp->sending != NULL;
}

/* --- the queue --- */

bool seal_owes_end(const struct tcp *tcp)
{
	return (tcp->flags & STREAM_SHUT_WANTED) && tcp->seal->state == SEAL_SECURED &&
	       !tcp->seal->has_ended;
}

static bool has_text(const struct tcp *tcp)
{
	return tcp->pending != NULL && tcp->pending->queued > 0;
}

bool seal_has_output(const struct tcp *tcp)
{
	const struct seal *seal = tcp->seal;

	if (seal->raw != NULL || seal_owes_end(tcp))
		return true;
	return has_text(tcp) && (seal->state == SEAL_SECURED || seal->state == SEAL_PLAIN);
}

static bool seal_pending(struct tcp *tcp)
{
	struct slice pieces[PIECES_MAX];
	size_t len = 0, count = has_text(tcp) ? gather(tcp, pieces, &len) : 0;
	bool is_all = count == 0 || len == tcp->pending->queued;

	if (!seal_pieces(tcp, pieces, count, len, is_all && seal_owes_end(tcp)))
		return false;
	tcp_pending_consume(tcp, len);
	return true;
}

static bool raw_send(struct tcp *tcp)
{
	tcp->sending = tcp->seal->raw;
	tcp->seal->raw = NULL;
	return tcp->sending != NULL;
}

bool seal_output(struct tcp *tcp)
{
	switch ((enum seal_state)tcp->seal->state) {
	case SEAL_SILENT:
	case SEAL_WAITING:
	case SEAL_SHAKING:
		break;
	case SEAL_SECURED:
		if (has_text(tcp) || seal_owes_end(tcp))
			return seal_pending(tcp);
		break;
	case SEAL_PLAIN:
		return tcp_pending_send(tcp);
	case SEAL_FAILED: /* nobody could open it */
		tcp_pending_drop(tcp);
		break;
	}
	return raw_send(tcp);
}

bool seal_farewell(struct tcp *tcp)
{
	struct seal *seal = tcp->seal;

	if (!(tcp->flags & STREAM_SEALED) || seal->state != SEAL_SECURED || seal->has_ended ||
	    (tcp->flags & (STREAM_FAILED | STREAM_EXPORTED)) || tcp_queued(tcp) > 0)
		return false;
	return seal_pieces(tcp, NULL, 0, 0, true);
}
