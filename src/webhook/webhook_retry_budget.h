/* SPDX-License-Identifier: Apache-2.0
 * webhook_retry_budget.h - whether to try again.
 *
 * Layer: webhook. Pure: no clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A bucket of tokens that keeps retries a share of the load, so that a back end in trouble is
 * not sent a multiple of what it could not bear. Each first attempt puts in `percent` / 100 of a
 * token, each retry takes a whole one. Starts full, with `burst` tokens. */
struct retry_budget {
	uint32_t percent;
	uint64_t max_hundredths;
	uint64_t hundredths;
};

void retry_budget_init(struct retry_budget *budget, uint32_t percent, uint32_t burst);
void retry_budget_deposit(struct retry_budget *budget);

/* False: no retry is left. */
bool retry_budget_withdraw(struct retry_budget *budget);
