/* SPDX-License-Identifier: Apache-2.0
 * tcp_handover.c - streams that are frozen, and go to another process or come from one.
 *
 *   live -> FROZEN (SETTLING: until the kernel has let go) -> live
 *           FROZEN -> EXPORTED -> live                     it has come to nothing
 *                     EXPORTED -> closed                   tcp_forget, without a word
 *   imported: FROZEN, EXPORTED -> live, or closed without a word
 *
 * EXPORTED means that another process may have the stream too. */
#include "io/tcp_handover.h"

#include <errno.h>

#include "io/seal.h"
#include "tls/tls_handover.h"

/* For ever. */
enum stream_tag {
	TAG_IS_READING = 1,
	TAG_HAS_EOF = 2,
	TAG_WANTS_SHUTDOWN = 3,
	TAG_HAS_SHUTDOWN = 4,
	TAG_SEAL = 5,  /* a record of tls_handover.c; not there: a plain stream */
	TAG_BYTES = 6, /* to be sent as they are; a list */
	TAG_TEXT = 7,  /* to be sealed and sent behind them; a list */
};

/* --- frozen --- */

void tcp_freeze(struct tcp *tcp)
{
	CHECK(!(tcp->flags & STREAM_CONNECTING));
	if (tcp->flags & (STREAM_FROZEN | STREAM_CLOSING))
		return;
	tcp->flags |= STREAM_FROZEN;
	tcp->loop->engine->tcp_freeze(tcp);
	loop_unsettle(tcp);
}

bool tcp_is_frozen(const struct tcp *tcp)
{
	return (tcp->flags & (STREAM_FROZEN | STREAM_SETTLING)) == STREAM_FROZEN;
}

void tcp_thaw(struct tcp *tcp)
{
	if (!(tcp->flags & STREAM_FROZEN) || (tcp->flags & STREAM_CLOSING))
		return;
	loop_settled(tcp);
	tcp->flags &= ~(uint32_t)(STREAM_FROZEN | STREAM_EXPORTED | STREAM_IMPORTED);
	if ((tcp->flags & STREAM_SEALED) && tcp->seal->stream != NULL)
		tls_stream_rouse(tcp->seal->stream);
	tcp->loop->engine->tcp_thaw(tcp);
	loop_queue(tcp);
}

void tcp_forget(struct tcp *tcp)
{
	CHECK(tcp->flags & (STREAM_FROZEN | STREAM_CLOSING));
	if (tcp->flags & STREAM_CLOSING)
		return;
	tcp->flags |= STREAM_EXPORTED;
	tcp_close(tcp);
}

int tcp_take_fd(struct tcp *tcp)
{
	CHECK(tcp_is_frozen(tcp) && !tcp->loop->is_in_turn);
	return tcp->loop->engine->tcp_take_fd(tcp);
}

/* --- out --- */

static bool has_to_stay(const struct tcp *tcp)
{
	if (tcp->flags & (STREAM_CLOSING | STREAM_FAILED | STREAM_START_FAILED | STREAM_RESERVE))
		return true;
	return (tcp->flags & STREAM_SEALED) &&
	       (tcp->seal->state != SEAL_SECURED || tcp->seal->facts != NULL ||
		!tls_stream_is_detached(tcp->seal->stream));
}

static void put_output(struct state_writer *writer, uint16_t tag, const struct outbuf *outbuf)
{
	struct slice unsent = outbuf == NULL ? (struct slice){0} : outbuf_unsent(outbuf);

	if (unsent.len > 0)
		state_put_bytes(writer, tag, unsent);
}

static void put_pending(struct state_writer *writer, uint16_t tag, const struct outbuf *last)
{
	const struct outbuf *outbuf = last;

	if (last == NULL)
		return;
	do {
		outbuf = outbuf->next;
		put_output(writer, tag, outbuf);
	} while (outbuf != last);
}

int tcp_export(struct tcp *tcp, struct state_writer *writer)
{
	bool is_sealed = (tcp->flags & STREAM_SEALED) != 0;
	int r = 0;

	if (has_to_stay(tcp))
		return -EBUSY;
	CHECK(tcp_is_frozen(tcp));
	state_put_flag(writer, TAG_IS_READING, (tcp->flags & STREAM_READING) != 0);
	state_put_flag(writer, TAG_HAS_EOF, (tcp->flags & STREAM_EOF) != 0);
	state_put_flag(writer, TAG_WANTS_SHUTDOWN, (tcp->flags & STREAM_SHUT_WANTED) != 0);
	state_put_flag(writer, TAG_HAS_SHUTDOWN, (tcp->flags & STREAM_SHUT_DONE) != 0);
	if (is_sealed) {
		size_t record = state_begin(writer, TAG_SEAL);

		r = tls_stream_export(tcp->seal->stream, writer);
		state_end(writer, record);
	}
	put_output(writer, TAG_BYTES, tcp->sending);
	put_output(writer, TAG_BYTES, is_sealed ? tcp->seal->raw : NULL);
	put_pending(writer, is_sealed ? TAG_TEXT : TAG_BYTES, tcp->pending);
	if (r == 0)
		r = writer->error;
	if (r == 0)
		tcp->flags |= STREAM_EXPORTED;
	else if (is_sealed)
		tls_stream_rouse(tcp->seal->stream); /* nobody has its keys */
	return r;
}

