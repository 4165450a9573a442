/* SPDX-License-Identifier: Apache-2.0
 * percent.h - percent-encoding (RFC 3986, 2.1).
 *
 * Layer: base. Pure functions. */
#pragma once

#include "base/slice.h"

static inline int percent_hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "%41" at the start of `text` stands for; -1: two hexadecimal digits do
 * not follow. */
static inline int percent_read(struct slice text)
{
	int high = text.len < 3 ? -1 : percent_hex_digit(text.data[1]);
	int low = text.len < 3 ? -1 : percent_hex_digit(text.data[2]);

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}
