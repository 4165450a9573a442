/* SPDX-License-Identifier: Apache-2.0
 * siphash.h - SipHash-2-4: a keyed hash, for tables whose keys strangers choose.
 *
 * Layer: base. Pure. With a key drawn at random nobody can choose inputs that collide
 * (Aumasson and Bernstein, 2012). */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct siphash_key {
	uint64_t halves[2];
};

uint64_t siphash(const struct siphash_key *key, struct slice bytes);
