/* SPDX-License-Identifier: Apache-2.0
 * command_road.h - commands whose client is in another process of the gateway than who asked.
 *
 * Layer: fleet. While an older process ends and a newer one has its clients, the older one is still
 * asked for things: over HTTP by requests that were under way. It brings such commands over the
 * handover's road; so it does with calls that waited when their client moved. The newer one runs
 * them, and brings the result back. Thread-safe. */
#pragma once

#include "base/state.h"
#include "fleet/command/command.h"
#include "session/handover_road.h"

struct command_road;

/* In the older process; NULL: memory is out. `road` outlives it. */
struct command_road *command_road_create_older(struct handover_road *road);

/* In the newer one, which asks clients of `fleet` from `home`, of a worker that ends after all was
 * told. */
struct command_road *command_road_create_newer(struct handover_road *road,
					       const struct fleet *fleet, struct fleet_home *home);

/* When nothing comes any more, and nobody waits. NULL is fine; the pointer is cleared. */
void command_road_destroy(struct command_road **road);

/* --- older --- */

/* Takes over a command that ask.h brings, and has it run there; it goes back to who asked. False:
 * there is no such road, or it has ended; the command is still the caller's. */
bool command_road_bring(struct command_road *road, struct command *command);

/* Likewise, of one that has moved with its client: only its result is to come. `road` NULL, or at
 * its end: the client is lost. */
void command_road_await(struct command_road *road, struct command *command);

/* --- newer --- */

/* The result of the ask that has this number in the older process. If that cannot be told, who
 * asked waits for as long as it would have. */
void command_road_tell(struct command_road *road, uint64_t number,
		       const struct command_result *result);
