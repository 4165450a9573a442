/* SPDX-License-Identifier: Apache-2.0
 * counter.h - numbers that any thread may change and read.
 *
 * Layer: base. Atomic, but relaxed: no change is lost, and nothing follows from one about
 * any other memory. Those read one after the other are a moment's picture, not a
 * transaction. A limit that must be exact over threads needs more than this. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline void counter_add(uint64_t *counter, uint64_t count)
{
	__atomic_fetch_add(counter, count, __ATOMIC_RELAXED);
}

static inline void counter_sub(uint64_t *gauge, uint64_t count)
{
	__atomic_fetch_sub(gauge, count, __ATOMIC_RELAXED);
}

static inline void counter_set(uint64_t *gauge, uint64_t value)
{
	__atomic_store_n(gauge, value, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* One of the numbers of a struct, by its place there (offsetof): for tables of them. */
static inline uint64_t counter_at(const void *numbers, size_t place)
{
	return counter_read((const uint64_t *)(const void *)((const char *)numbers + place));
}
