/* SPDX-License-Identifier: Apache-2.0
 * except.h - the one client that a message for many is not for, as a rule because it sent it.
 *
 * Layer: fleet. Values of their own; pure functions. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "session/presence.h"

/* The header of such a message on the bus: ROUTE/CLIENT_ID, the id percent-encoded. */
#define EXCEPT_HEADER   "Gatehouse-Except"
#define EXCEPT_TEXT_MAX (PRESENCE_ROUTE_MAX + 1 + 3 * PRESENCE_CLIENT_ID_MAX)

#define EXCEPT_ALLOWED "ROUTE/CLIENT_ID"

/* All connections of one client id on one route. */
struct except_client {
	char route[PRESENCE_ROUTE_MAX + 1]; /* "": nobody is excepted */
	char client_id[PRESENCE_CLIENT_ID_MAX + 1];
};

static inline bool except_is_set(const struct except_client *except)
{
	return except->route[0] != 0;
}

bool except_has(const struct except_client *except, const struct presence *presence);

/* "ws/till-7": what is behind the first '/' is the id as it is. False: it is none, and nothing is
 * written. */
bool except_read(struct slice text, struct except_client *out_except);

/* The same with the id percent-encoded, as in the header; data NULL: there is none, which is good,
 * and nobody is excepted. */
bool except_header_read(struct slice value, struct except_client *out_except);

/* To be read by except_header_read. */
struct slice except_header_write(const struct except_client *except, char room[EXCEPT_TEXT_MAX]);
