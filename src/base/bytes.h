/* SPDX-License-Identifier: Apache-2.0
 * bytes.h - integers in network byte order.
 *
 * Layer: base. `width` is 1..8 bytes; the pointers need no alignment. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint64_t be_read(const uint8_t *in, size_t width)
{
	uint64_t value = 0;

	for (size_t i = 0; i < width; i++)
		value = value << 8 | in[i];
	return value;
}

static inline void be_write(uint8_t *out, size_t width, uint64_t value)
{
	for (size_t i = 0; i < width; i++)
		out[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
}
