/* SPDX-License-Identifier: Apache-2.0
 * net_resolve.h - host names to addresses.
 *
 * Layer: os. Blocks: for start-up and the load tester only, never on a loop. */
#pragma once

#include <stdint.h>

#include "base/net_addr.h"

/* Looks up a host name (or takes a numeric address, brackets not included).
 * Returns NULL and fills *out with the first answer, or the resolver's words. */
const char *net_resolve(const char *host, uint16_t port, struct net_addr *out);
