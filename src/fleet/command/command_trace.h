/* SPDX-License-Identifier: Apache-2.0
 * command_trace.h - which trace a command belongs to, and its span in the node that has the client.
 *
 * Layer: fleet. In the thread that has the command. */
#pragma once

#include "fleet/command/command.h"

struct bus_header;

/* Of a message on the bus, in the thread of the client: begins the command's span, as a child of
 * the message's traceparent if it has a good one. Harmless if nothing is traced. */
void command_trace_arrived(struct command *command, const struct session *session,
			   const struct bus_message *question);

/* Once it has ended, by whatever ended it. */
void command_trace_end(struct command *command);

/* It is destroyed without an end: another process, which has its client, goes on with it. Harmless
 * after an end. */
void command_trace_leave(struct command *command);

/* It is sent on to another node: writes the header that tells of its trace. Returns how many that
 * is, 0 or 1; the value is in `text`. */
size_t command_trace_headers(const struct command *command, struct bus_header *out_header,
			     char text[TRACE_PARENT_LEN + 1]);
