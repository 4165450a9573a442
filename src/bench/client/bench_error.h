/* SPDX-License-Identifier: Apache-2.0
 * bench_error.h - why something cannot be done before a test, as a sentence, and what a token is.
 *
 * Layer: bench. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Writes the sentence; returns `r`, a negative errno. */
int bench_fail(int r, char *error, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Visible ASCII: what a header can hold, and a token of RFC 6750 or RFC 7519 is made of. */
bool bench_is_token(struct slice text);
