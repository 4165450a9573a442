/* SPDX-License-Identifier: Apache-2.0
 * aligned.h - zeroed memory for what has to lie on cache lines of its own, which is more than
 * calloc promises.
 *
 * Layer: base. */
#pragma once

#include <stdlib.h>
#include <string.h>

/* For free(). `size` is a multiple of `alignment`, as that of every type is. NULL: memory is out.
 */
static inline void *aligned_zeroed(size_t alignment, size_t size)
{
	void *memory = aligned_alloc(alignment, size);

	return memory == NULL ? NULL : memset(memory, 0, size);
}

#define ALIGNED_NEW(type) ((type *)aligned_zeroed(_Alignof(type), sizeof(type)))
