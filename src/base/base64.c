/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

struct alphabet {
	char digits[65];
	bool has_lines; /* line ends may be between the digits */
};

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const struct alphabet standard = {.digits = LETTERS "+/"};
static const struct alphabet lines = {.digits = LETTERS "+/", .has_lines = true};
static const struct alphabet url = {.digits = LETTERS "-_"};

static int digit_value(const struct alphabet *alphabet, uint8_t byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte - 'A';
	if (byte >= 'a' && byte <= 'z')
		return byte - 'a' + 26;
	if (byte >= '0' && byte <= '9')
		return byte - '0' + 52;
	if (byte == (uint8_t)alphabet->digits[62])
		return 62;
	return byte == (uint8_t)alphabet->digits[63] ? 63 : -1;
}

/* Text without its padding. *out_count is the number of digits. */
static bool digits_read(const struct alphabet *alphabet, struct slice text, uint8_t *out,
			size_t *out_len, size_t *out_count)
{
	uint32_t bits = 0;
	unsigned waiting = 0; /* bits */
	size_t len = 0, count = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		int value = digit_value(alphabet, byte);

		if (alphabet->has_lines && (byte == '\n' || byte == '\r'))
			continue;
		if (value < 0)
			return false;
		count++;
		bits = bits << 6 | (uint32_t)value;
		waiting += 6;
		if (waiting >= 8) {
			waiting -= 8;
			out[len++] = (uint8_t)(bits >> waiting);
		}
	}
	if (count % 4 == 1 || (bits & ((1u << waiting) - 1)) != 0)
		return false;
	*out_len = len;
	*out_count = count;
	return true;
}

static bool padded_read(const struct alphabet *alphabet, struct slice text, uint8_t *out,
			size_t *out_len)
{
	size_t padding = 0, len, count;

	while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
		padding++;
	text.len -= padding;
	if (!digits_read(alphabet, text, out, &len, &count) || count == 0 ||
	    (count + padding) % 4 != 0)
		return false;
	*out_len = len;
	return true;
}

bool base64_read(struct slice text, uint8_t *out, size_t *out_len)
{
	return padded_read(&standard, text, out, out_len);
}

bool base64_lines_read(struct slice text, uint8_t *out, size_t *out_len)
{
	return padded_read(&lines, text, out, out_len);
}

bool base64url_read(struct slice text, uint8_t *out, size_t *out_len)
{
	size_t count;

	return digits_read(&url, text, out, out_len, &count);
}

/* Returns where the text ends. */
static char *digits_write(const struct alphabet *alphabet, const void *data, size_t len, char *out)
{
	const uint8_t *bytes = data;
	uint32_t bits = 0;
	unsigned waiting = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (waiting += 8; waiting >= 6; waiting -= 6)
			*out++ = alphabet->digits[bits >> (waiting - 6) & 63];
	}
	if (waiting > 0)
		*out++ = alphabet->digits[bits << (6 - waiting) & 63];
	*out = 0;
	return out;
}

void base64_write(const void *data, size_t len, char *out)
{
	char *end = digits_write(&standard, data, len, out);

	while ((end - out) % 4 != 0)
		*end++ = '=';
	*end = 0;
}

void base64url_write(const void *data, size_t len, char *out)
{
	digits_write(&url, data, len, out);
}
