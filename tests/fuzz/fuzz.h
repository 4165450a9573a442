/* SPDX-License-Identifier: Apache-2.0
 * fuzz.h - what every fuzz target includes.
 *
 * A target checks invariants with CHECK; it does not just run. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact-size copy: the sanitizer sees a read past its end. The caller frees. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

/* Where the input is cut: numbers that follow from a seed taken from the input, so
 * that a crash can be replayed. */
static inline size_t fuzz_cut(uint32_t *seed, size_t most)
{
	*seed = *seed * 1664525 + 1013904223;
	size_t wide = *seed >> 16;

	/* Short pieces are the ones that find faults. */
	return MIN(most, wide % 4 != 0 ? 1 + wide % 7 : 1 + wide % 200);
}
