/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_retry_budget.h"

#include "base/check.h"

#define TOKEN 100 /* [hundredths] */

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
