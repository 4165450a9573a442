/* SPDX-License-Identifier: Apache-2.0
 * phases.h - the phases of a connection, all together; home->phases.
 *
 * Layer: conn. */
#pragma once

#include "conn/phase.h"

extern const struct conn_phase *const conn_phases[CONN_PHASE_COUNT];
