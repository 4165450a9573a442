/* SPDX-License-Identifier: Apache-2.0
 * api_client.h - a connected client in answers.
 *
 * Layer: admin, for api_*.c only. */
#pragma once

#include <jansson.h>

#include "session/presence.h"

/* What never changes while it is connected. NULL: memory is out. */
json_t *api_client_json(const struct presence *presence);
