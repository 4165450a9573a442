/* SPDX-License-Identifier: Apache-2.0
 * message.h - whether something is a message that a client can be sent, and what kind of
 * message it is on the bus.
 *
 * Layer: fleet. Pure functions. */
#pragma once

#include <stdbool.h>

#include "bus/bus.h"
#include "fleet/fleet.h"
#include "http/problem.h"
#include "session/session.h"

/* What is wrong with a message; `problem` points into the rest. */
struct message_fault {
	struct problem problem;
	char seen[32];
	char allowed[32];
};

/* False: it is too large, or text and not UTF-8; *out_fault says so. */
bool message_check(const struct fleet *fleet, const struct message *message,
		   struct message_fault *out_fault);

/* Headers of a message on the bus: "text" or "binary"; "no" if it is not to be compressed. */
#define MESSAGE_TYPE        "Gatehouse-Type"
#define MESSAGE_COMPRESS    "Gatehouse-Compress"
#define MESSAGE_HEADERS_MAX 2

/* Returns how many there are. */
size_t message_headers(const struct message *message, struct bus_header out[MESSAGE_HEADERS_MAX]);

/* Fills is_text and stays_plain; without the headers it is text, and may be compressed. Returns
 * NULL, or the name of the header that has neither of its two values. */
const char *message_headers_read(const struct bus_message *from, struct message *message);

/* "yes" or "no"; data NULL: yes. False: neither. */
bool message_compress_read(struct slice value, bool *out_stays_plain);
