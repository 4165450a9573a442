/* SPDX-License-Identifier: Apache-2.0
 * bench_local.h - the server's process and listeners, where they are in this network
 * namespace: any server, not only a gateway.
 *
 * Layer: bench. Blocks on /proc and netlink: for the main thread. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/net_addr.h"
#include "bench/judge/bench_verdict.h"

/* Does `remote` belong to this network namespace? */
bool bench_local_is(const struct net_addr *remote);

/* Looks for the process that listens at `remote`. If it is found fills the evidence's
 * process and, if one of its limits is used up, limit; and *out_limits, its limits in
 * the form of diag/limits_json.h, with what `wanted` connections need, the caller's. Else false. */
bool bench_local_read(const struct net_addr *remote, uint64_t wanted,
		      struct bench_evidence *evidence, json_t **out_limits);

/* Every attempt at `remote` was refused: says so, and on what other ports of that
 * address something does listen, as far as this can be seen. */
void bench_local_listening(const struct net_addr *remote, char *out, size_t size);
