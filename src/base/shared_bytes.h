/* SPDX-License-Identifier: Apache-2.0
 * shared_bytes.h - bytes that many hold at once, in whichever threads.
 *
 * Layer: base. Counted by reference. Whoever made them fills them in, before anybody else
 * gets a reference; from then on they never change. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct shared_bytes {
	uint32_t references; /* atomic */
	size_t len;
	uint8_t data[];
};

/* One reference, the caller's. NULL: memory is out. */
struct shared_bytes *shared_bytes_create(size_t len);

/* From any thread. */
struct shared_bytes *shared_bytes_ref(struct shared_bytes *bytes);

/* From any thread. Clears the pointer; NULL in it is fine. */
void shared_bytes_unref(struct shared_bytes **bytes);

static inline struct slice shared_bytes_slice(const struct shared_bytes *bytes)
{
	return slice_of(bytes->data, bytes->len);
}
