/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include "base/check.h"

static uint64_t longest_ns(uint64_t min_ns, uint64_t max_ns, uint32_t retry)
{
	uint64_t wait_ns = min_ns;

	CHECK(retry >= 1);
	for (uint32_t i = 1; i < retry && wait_ns > 0 && wait_ns < max_ns; i++)
		wait_ns = wait_ns > max_ns / 2 ? max_ns : wait_ns * 2;
	return MIN(wait_ns, max_ns);
}

static uint64_t draw(uint64_t below_ns, uint32_t random)
{
	return (uint64_t)(((unsigned __int128)below_ns * random) >> 32);
}

uint64_t backoff_ns(uint64_t min_ns, uint64_t max_ns, uint32_t retry, uint32_t random)
{
	return draw(longest_ns(min_ns, max_ns, retry), random);
}

uint64_t backoff_half_ns(uint64_t min_ns, uint64_t max_ns, uint32_t retry, uint32_t random)
{
	uint64_t wait_ns = longest_ns(min_ns, max_ns, retry);

	return wait_ns / 2 + draw(wait_ns / 2, random);
}
