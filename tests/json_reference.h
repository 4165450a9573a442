/* SPDX-License-Identifier: Apache-2.0
 * json_reference.h - what another JSON parser says about a text.
 *
 * For unit tests and fuzz targets. Of what it refuses and RFC 8259 allows (numbers that
 * fit no C type, \u0000 in a name), the reference has no opinion; and it takes a NUL byte
 * behind a value, where none may be. A byte order mark it refuses; the scanner passes over
 * one (RFC 8259, 8.1 leaves that to the reader). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/json_scan.h"
#include "proto/utf8.h"

enum json_opinion { JSON_NO_OPINION, JSON_ACCEPTS, JSON_REFUSES };

static inline enum json_opinion json_reference(const uint8_t *data, size_t len)
{
	json_error_t error;
	json_t *value = json_loadb((const char *)data, len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
				   &error);

	if (value != NULL) {
		json_decref(value);
		return JSON_ACCEPTS;
	}
	enum json_error_code code = json_error_code(&error);

	return code == json_error_numeric_overflow || code == json_error_null_byte_in_key
		       ? JSON_NO_OPINION
		       : JSON_REFUSES;
}

/* Do both say the same, as far as both are to judge? The scanner leaves UTF-8 to others
 * and has a lower limit of depth. */
static inline bool json_agrees(const uint8_t *data, size_t len)
{
	struct json_part part;
	struct json_fault fault;
	bool accepts = json_check(slice_of(data, len), &part, &fault);

	if (!utf8_is_valid(data, len) || (!accepts && strstr(fault.reason, "more than 64") != NULL))
		return true;
	if (len > 0 && memchr(data, 0, len) != NULL)
		return !accepts;
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		len -= 3;
	}
	enum json_opinion opinion = json_reference(data, len);

	return opinion == JSON_NO_OPINION || (opinion == JSON_ACCEPTS) == accepts;
}
