/* SPDX-License-Identifier: Apache-2.0
 * hex.h - reading hexadecimal digits.
 *
 * Layer: base. Pure functions. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* The value of one digit, or -1: it is none. What was written in one case only, so that
 * the text is the same whenever the value is, is read in that case only. */
static inline int hex_value_lower(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline int hex_value_upper(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline int hex_value(uint8_t c)
{
	return c >= 'a' ? hex_value_lower(c) : hex_value_upper(c);
}

/* The number in at most 16 lower-case digits. False: something else is in the text. */
static inline bool hex_read(struct slice text, uint64_t *out_number)
{
	uint64_t number = 0;

	if (text.len > 16)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_value_lower(text.data[i]);

		if (digit < 0)
			return false;
		number = number << 4 | (uint64_t)digit;
	}
	*out_number = number;
	return true;
}
