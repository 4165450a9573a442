/* SPDX-License-Identifier: Apache-2.0
 * serve_losses.h - which events did not reach their back ends before the end.
 *
 * Layer: cmd. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/server.h"

/* What a back end had lost when the end began. */
struct loss {
	const struct event_backend *backend; /* only compared */
	uint64_t before;
};

struct losses {
	struct loss *items; /* without memory some are missing: of them all counts */
	size_t count;
	bool has_any;
};

void losses_begin(struct losses *losses, const struct server *server);

/* After server_end: logs a line for each back end that lost events since, with how many. True:
 * there were some. Frees what losses_begin took. */
bool losses_tell(struct losses *losses, const struct server *server);

/* Without waiting for anybody: the same of what still waits. */
void losses_tell_waiting(const struct server *server);
