/* SPDX-License-Identifier: Apache-2.0
 * reference.h - counting who still holds something, in whichever threads.
 *
 * Layer: base. Whoever makes it sets the number, before others can see it. A reference is
 * taken only by who has one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

static inline void reference_take(uint32_t *references)
{
	__atomic_fetch_add(references, 1, __ATOMIC_RELAXED);
}

/* True: that was the last. All that others did with it, before they dropped theirs, is
 * done; the caller may free it. */
static inline bool reference_drop(uint32_t *references)
{
	uint32_t before = __atomic_fetch_sub(references, 1, __ATOMIC_ACQ_REL);

	CHECK(before > 0);
	return before == 1;
}