/* --- in --- */

struct draft {
	struct slice seal;
	bool has_seal, is_reading, has_eof, wants_shutdown, has_shutdown;
	bool has_bytes, has_text;
};

static bool field_read(const struct state_field *field, struct draft *draft)
{
	switch (field->tag) {
	case TAG_IS_READING:
		return state_flag(field, &draft->is_reading);
	case TAG_HAS_EOF:
		return state_flag(field, &draft->has_eof);
	case TAG_WANTS_SHUTDOWN:
		return state_flag(field, &draft->wants_shutdown);
	case TAG_HAS_SHUTDOWN:
		return state_flag(field, &draft->has_shutdown);
	case TAG_SEAL:
		draft->seal = field->value;
		draft->has_seal = true;
		return true;
	case TAG_BYTES:
		draft->has_bytes = true;
		return field->value.len > 0;
	case TAG_TEXT:
		draft->has_text = true;
		return field->value.len > 0;
	default:
		return !state_must_understand(field->tag);
	}
}

static bool draft_read(struct state_reader *reader, struct draft *draft)
{
	struct state_field field;

	while (state_next(reader, &field))
		if (!field_read(&field, draft))
			return false;
	return !reader->is_bad && !(draft->has_eof && draft->is_reading) &&
	       !(draft->has_text && !draft->has_seal) &&
	       !(draft->has_shutdown &&
		 (!draft->wants_shutdown || draft->has_bytes || draft->has_text));
}

/* As tls_stream_import. Behind the peer's close_notify nothing is received. */
static int seal_read(struct tcp *tcp, const struct draft *draft)
{
	struct state_reader reader;
	struct tls_stream *stream = NULL;

	state_reader_init(&reader, draft->seal);
	int r = tls_stream_import(&reader, &stream);

	if (r == 0 && tls_stream_has_stopped(stream) && !draft->has_eof)
		r = -EPROTO;
	if (r == 0)
		r = seal_adopt(tcp, stream, tls_stream_has_ended(stream));
	if (r < 0)
		tls_stream_destroy(&stream);
	return r;
}

/* 0 or -ENOMEM. */
static int output_read(struct tcp *tcp, struct state_reader *reader)
{
	bool is_sealed = (tcp->flags & STREAM_SEALED) != 0;
	struct state_field field;
	int r = 0;

	while (r == 0 && state_next(reader, &field)) {
		if (field.tag == TAG_BYTES && is_sealed)
			r = seal_raw_add(tcp, field.value) ? 0 : -ENOMEM;
		else if (field.tag == TAG_BYTES || field.tag == TAG_TEXT)
			r = tcp_write(tcp, field.value.data, field.value.len);
	}
	return r;
}

bool tcp_state_is_shut(struct slice state)
{
	struct state_reader reader;
	struct draft draft = {0};

	state_reader_init(&reader, state);
	return draft_read(&reader, &draft) && draft.wants_shutdown;
}

static void import_undo(struct tcp *tcp)
{
	tcp_output_drop(tcp);
	if (tcp->flags & STREAM_SEALED)
		seal_finish(tcp);
}

int tcp_import(struct tcp *tcp, struct loop *loop, int fd, const struct tcp_handler *handler,
	       struct state_reader *reader)
{
	struct state_reader again = *reader;
	struct draft draft = {0};

	if (!draft_read(reader, &draft))
		return -EPROTO;
	tcp_init(tcp, loop, -1, handler);
	tcp->flags = STREAM_FROZEN;
	int r = draft.has_seal ? seal_read(tcp, &draft) : 0;

	if (r < 0)
		return r;
	r = output_read(tcp, &again);
	/* Behind the output, since nothing is written after a shutdown. */
	tcp->flags |= STREAM_EXPORTED | STREAM_IMPORTED | (draft.is_reading ? STREAM_READING : 0) |
		      (draft.has_eof ? STREAM_EOF : 0) |
		      (draft.wants_shutdown ? STREAM_SHUT_WANTED : 0) |
		      (draft.has_shutdown ? STREAM_SHUT_DONE : 0);
	if (r == 0)
		r = loop->engine->tcp_import(tcp, fd);
	if (r < 0)
		import_undo(tcp);
	else
		loop_unsettle(tcp);
	return r;
}
