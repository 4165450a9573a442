/* SPDX-License-Identifier: Apache-2.0
 * uplink_ears.h - what back ends tell connections; home->ears.
 *
 * Layer: conn. */
#pragma once

#include "route/backend.h"

extern const struct uplink_handler uplink_ears;
