/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/accept_rate.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"

static uint64_t step_of(uint64_t rate)
{
	return rate == 0 ? 0 : NS_PER_S / rate;
}

static uint64_t burst_of(uint64_t rate, uint64_t burst)
{
	uint64_t at_once = burst == 0 ? rate : burst;

	return at_once == 0 ? 0 : (at_once - 1) * step_of(rate);
}

void accept_rate_init(struct accept_rate *limit, uint64_t rate, uint64_t burst)
{
	*limit = (struct accept_rate){.step_ns = step_of(rate), .burst_ns = burst_of(rate, burst)};
}

/* Who asks between two of these stores is judged by a mixture of both rates, once. */
void accept_rate_set(struct accept_rate *limit, uint64_t rate, uint64_t burst, uint64_t now_ns)
{
	uint64_t most = now_ns + burst_of(rate, burst) + step_of(rate);
	uint64_t next = counter_read(&limit->next_ns);

	counter_set(&limit->burst_ns, burst_of(rate, burst));
	counter_set(&limit->step_ns, step_of(rate));
	while (next > most && !__atomic_compare_exchange_n(&limit->next_ns, &next, most, true,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

uint64_t accept_rate_export(const struct accept_rate *limit)
{
	return counter_read(&limit->next_ns);
}

/* Nobody takes any yet. */
void accept_rate_import(struct accept_rate *limit, uint64_t exported, uint64_t now_ns)
{
	uint64_t most = now_ns + counter_read(&limit->burst_ns) + counter_read(&limit->step_ns);

	counter_set(&limit->next_ns, MIN(exported, most));
}

bool accept_rate_take(struct accept_rate *limit, uint64_t now_ns, uint64_t *out_wait_ns)
{
	uint64_t next = counter_read(&limit->next_ns);
	uint64_t step_ns = counter_read(&limit->step_ns);
	uint64_t burst_ns = counter_read(&limit->burst_ns);

	if (step_ns == 0)
		return true;
	for (;;) {
		if (next > now_ns + burst_ns) {
			*out_wait_ns = next - now_ns - burst_ns;
			return false;
		}
		if (__atomic_compare_exchange_n(&limit->next_ns, &next, MAX(next, now_ns) + step_ns,
						true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	}
}
