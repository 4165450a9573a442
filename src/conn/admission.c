/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/admission.h"

#include "base/check.h"
#include "base/counter.h"

bool places_take(uint64_t *current, uint64_t max)
{
	uint64_t seen = __atomic_load_n(current, __ATOMIC_RELAXED);

	do {
		if (seen >= max)
			return false;
	} while (!__atomic_compare_exchange_n(current, &seen, seen + 1, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

void places_add(uint64_t *current)
{
	__atomic_fetch_add(current, 1, __ATOMIC_RELAXED);
}

void places_give(uint64_t *current)
{
	uint64_t before = __atomic_fetch_sub(current, 1, __ATOMIC_RELAXED);

	CHECK(before > 0);
}

bool admission_enter(struct admission *admission)
{
	return places_take(&admission->current, counter_read(&admission->max));
}

void admission_import(struct admission *admission)
{
	places_add(&admission->current);
}

void admission_leave(struct admission *admission)
{
	places_give(&admission->current);
}

uint64_t admission_current(const struct admission *admission)
{
	return __atomic_load_n(&admission->current, __ATOMIC_RELAXED);
}

void admission_set_max(struct admission *admission, uint64_t max)
{
	counter_set(&admission->max, max);
}

uint64_t admission_max(const struct admission *admission)
{
	return counter_read(&admission->max);
}
