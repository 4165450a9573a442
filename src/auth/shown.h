/* SPDX-License-Identifier: Apache-2.0
 * shown.h - where a client shows a token or a ticket, and how that is kept from others.
 *
 * Layer: auth. Pure functions. Browsers can set no header for a WebSocket, so there are four
 * places; what is found is a view into the request. */
#pragma once

#include "proto/http_head.h"

/* In this order: what is harder to leave behind in a log comes first. */
#define SHOWN_PLACE_TABLE(X) X(HEADER) X(SUBPROTOCOL) X(COOKIE) X(QUERY)

#define SHOWN_PLACE_ENUM(NAME) SHOWN_IN_##NAME,
enum shown_place { SHOWN_PLACE_TABLE(SHOWN_PLACE_ENUM) SHOWN_PLACE_COUNT };

#define SHOWN_BIT(place) (1u << SHOWN_IN_##place)

struct shown_rules {
	unsigned places;         /* bits of enum shown_place */
	const char *scheme;      /* HEADER: of Authorization, without case: "Bearer" */
	const char *query;       /* QUERY: the parameter's name */
	const char *cookie;      /* COOKIE: its name */
	const char *subprotocol; /* SUBPROTOCOL: "bearer": an item "bearer.VALUE", or "bearer" and
				  * the item behind it */
};

/* The first that is there; false: none is. A field or parameter that is there twice is two
 * proofs, of which none counts: *out_value is empty then. */
bool shown_find(const struct shown_rules *rules, const struct http_head *head, const uint8_t *data,
		struct slice *out_value);

/* Writes '*' over each byte of what shown_find could have found, in all places of the rules, and
 * as often as it is there. `data` is the request, or a copy of it. */
void shown_hide(const struct shown_rules *rules, const struct http_head *head, uint8_t *data);
