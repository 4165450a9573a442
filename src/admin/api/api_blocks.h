/* SPDX-License-Identifier: Apache-2.0
 * api_blocks.h - a block as the API shows it.
 *
 * Layer: admin, for api_blocks*.c only. */
#pragma once

#include "admin/api/api_call.h"
#include "session/blocks.h"

/* `now_ms` since the epoch. The caller's reference; NULL: memory is out. */
json_t *api_block_json(const struct block *block, uint64_t now_ms);
