/* SPDX-License-Identifier: Apache-2.0
 * phase_head.h - HEAD: the request is read.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

extern const struct conn_phase phase_head;
