/* SPDX-License-Identifier: Apache-2.0
 * address_limit.h - how many connections each client address has, over all workers.
 *
 * Layer: conn. Thread-safe and exact. Grows with the addresses that are connected
 * now, which max_connections bounds: 24 bytes each, at twice as many places. Split into
 * shards with a lock each, held for one look-up. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/net_ip.h"

struct address_limit;

#define ADDRESS_LIMIT_NONE UINT64_MAX

/* At most `max` (> 0) connections per address; of IPv6 addresses the first `ipv6_bits`
 * count. NULL: memory is out. */
struct address_limit *address_limit_create(uint64_t max, unsigned ipv6_bits);
void address_limit_destroy(struct address_limit **limit);

/* 0: in, until address_limit_leave with the same address. -EUSERS: it has `max`
 * already. -ENOMEM. */
int address_limit_enter(struct address_limit *limit, const struct net_ip *ip);
/* A client of another process, which has let it in: it counts, whatever the limit is here. 0 or
 * -ENOMEM. */
int address_limit_import(struct address_limit *limit, const struct net_ip *ip);
void address_limit_leave(struct address_limit *limit, const struct net_ip *ip);

/* Do these two count as one address? */
bool address_limit_is_same(const struct address_limit *limit, const struct net_ip *a,
			   const struct net_ip *b);

/* Those that are in stay, also if they are more. */
void address_limit_set_max(struct address_limit *limit, uint64_t max);
uint64_t address_limit_max(const struct address_limit *limit);
unsigned address_limit_ipv6_bits(const struct address_limit *limit);

/* Connections of the address that has most of them: looks at all, for the admin thread. */
uint64_t address_limit_fullest(struct address_limit *limit);
