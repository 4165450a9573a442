/* SPDX-License-Identifier: Apache-2.0
 * utf8_kernels.h - the ways to skip good text fast, for utf8.c and its test only.
 *
 * Layer: proto. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `data` starts at a character's edge. Returns the size of a run at its start that
 * consists of whole valid characters. The run may be shorter than it could be (the
 * caller looks at what follows byte by byte), but text in ASCII is taken whole. */
typedef size_t utf8_kernel_fn(const uint8_t *data, size_t len);

struct utf8_kernel {
	const char *name;
	utf8_kernel_fn *run;
	bool (*is_supported)(void);
};

/* Widest first; the last one runs on every processor. */
extern const struct utf8_kernel utf8_kernels[];
extern const size_t utf8_kernel_count;
