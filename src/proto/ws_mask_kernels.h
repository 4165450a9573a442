/* SPDX-License-Identifier: Apache-2.0
 * ws_mask_kernels.h - the ways to mask, for ws_mask.c and its test only.
 *
 * Layer: proto. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `key` holds the four key bytes as they lie in memory, the first one for from[0].
 * `to` is `from` or does not overlap it. */
typedef void ws_mask_kernel_fn(uint8_t *to, const uint8_t *from, size_t len, uint32_t key);

struct ws_mask_kernel {
	const char *name;
	ws_mask_kernel_fn *run;
	bool (*is_supported)(void);
};

/* Widest first; the last one runs on every processor. */
extern const struct ws_mask_kernel ws_mask_kernels[];
extern const size_t ws_mask_kernel_count;
