/* SPDX-License-Identifier: Apache-2.0
 * utf8.h - streaming UTF-8 validation (RFC 3629: no overlong forms, no
 * surrogates, nothing over U+10FFFF).
 *
 * Layer: proto. Pure functions; wide registers over ASCII runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF8_BOUNDARY: at a character's edge. UTF8_REJECT: a byte was wrong. Any other
 * value: inside a character that is good so far. */
#define UTF8_BOUNDARY 0u
#define UTF8_REJECT   6u

/* Feeds `len` bytes to `state` (UTF8_BOUNDARY at the start) and returns the new
 * one. Rejects at the first byte that no valid continuation can follow, however
 * the input is cut. */
uint32_t utf8_feed(uint32_t state, const uint8_t *data, size_t len);

static inline bool utf8_is_valid(const uint8_t *data, size_t len)
{
	return utf8_feed(UTF8_BOUNDARY, data, len) == UTF8_BOUNDARY;
}
