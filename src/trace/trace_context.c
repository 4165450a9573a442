/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/trace_context.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

/* "00-" trace-id "-" parent-id "-" flags: where they are. */
#define TRACE_ID_AT 3
#define SPAN_ID_AT  36
#define FLAGS_AT    53

#define FLAG_SAMPLED 0x01

bool trace_context_is_set(const struct trace_context *context)
{
	static const uint8_t none[TRACE_ID_LEN];

	return memcmp(context->trace_id, none, sizeof(none)) != 0;
}

static bool is_hex(struct slice text)
{
	bool has_digit_other_than_zero = false;

	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_value_lower(text.data[i]);

		if (digit < 0)
			return false;
		has_digit_other_than_zero |= digit > 0;
	}
	return has_digit_other_than_zero;
}

/* A later version may have more behind. */
bool trace_parent_is_good(struct slice value)
{
	const uint8_t *at = value.data;

	if (value.len < TRACE_PARENT_LEN || at[2] != '-' || at[35] != '-' || at[52] != '-')
		return false;
	bool is_first_version = at[0] == '0' && at[1] == '0';

	if (value.len > TRACE_PARENT_LEN && (is_first_version || at[TRACE_PARENT_LEN] != '-'))
		return false;
	if (!is_first_version && (!is_hex(slice_of(at, 2)) || (at[0] == 'f' && at[1] == 'f')))
		return false;
	bool has_flags = is_hex(slice_of(at + FLAGS_AT, 2)) ||
			 (at[FLAGS_AT] == '0' && at[FLAGS_AT + 1] == '0');

	return has_flags && is_hex(slice_of(at + TRACE_ID_AT, 2 * TRACE_ID_LEN)) &&
	       is_hex(slice_of(at + SPAN_ID_AT, 2 * TRACE_SPAN_ID_LEN)) &&
	       trace_state_is_good(value);
}

bool trace_state_is_good(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] < 0x20 || value.data[i] > 0x7e)
			return false;
	return value.len <= TRACE_STATE_MAX;
}

static uint8_t hex_byte(const uint8_t *at)
{
	return (uint8_t)(hex_value_lower(at[0]) * 16 + hex_value_lower(at[1]));
}

static void bytes_read(const uint8_t *at, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = hex_byte(at + 2 * i);
}

bool trace_parent_read(struct slice value, struct trace_context *out_context)
{
	if (!trace_parent_is_good(value))
		return false;
	bytes_read(value.data + TRACE_ID_AT, out_context->trace_id, TRACE_ID_LEN);
	bytes_read(value.data + SPAN_ID_AT, out_context->span_id, TRACE_SPAN_ID_LEN);
	out_context->is_sampled = (hex_byte(value.data + FLAGS_AT) & FLAG_SAMPLED) != 0;
	return true;
}

static char *write_hex(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = 0;
	return out;
}

char *trace_id_write(const uint8_t id[TRACE_ID_LEN], char out[TRACE_ID_TEXT])
{
	return write_hex(id, TRACE_ID_LEN, out);
}

char *trace_span_id_write(const uint8_t id[TRACE_SPAN_ID_LEN], char out[TRACE_SPAN_TEXT])
{
	return write_hex(id, TRACE_SPAN_ID_LEN, out);
}

char *trace_parent_write(const struct trace_context *context, char out[TRACE_PARENT_LEN + 1])
{
	memcpy(out, "00-", 3);
	write_hex(context->trace_id, TRACE_ID_LEN, out + TRACE_ID_AT);
	out[SPAN_ID_AT - 1] = '-';
	write_hex(context->span_id, TRACE_SPAN_ID_LEN, out + SPAN_ID_AT);
	memcpy(out + FLAGS_AT - 1, context->is_sampled ? "-01" : "-00", sizeof("-01"));
	return out;
}
