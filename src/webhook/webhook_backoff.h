/* SPDX-License-Identifier: Apache-2.0
 * webhook_backoff.h - when, and whether, to try again.
 *
 * Layer: webhook. Pure: no clock, no randomness of its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Exponential with full jitter: before retry number `retry` (from 1), anywhere between 0 and
 * min(max_ns, min_ns * 2^(retry - 1)), as `random` says. The jitter spreads the retries of
 * many calls that failed together. */
uint64_t webhook_backoff_ns(uint64_t min_ns, uint64_t max_ns, uint32_t retry, uint32_t random);

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
