/* SPDX-License-Identifier: Apache-2.0
 * block_json.h - changes of blocks, as nodes tell each other.
 *
 * Layer: fleet. Pure functions. */
#pragma once

#include <jansson.h>

#include "session/blocks.h"

/* NULL: memory is out. */
json_t *block_json_write(const struct block *block);

/* False: it is none, and nothing is written. */
bool block_json_read(const json_t *json, struct block *out_block);

/* "192.0.2.7" for a whole address, else "192.0.2.0/24". Returns `out`. */
char *block_address_format(const struct net_prefix *address, char out[NET_PREFIX_TEXT_MAX]);
