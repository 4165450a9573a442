/* SPDX-License-Identifier: Apache-2.0
 * ask.h - brings a command to its client, wherever that is connected, and the result back.
 *
 * Layer: fleet. Never blocks. If the client is connected here, its worker runs the command;
 * if not, and there is a cluster, the bus asks the node that has it. */
#pragma once

#include "fleet/client.h"
#include "fleet/command/command.h"

/* Takes over the command until on_done, which comes once in home's thread, from loop_run
 * only, with the command ended; then it is the caller's again. home's loop must not end
 * before. A command that has ended already, because its arguments are bad, comes back too.
 *
 * `timeout_ns` bounds the wait for another node, and is
 * what kinds that wait for something go by. Nothing else here waits. */
void fleet_ask(struct fleet_home *home, const char *route, const char *client_id,
	       struct command *command, uint64_t timeout_ns,
	       void (*on_done)(struct command *command, void *arg), void *arg);

/* One that has ended goes back to who asked; from whichever thread has it. */
void ask_go_back(struct command *command);
