/* SPDX-License-Identifier: Apache-2.0
 * metrics_before.h - what the processes before this one have counted, so that no counter jumps back
 * when one takes over from another.
 *
 * Layer: admin. Any thread. Kept as the page that the one before would have answered with: names
 * and labels are what versions agree on, whatever they count with. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct metrics_before;

/* NULL: memory is out. */
struct metrics_before *metrics_before_create(void);
/* NULL is fine. */
void metrics_before_destroy(struct metrics_before **before);

/* From now on this is what was counted before; copied. Without memory nothing changes. */
void metrics_before_take(struct metrics_before *before, struct slice page);

/* Adds it to each sample of a counter or a histogram on the page, but for those of the process
 * itself ("process_..."). */
void metrics_before_add(struct metrics_before *before, struct buf *page);

/* From now on this is the page: the next process counts on from it, so whoever reads one here must
 * not see more than there a moment later. Copied; without memory nothing changes. Until
 * metrics_before_release, which is harmless without. */
void metrics_before_hold(struct metrics_before *before, struct slice page);
void metrics_before_release(struct metrics_before *before);

/* Appends it. False: none is held. */
bool metrics_before_held(struct metrics_before *before, struct buf *out);

/* What it is of one counter, as "name{labels}"; 0: nothing. */
uint64_t metrics_before_count(struct metrics_before *before, const char *series);

/* Was there such a series? */
bool metrics_before_has(struct metrics_before *before, const char *series);

/* Of all samples of a counter. */
uint64_t metrics_before_sum(struct metrics_before *before, const char *name);
