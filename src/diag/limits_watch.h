/* SPDX-License-Identifier: Apache-2.0
 * limits_watch.h - notices when a limit is nearly used up.
 *
 * Layer: diag. One thread. Says each crossing once; a limit has to fall 5 points below
 * a mark before it can cross it again, so that one connection more or less does not
 * make it speak. */
#pragma once

#include "diag/limits.h"

struct limits_watch {
	uint8_t marks[LIMIT_ID_COUNT];   /* percent last said: 0, 80 or 95 */
	uint64_t counts[LIMIT_ID_COUNT]; /* of LIMIT_COUNTS, when last looked at */
	bool has_count[LIMIT_ID_COUNT];
};

struct limits_crossing {
	enum limit_id id;
	unsigned mark;     /* 80 or 95 [percent]; 0: a counter of losses has risen */
	uint64_t increase; /* of that counter */
};

/* Fills out[] with what was crossed upwards since the last call; returns how many. */
size_t limits_watch_update(struct limits_watch *watch, const struct limits *limits,
			   struct limits_crossing out[LIMIT_ID_COUNT]);
