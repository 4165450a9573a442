/* SPDX-License-Identifier: Apache-2.0 */
#include "base/payload.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"

/* [bytes] From here on an allocation is a mapping of its own. */
#define MMAP_FROM (256 * 1024)

/* [bytes] What malloc adds to an allocation, about. */
#define OVERHEAD 16

struct payload_account payload_account = {
	.max = INT64_MAX,
	.near_at = INT64_MAX,
	.out_at = INT64_MAX,
};

/* [bytes] Taken, or given back (then negative), and not in the total yet. */
static _Thread_local int64_t unposted;

void payload_set_max(uint64_t max)
{
	int64_t bytes = (int64_t)MIN(max, (uint64_t)INT64_MAX / 2);

	CHECK(max > 0);
	__atomic_store_n(&payload_account.max, bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&payload_account.near_at, bytes - bytes / 8, __ATOMIC_RELAXED);
	__atomic_store_n(&payload_account.out_at, bytes + bytes / 8, __ATOMIC_RELAXED);
}

void payload_configure(uint64_t max)
{
	/* Large buffers go back to the system at once, instead of leaving holes; and the threshold
	 * no longer grows with what was freed. */
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	payload_set_max(max);
}

uint64_t payload_max(void)
{
	return (uint64_t)__atomic_load_n(&payload_account.max, __ATOMIC_RELAXED);
}

/* A thread may have posted what it gave back before another what it had taken. */
uint64_t payload_used(void)
{
	return (uint64_t)MAX(__atomic_load_n(&payload_account.used, __ATOMIC_RELAXED), INT64_C(0));
}

void payload_settle(void)
{
	if (unposted != 0)
		__atomic_fetch_add(&payload_account.used, unposted, __ATOMIC_RELAXED);
	unposted = 0;
}

static void note(int64_t bytes)
{
	unposted += bytes;
	if (unposted >= PAYLOAD_CHUNK || unposted <= -PAYLOAD_CHUNK)
		payload_settle();
}

static bool is_trim_due; /* atomic */

void payload_trim_ask(void)
{
	__atomic_store_n(&is_trim_due, true, __ATOMIC_RELAXED);
}

void payload_trim(void)
{
	if (__atomic_exchange_n(&is_trim_due, false, __ATOMIC_RELAXED))
		malloc_trim(0);
}

void *payload_alloc(size_t size)
{
	void *memory = malloc(size);

	if (memory != NULL)
		note((int64_t)size + OVERHEAD);
	return memory;
}

void *payload_grow(void *memory, size_t old_size, size_t size)
{
	int64_t before = memory == NULL ? -OVERHEAD : (int64_t)old_size;
	void *larger = realloc(memory, size);

	if (larger != NULL)
		note((int64_t)size - before);
	return larger;
}

void payload_free(void *memory, size_t size)
{
	if (memory != NULL)
		note(-(int64_t)size - OVERHEAD);
	free(memory);
}
