/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/bus_subject.h"

#include <errno.h>

#include "base/check.h"
#include "base/hex.h"
#include "base/percent.h"

static bool is_plain(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

size_t bus_token_encode(struct slice name, char *out)
{
	size_t len = 0;

	if (name.len > BUS_NAME_MAX)
		return 0;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t byte = name.data[i];

		if (is_plain(byte)) {
			out[len++] = (char)byte;
			continue;
		}
		percent_write(byte, (uint8_t *)out + len);
		len += 3;
	}
	return len;
}

/* One byte of the name, from the start of `in`; -1 if encoding never writes this. */
static int decode_one(struct slice in, size_t *out_used)
{
	*out_used = 1;
	if (is_plain(in.data[0]))
		return in.data[0];
	if (in.data[0] != '%' || in.len < 3)
		return -1;
	int high = hex_value_upper(in.data[1]), low = hex_value_upper(in.data[2]);

	if (high < 0 || low < 0 || is_plain((uint8_t)(high << 4 | low)))
		return -1;
	*out_used = 3;
	return high << 4 | low;
}

size_t bus_token_decode(struct slice token, uint8_t *out)
{
	size_t len = 0;

	for (size_t at = 0, used; at < token.len; at += used) {
		int byte = decode_one(slice_of(token.data + at, token.len - at), &used);

		if (byte < 0 || len == BUS_NAME_MAX)
			return 0;
		out[len++] = (uint8_t)byte;
	}
	return len;
}

int bus_subject_make(const char *prefix, const struct slice *names, size_t count,
		     struct bus_subject *out_subject)
{
	size_t len = strlen(prefix);
	size_t need = len;
	char tokens[BUS_SUBJECT_MAX];

	if (len > sizeof(tokens))
		return -EINVAL;
	memcpy(tokens, prefix, len);
	for (size_t i = 0; i < count; i++) {
		char token[BUS_TOKEN_MAX];
		size_t token_len = bus_token_encode(names[i], token);

		need += 1 + token_len;
		if (token_len == 0 || need > sizeof(tokens))
			return -EINVAL;
		tokens[len++] = '.';
		memcpy(tokens + len, token, token_len);
		len = need;
	}
	memcpy(out_subject->text, tokens, len);
	out_subject->len = len;
	return 0;
}

int bus_subject_of_client(const char *prefix, const char *route, const char *client_id,
			  struct bus_subject *out_subject)
{
	const struct slice names[] = {slice_from_text(route), slice_from_text(client_id)};

	return bus_subject_make(prefix, names, ARRAY_LEN(names), out_subject);
}

bool bus_subject_is_valid(struct slice subject)
{
	uint8_t before = '.';

	if (subject.len == 0 || subject.len > BUS_SUBJECT_MAX)
		return false;
	for (size_t i = 0; i < subject.len; i++) {
		uint8_t byte = subject.data[i];

		if (byte <= ' ' || byte >= 0x7f || byte == '*' || byte == '>' ||
		    (byte == '.' && before == '.'))
			return false;
		before = byte;
	}
	return before != '.';
}
