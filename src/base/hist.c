/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hist.h"

#include "base/check.h"

#define SUB_COUNT (1u << HIST_SUB_BITS)

static unsigned bucket_index(uint64_t value)
{
	if (value < SUB_COUNT)
		return (unsigned)value;
	unsigned top = 63u - (unsigned)__builtin_clzll(value); /* >= HIST_SUB_BITS */

	if (top >= HIST_TOP_BITS)
		return HIST_BUCKETS - 1;
	unsigned shift = top - HIST_SUB_BITS;

	return ((shift + 1) << HIST_SUB_BITS) + (unsigned)((value >> shift) - SUB_COUNT);
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(unsigned index)
{
	if (index < SUB_COUNT)
		return index;
	unsigned shift = (index >> HIST_SUB_BITS) - 1;
	uint64_t start = (uint64_t)(SUB_COUNT + (index & (SUB_COUNT - 1))) << shift;

	return start + ((UINT64_C(1) << shift) - 1);
}

void hist_record(struct hist *hist, uint64_t value)
{
	if (hist->count == 0 || value < hist->min)
		hist->min = value;
	if (value > hist->max)
		hist->max = value;
	hist->count++;
	hist->sum += value;
	hist->buckets[bucket_index(value)]++;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	if (from->count == 0)
		return;
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	into->max = MAX(into->max, from->max);
	into->count += from->count;
	into->sum += from->sum;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

uint64_t hist_percentile(const struct hist *hist, double percent)
{
	if (hist->count == 0)
		return 0;
	double exact = percent / 100.0 * (double)hist->count;
	uint64_t rank = (uint64_t)exact;

	if ((double)rank < exact || rank == 0)
		rank++;
	uint64_t seen = 0;

	for (unsigned i = 0; i < HIST_BUCKETS - 1; i++) {
		seen += hist->buckets[i];
		if (seen >= rank)
			return MIN(bucket_top(i), hist->max);
	}
	return hist->max;
}

double hist_mean(const struct hist *hist)
{
	return hist->count == 0 ? 0.0 : (double)hist->sum / (double)hist->count;
}
