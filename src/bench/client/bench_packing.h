/* SPDX-License-Identifier: Apache-2.0
 * bench_packing.h - messages that are compressed on their way (--compression).
 *
 * Layer: bench. One for each worker, in its thread: nothing is kept of a connection but that it
 * agreed. Each message stands alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* [bytes] of messages that were or could have been compressed: plain, and on the wire. */
struct bench_packed {
	uint64_t connections; /* that agreed */
	uint64_t sent_plain, sent_packed;
	uint64_t received_plain, received_packed;
};

struct bench_packing {
	struct ws_deflater *deflater;
	struct ws_inflater *inflater;
	uint8_t *plain, *packed; /* a message each */
	struct bench_packed counts;
};

/* For messages of `size` bytes. 0 or -ENOMEM; finish in either case. */
int bench_packing_init(struct bench_packing *packing, size_t size);
void bench_packing_finish(struct bench_packing *packing);

/* Compresses what is in packing->plain. Returns the payload to be sent; *out_is_packed is false if
 * it is the message itself, which would not shrink. */
struct slice bench_packing_pack(struct bench_packing *packing, size_t size, bool *out_is_packed);

void bench_packed_add(struct bench_packed *sum, const struct bench_packed *part);

/* What is left of a message, in percent; 100 if there was none. */
double bench_packed_percent(uint64_t plain, uint64_t packed);
