/* SPDX-License-Identifier: Apache-2.0
 * payload.h - memory that holds what clients send and are sent: one account for the process.
 *
 * Layer: base. Thread-safe. Whatever a client or a caller can make grow is allocated here:
 * buffers (buf.h), bytes that many hold (shared_bytes.h), output, events, parcels of the bus. A
 * thread keeps what it took and gave back to itself until that is PAYLOAD_CHUNK bytes, and then
 * posts it: so the total is behind by at most as much for each thread, and a message that lies in
 * memory which is there already costs nothing.
 *
 * Nothing is refused here: what may grow no more, and who has to go, is the business of whoever
 * knows the clients (server/memory_guard.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_CHUNK 16384 /* [bytes] */

enum payload_level {
	PAYLOAD_CALM,
	PAYLOAD_NEAR, /* 7/8 of what is allowed: the largest holders are to be held back */
	PAYLOAD_OVER, /* all of it: they have to go */
	PAYLOAD_OUT,  /* 9/8: nobody may keep more, whoever it is */
};

/* All in bytes, and atomic. `used` is on a cache line of its own: it changes all the time, the
 * others hardly ever. */
struct payload_account {
	int64_t max, near_at, out_at;
	_Alignas(64) int64_t used;
};

extern struct payload_account payload_account;

/* Before the first thread; without it there is no limit. `max` in bytes, > 0. */
void payload_configure(uint64_t max);

/* From any thread: from now on it is this much, also if more is held. */
void payload_set_max(uint64_t max);

uint64_t payload_max(void);
uint64_t payload_used(void);

static inline enum payload_level payload_level(void)
{
	int64_t used = __atomic_load_n(&payload_account.used, __ATOMIC_RELAXED);

	if (used < __atomic_load_n(&payload_account.near_at, __ATOMIC_RELAXED))
		return PAYLOAD_CALM;
	if (used < __atomic_load_n(&payload_account.max, __ATOMIC_RELAXED))
		return PAYLOAD_NEAR;
	return used < __atomic_load_n(&payload_account.out_at, __ATOMIC_RELAXED) ? PAYLOAD_OVER
										 : PAYLOAD_OUT;
}

/* malloc, realloc and free with the account told. NULL: the system has no memory; payload_grow
 * has then left the old one as it is. Sizes are those that were asked for. */
void *payload_alloc(size_t size);
void *payload_grow(void *memory, size_t old_size, size_t size);
void payload_free(void *memory, size_t size);

/* The account was nearly full, and is not any more: what malloc keeps of it is to go back to the
 * system. Asked for in any thread; done by one that may take its time. */
void payload_trim_ask(void);
void payload_trim(void);

/* Posts what this thread has not posted yet; before it ends, or before somebody decides by the
 * total. */
void payload_settle(void);
