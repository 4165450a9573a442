/* SPDX-License-Identifier: Apache-2.0
 * random.h - unpredictable bytes, drawn from the kernel in batches.
 *
 * Layer: base. Masking keys and handshake keys must not be guessable (RFC 6455,
 * 10.3), and one system call each would cost more than the frame. Not
 * thread-safe: one source per worker. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct random_source {
	uint8_t bytes[1024];
	size_t used; /* bytes[0..used) are spent; zeroed source: first draw fills it */
	int is_filled;
};

/* Zero-initialise a struct random_source; there is nothing to free. */
void random_fill(struct random_source *source, void *out, size_t len);

static inline uint32_t random_u32(struct random_source *source)
{
	uint32_t value;

	random_fill(source, &value, sizeof(value));
	return value;
}
