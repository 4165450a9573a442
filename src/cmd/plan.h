/* SPDX-License-Identifier: Apache-2.0
 * plan.h - what serve and check work out alike.
 *
 * Layer: cmd. */
#pragma once

#include "config/config.h"
#include "io/loop.h"

/* The engine as the loop names it. */
static inline enum loop_engine plan_engine(const struct config *config)
{
	switch (config->server.engine) {
	case CONFIG_ENGINE_IO_URING:
		return LOOP_ENGINE_IO_URING;
	case CONFIG_ENGINE_EPOLL:
		return LOOP_ENGINE_EPOLL;
	case CONFIG_ENGINE_AUTO:
		break;
	}
	return LOOP_ENGINE_AUTO;
}
