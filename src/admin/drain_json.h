/* SPDX-License-Identifier: Apache-2.0
 * drain_json.h - a drain, as the API and /health tell of it.
 *
 * Layer: admin. */
#pragma once

#include <jansson.h>

#include "server/server_drain.h"

/* NULL: memory is out. */
json_t *drain_json(const struct server_drain_report *report);
