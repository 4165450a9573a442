/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/limits_watch.h"

#include "base/check.h"

#define MARK_LOW  80
#define MARK_HIGH 95
#define FALL      5

/* The highest mark that `percent` has reached. */
static uint8_t mark_reached(unsigned percent)
{
	return percent >= MARK_HIGH ? MARK_HIGH : percent >= MARK_LOW ? MARK_LOW : 0;
}

/* What is left of `mark` once `percent` has fallen far enough below it. */
static uint8_t mark_kept(uint8_t mark, unsigned percent)
{
	if (mark == MARK_HIGH && percent <= MARK_HIGH - FALL)
		mark = MARK_LOW;
	if (mark == MARK_LOW && percent <= MARK_LOW - FALL)
		mark = 0;
	return mark;
}

/* A limit that cannot be read now keeps its mark, so that it is not said again. */
static bool share_crossed(struct limits_watch *watch, const struct limit *row,
			  struct limits_crossing *out_crossing)
{
	if (row->state != LIMIT_KNOWN || !row->has_used)
		return false;
	unsigned percent = limit_percent(row);
	uint8_t reached = mark_reached(percent);
	uint8_t *mark = &watch->marks[row->id];

	if (reached <= *mark) {
		*mark = mark_kept(*mark, percent);
		return false;
	}
	*mark = reached;
	*out_crossing = (struct limits_crossing){.id = row->id, .mark = reached};
	return true;
}

static bool counter_risen(struct limits_watch *watch, const struct limit *row,
			  struct limits_crossing *out_crossing)
{
	if (row->state != LIMIT_KNOWN)
		return false;
	uint64_t before = watch->counts[row->id];
	bool has_risen = watch->has_count[row->id] && row->value > before;

	watch->counts[row->id] = row->value;
	watch->has_count[row->id] = true;
	if (has_risen)
		*out_crossing = (struct limits_crossing){.id = row->id,
							 .increase = row->value - before};
	return has_risen;
}

size_t limits_watch_update(struct limits_watch *watch, const struct limits *limits,
			   struct limits_crossing out[LIMIT_ID_COUNT])
{
	size_t count = 0;

	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &limits->rows[i];

		if (limit_kind(row->id) == LIMIT_COUNTS ? counter_risen(watch, row, &out[count])
							: share_crossed(watch, row, &out[count]))
			count++;
	}
	return count;
}
