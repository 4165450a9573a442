/* SPDX-License-Identifier: Apache-2.0
 * saturate.h - arithmetic that stops at 0 and at UINT64_MAX instead of wrapping.
 *
 * Layer: base. Pure functions. For limits, where UINT64_MAX is "no limit". */
#pragma once

#include <stdint.h>

static inline uint64_t saturating_sub(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

static inline uint64_t saturating_add(uint64_t left, uint64_t right)
{
	uint64_t sum;

	return __builtin_add_overflow(left, right, &sum) ? UINT64_MAX : sum;
}

static inline uint64_t saturating_mul(uint64_t left, uint64_t right)
{
	uint64_t product;

	return __builtin_mul_overflow(left, right, &product) ? UINT64_MAX : product;
}
