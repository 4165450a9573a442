/* SPDX-License-Identifier: Apache-2.0
 * suggest.h - "did you mean": the nearest of some names to a misspelt one.
 *
 * Layer: base. Pure functions. */
#pragma once

#include <stddef.h>

#include "base/slice.h"

#define SUGGEST_BYTES 64

struct suggest {
	struct slice seen; /* set this, leave the rest zero */
	char best[SUGGEST_BYTES];
	size_t distance; /* of `best`; meaningless while that is empty */
};

/* Names of SUGGEST_BYTES and more are passed over. */
void suggest_offer(struct suggest *suggest, const char *name);

/* "; did you mean NAME?" or "" if no offered name is near enough. */
#define SUGGEST_HINT_MAX (SUGGEST_BYTES + 20)
char *suggest_hint(const struct suggest *suggest, char out[SUGGEST_HINT_MAX]);
