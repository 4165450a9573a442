/* SPDX-License-Identifier: Apache-2.0
 * command_caller.h - who asked for a command that moves with its client to another process.
 *
 * Layer: fleet. The command runs on there, and its result still reaches who waits for it. In the
 * thread of the client's worker, on either side. */
#pragma once

#include "base/state.h"
#include "fleet/command/command.h"

/* In the older process. Writes nothing if nobody wants to know. */
void command_caller_export(const struct command *command, struct state_writer *out);

/* Into one that was made anew, in the newer process. False: it is not to be understood, or memory
 * is out. */
bool command_caller_import(struct command *command, struct slice state);

/* Frees what the import has kept, and the command; nobody is told. */
void command_caller_discard(struct command *command);
