/* SPDX-License-Identifier: Apache-2.0
 * compression_state.c - compression that goes on in another process: what was agreed on, and the
 * bytes in the windows, which are all that a context is. */
#include "conn/compression.h"

#include <errno.h>

#include "base/state.h"

/* A tag keeps its meaning for ever. */
enum {
	TAG_OUT_BITS = STATE_MUST | 1, /* left out: no compression */
	TAG_IN_BITS = 2,
	TAG_KEEPS_OUT = 3, /* flags */
	TAG_KEEPS_IN = STATE_MUST | 4,
	TAG_OUT = 5, /* bytes in the window; left out: it was given up */
	TAG_IN = 6,
};

void conn_compression_export(const struct conn *conn, struct state_writer *writer)
{
	struct ws_deflate_terms terms;

	if (!conn_compression_terms(conn, &terms))
		return;
	state_put_u64(writer, TAG_OUT_BITS, terms.out_bits);
	if (!conn->has_windows)
		return;
	const struct ws_windows *windows = conn->part.ws.windows;

	state_put_u64(writer, TAG_IN_BITS, terms.in_bits);
	state_put_flag(writer, TAG_KEEPS_OUT, terms.keeps_out);
	state_put_flag(writer, TAG_KEEPS_IN, terms.keeps_in);
	if (windows->has_out)
		state_put_bytes(writer, TAG_OUT, ws_window_slice(&windows->out));
	if (terms.keeps_in)
		state_put_bytes(writer, TAG_IN, ws_window_slice(&windows->in));
}

struct record {
	struct ws_deflate_terms terms;
	struct slice in, out;
	bool has_out;
};

static bool bits_read(const struct state_field *field, uint8_t *out_bits)
{
	uint64_t value;

	if (!state_u64_max(field, WS_WINDOW_BITS_MAX, &value) || value < WS_WINDOW_BITS_MIN)
		return false;
	*out_bits = (uint8_t)value;
	return true;
}

static int field_read(struct record *record, const struct state_field *field)
{
	bool is_good = true;

	switch (field->tag) {
	case TAG_OUT_BITS:
		is_good = bits_read(field, &record->terms.out_bits);
		break;
	case TAG_IN_BITS:
		is_good = bits_read(field, &record->terms.in_bits);
		break;
	case TAG_KEEPS_OUT:
		is_good = state_flag(field, &record->terms.keeps_out);
		break;
	case TAG_KEEPS_IN:
		is_good = state_flag(field, &record->terms.keeps_in);
		break;
	case TAG_OUT:
		record->out = field->value;
		record->has_out = true;
		break;
	case TAG_IN:
		record->in = field->value;
		break;
	default:
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	}
	return is_good ? 0 : -EBADMSG;
}

static bool is_good(const struct record *record)
{
	const struct ws_deflate_terms *terms = &record->terms;
	bool keeps = terms->keeps_in || terms->keeps_out;

	if (terms->out_bits == 0)
		return !keeps && !record->has_out && record->in.len == 0;
	return record->out.len <= (terms->keeps_out ? ws_window_size(terms->out_bits) : 0) &&
	       record->in.len <= (terms->keeps_in ? ws_window_size(terms->in_bits) : 0);
}

int conn_compression_import(struct conn *conn, struct state_reader *reader)
{
	struct record record = {.terms = {.in_bits = WS_WINDOW_BITS_MAX}};
	struct state_field field;
	int r = 0;

	while (r == 0 && state_next(reader, &field))
		r = field_read(&record, &field);
	if (r == 0 && (reader->is_bad || !is_good(&record)))
		r = -EBADMSG;
	if (r < 0 || record.terms.out_bits == 0)
		return r;
	return conn_compression_again(conn, &(struct compression_again){
						    .terms = record.terms,
						    .out = record.out,
						    .in = record.in,
						    .has_out = record.has_out,
					    });
}
