/* SPDX-License-Identifier: Apache-2.0
 * message.h - whether something is a message that a client can be sent, and what kind of
 * message it is on the bus.
 *
 * Layer: fleet. Pure functions. */
#pragma once

#include <stdbool.h>

#include "bus/bus.h"
#include "config/config.h"
#include "http/problem.h"
#include "session/session.h"

/* What is wrong with a message; `problem` points into the rest. */
struct message_fault {
	struct problem problem;
	char seen[32];
	char allowed[32];
};

/* False: it is too large, or text and not UTF-8; *out_fault says so. */
bool message_check(const struct config *config, const struct message *message,
		   struct message_fault *out_fault);

/* The header of a message on the bus: "text" or "binary". */
#define MESSAGE_TYPE "Gatehouse-Type"

struct bus_header message_type_header(const struct message *message);

/* Without the header it is text. False: it has neither of its two values. */
bool message_type_read(const struct bus_message *from, bool *out_is_text);
