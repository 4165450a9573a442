/* SPDX-License-Identifier: Apache-2.0
 * backoff.h - how long to wait before trying again.
 *
 * Layer: base. Pure: no clock, no randomness of its own. The longest wait is
 * min(max_ns, min_ns * 2^(retry - 1)) before retry number `retry` (from 1); the wait is
 * drawn from it by `random`, so that many that failed together do not come back
 * together. */
#pragma once

#include <stdint.h>

/* Anywhere between 0 and the longest: spreads best. */
uint64_t backoff_ns(uint64_t min_ns, uint64_t max_ns, uint32_t retry, uint32_t random);

/* Between half of the longest and the longest: never at once. */
uint64_t backoff_half_ns(uint64_t min_ns, uint64_t max_ns, uint32_t retry, uint32_t random);
