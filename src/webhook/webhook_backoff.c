/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_backoff.h"

#include "base/check.h"

#define TOKEN 100 /* [hundredths] */

uint64_t webhook_backoff_ns(uint64_t min_ns, uint64_t max_ns, uint32_t retry, uint32_t random)
{
	uint64_t ceiling = min_ns;

	CHECK(retry >= 1);
	for (uint32_t i = 1; i < retry && ceiling > 0 && ceiling < max_ns; i++)
		ceiling = ceiling > max_ns / 2 ? max_ns : ceiling * 2;
	ceiling = MIN(ceiling, max_ns);
	return (uint64_t)(((unsigned __int128)ceiling * random) >> 32);
}

void retry_budget_init(struct retry_budget *budget, uint32_t percent, uint32_t burst)
{
	budget->percent = percent;
	budget->max_hundredths = (uint64_t)burst * TOKEN;
	budget->hundredths = budget->max_hundredths;
}

void retry_budget_deposit(struct retry_budget *budget)
{
	budget->hundredths = MIN(budget->hundredths + budget->percent, budget->max_hundredths);
}

bool retry_budget_withdraw(struct retry_budget *budget)
{
	if (budget->hundredths < TOKEN)
		return false;
	budget->hundredths -= TOKEN;
	return true;
}
