/* SPDX-License-Identifier: Apache-2.0
 * percent.h - percent-encoding (RFC 3986, 2.1).
 *
 * Layer: base. Pure functions. */
#pragma once

#include "base/hex.h"
#include "base/slice.h"

/* The byte that "%41" at the start of `text` stands for; -1: two hexadecimal digits do
 * not follow. */
static inline int percent_read(struct slice text)
{
	int high = text.len < 3 ? -1 : hex_value(text.data[1]);
	int low = text.len < 3 ? -1 : hex_value(text.data[2]);

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The three bytes that stand for `byte`. */
static inline void percent_write(uint8_t byte, uint8_t out[3])
{
	static const char digits[] = "0123456789ABCDEF";

	out[0] = '%';
	out[1] = (uint8_t)digits[byte >> 4];
	out[2] = (uint8_t)digits[byte & 15];
}
