/* SPDX-License-Identifier: Apache-2.0
 * http_chunked.c - a state machine over single bytes, but for the data:
 *
 *   SIZE -> (EXTENSION) -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
 *                                  -> TRAILER -> TRAILER_NAME -> TRAILER_VALUE -> TRAILER_LF
 *                                     TRAILER <------------------------------------+
 *                                     TRAILER -> END_LF -> END
 *
 * The size 0 leads to the trailers, of which there may be none. */
#include "proto/http_chunked.h"

#include "base/check.h"
#include "base/hex.h"
#include "proto/http_text.h"

enum state {
	SIZE,      /* hexadecimal digits */
	BLANK,     /* behind them; an extension must follow */
	EXTENSION, /* up to the CR */
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER, /* the first byte of a field, or the last CR */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
	END,
	BAD,
};

void http_chunked_init(struct http_chunked *chunked)
{
	*chunked = (struct http_chunked){.state = SIZE};
}

static enum state fail(struct http_chunked *chunked, const char *problem)
{
	chunked->problem = problem;
	return BAD;
}

static enum state size_take(struct http_chunked *chunked, uint8_t byte)
{
	int digit = hex_value(byte);

	if (digit >= 0 && chunked->digit_count == HTTP_CHUNK_DIGITS_MAX)
		return fail(chunked, "the size of a chunk has too many digits");
	if (digit >= 0) {
		chunked->left = chunked->left << 4 | (uint64_t)digit;
		chunked->digit_count++;
		return SIZE;
	}
	if (chunked->digit_count == 0)
		return fail(chunked, "a chunk does not begin with its size");
	switch (byte) {
	case ' ':
	case '\t':
		return BLANK;
	case ';':
		return EXTENSION;
	case '\r':
		return SIZE_LF;
	default:
		return fail(chunked, "the size of a chunk is no hexadecimal number");
	}
}

/* Everything behind the size, blanks included. */
static enum state extension_take(struct http_chunked *chunked, uint8_t byte)
{
	if (byte == '\r' && chunked->state == EXTENSION)
		return SIZE_LF;
	if (++chunked->extensions_len > HTTP_CHUNK_EXTENSIONS_MAX)
		return fail(chunked, "the chunks have too many extensions");
	if (!http_is_line_char(byte))
		return fail(chunked, "an extension of a chunk has a control character");
	if (chunked->state == BLANK && byte == ';')
		return EXTENSION;
	if (chunked->state == BLANK && byte != ' ' && byte != '\t')
		return fail(chunked, "the size of a chunk is no hexadecimal number");
	return (enum state)chunked->state;
}

static enum state lf_take(struct http_chunked *chunked, uint8_t byte, enum state next)
{
	return byte == '\n' ? next : fail(chunked, "in a chunked body a CR is without its LF");
}

static enum state trailer_take(struct http_chunked *chunked, uint8_t byte)
{
	bool is_token = http_is_token(slice_of(&byte, 1));

	if (++chunked->trailers_len > HTTP_TRAILERS_MAX)
		return fail(chunked, "the trailers are too large");
	if (chunked->state == TRAILER_VALUE)
		return byte == '\r' ? TRAILER_LF
		       : http_is_line_char(byte)
			       ? TRAILER_VALUE
			       : fail(chunked, "a trailer has a control character");
	if (chunked->state == TRAILER && byte == '\r')
		return END_LF;
	if (chunked->state == TRAILER_NAME && byte == ':')
		return TRAILER_VALUE;
	return is_token ? TRAILER_NAME : fail(chunked, "a trailer is no header field");
}

/* One byte that is no data. */
static enum state byte_take(struct http_chunked *chunked, uint8_t byte)
{
	switch ((enum state)chunked->state) {
	case SIZE:
		return size_take(chunked, byte);
	case BLANK:
	case EXTENSION:
		return extension_take(chunked, byte);
	case SIZE_LF:
		return lf_take(chunked, byte, chunked->left == 0 ? TRAILER : DATA);
	case DATA_CR:
		return byte == '\r' ? DATA_LF
				    : fail(chunked, "a chunk is longer than its size says");
	case DATA_LF:
		return lf_take(chunked, byte, SIZE);
	case TRAILER:
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return trailer_take(chunked, byte);
	case TRAILER_LF:
		return lf_take(chunked, byte, TRAILER);
	case END_LF:
		return lf_take(chunked, byte, END);
	case DATA:
	case END:
	case BAD:
		break;
	}
	CHECK(!"a byte of a chunked body in a state that takes none");
	return BAD;
}

static struct slice data_take(struct http_chunked *chunked, const uint8_t **in, size_t *len)
{
	size_t part = (size_t)MIN((uint64_t)*len, chunked->left);
	struct slice data = slice_of(*in, part);

	chunked->digit_count = 0;
	chunked->left -= part;
	*in += part;
	*len -= part;
	if (chunked->left == 0)
		chunked->state = DATA_CR;
	return data;
}

enum http_chunked_event http_chunked_next(struct http_chunked *chunked, const uint8_t **in,
					  size_t *len, struct slice *out_data)
{
	while (chunked->state != END && chunked->state != BAD) {
		if (*len == 0)
			return HTTP_CHUNKED_MORE;
		if (chunked->state == DATA) {
			*out_data = data_take(chunked, in, len);
			return HTTP_CHUNKED_DATA;
		}
		chunked->state = (uint8_t)byte_take(chunked, **in);
		if (chunked->state == BAD)
			break;
		(*in)++;
		(*len)--;
	}
	return chunked->state == END ? HTTP_CHUNKED_END : HTTP_CHUNKED_BAD;
}
