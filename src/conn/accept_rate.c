/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/accept_rate.h"

#include "base/check.h"
#include "base/clock.h"

void accept_rate_init(struct accept_rate *limit, uint64_t rate, uint64_t burst)
{
	uint64_t step_ns = rate == 0 ? 0 : NS_PER_S / rate;
	uint64_t at_once = burst == 0 ? rate : burst;

	*limit = (struct accept_rate){
		.step_ns = step_ns,
		.burst_ns = at_once == 0 ? 0 : (at_once - 1) * step_ns,
	};
}

bool accept_rate_take(struct accept_rate *limit, uint64_t now_ns, uint64_t *out_wait_ns)
{
	uint64_t next = __atomic_load_n(&limit->next_ns, __ATOMIC_RELAXED);

	if (limit->step_ns == 0)
		return true;
	for (;;) {
		if (next > now_ns + limit->burst_ns) {
			*out_wait_ns = next - now_ns - limit->burst_ns;
			return false;
		}
		if (__atomic_compare_exchange_n(&limit->next_ns, &next,
						MAX(next, now_ns) + limit->step_ns, true,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	}
}
