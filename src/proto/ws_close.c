/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ws_close.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "proto/utf8.h"
#include "proto/ws_frame.h"

#define CODE_LEN 2

bool ws_close_code_is_valid(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

bool ws_close_code_is_for_servers(int64_t code)
{
	return code > 0 && code <= UINT16_MAX && code != WS_CLOSE_MISSING_EXTENSION &&
	       ws_close_code_is_valid((uint16_t)code);
}

uint16_t ws_close_parse(struct slice body, uint16_t *out_code, struct slice *out_reason)
{
	if (body.len == 0) {
		*out_code = WS_CLOSE_NO_STATUS;
		*out_reason = body;
		return 0;
	}
	if (body.len < CODE_LEN)
		return WS_CLOSE_PROTOCOL;
	uint16_t code = (uint16_t)be_read(body.data, CODE_LEN);
	struct slice reason = slice_of(body.data + CODE_LEN, body.len - CODE_LEN);

	if (!ws_close_code_is_valid(code))
		return WS_CLOSE_PROTOCOL;
	if (!utf8_is_valid(reason.data, reason.len))
		return WS_CLOSE_BAD_DATA;
	*out_code = code;
	*out_reason = reason;
	return 0;
}

static bool is_inside_character(char byte)
{
	return ((uint8_t)byte & 0xc0) == 0x80;
}

size_t ws_close_write(uint8_t out[125], uint16_t code, const char *reason)
{
	if (code == WS_CLOSE_NO_STATUS)
		return 0;
	CHECK(ws_close_code_is_valid(code));
	size_t len = strnlen(reason, WS_CONTROL_MAX - CODE_LEN + 1);

	if (len > WS_CONTROL_MAX - CODE_LEN) {
		len = WS_CONTROL_MAX - CODE_LEN;
		while (len > 0 && is_inside_character(reason[len]))
			len--;
	}
	be_write(out, CODE_LEN, code);
	memcpy(out + CODE_LEN, reason, len);
	return CODE_LEN + len;
}
