/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/admission.h"

#include "base/check.h"

bool admission_enter(struct admission *admission)
{
	uint64_t current = __atomic_load_n(&admission->current, __ATOMIC_RELAXED);

	do {
		if (current >= admission->max)
			return false;
	} while (!__atomic_compare_exchange_n(&admission->current, &current, current + 1, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

void admission_leave(struct admission *admission)
{
	uint64_t before = __atomic_fetch_sub(&admission->current, 1, __ATOMIC_RELAXED);

	CHECK(before > 0);
}

uint64_t admission_current(const struct admission *admission)
{
	return __atomic_load_n(&admission->current, __ATOMIC_RELAXED);
}
