/* SPDX-License-Identifier: Apache-2.0
 * client_filter.h - which clients are asked for, and in which order.
 *
 * Layer: admin. Values of their own: they stay when the request that they come from has gone. Any
 * thread. */
#pragma once

#include <stdbool.h>

#include "base/net_ip.h"
#include "session/presence.h"

/* All that is given must be so. */
struct client_filter {
	char route[PRESENCE_ROUTE_MAX + 1]; /* "": any */
	/* Of the client id; "": any. */
	char prefix[PRESENCE_CLIENT_ID_MAX + 1];
	char contains[PRESENCE_CLIENT_ID_MAX + 1]; /* whatever the case of its ASCII letters */
	bool has_address;
	struct net_prefix address;
	/* [ms] since the epoch, of the connection; the second is not among them. */
	uint64_t since_ms, until_ms; /* UINT64_MAX: any */
	double min_rate;             /* [messages/s] both ways; 0: any */
};

#define CLIENT_FILTER_ALL ((struct client_filter){.until_ms = UINT64_MAX})

/* Now, by both clocks: clock_now_ns, and ms since the epoch. */
struct client_moment {
	uint64_t now_ns, wall_ms;
};

bool client_filter_wants(const struct client_filter *filter, const struct presence *presence,
			 const struct client_moment *moment);

/* X(NAME, label) By what a list may be sorted. The numbers are in cursors. */
#define CLIENT_SORT_TABLE(X)                                   \
	X(NONE, "")                                            \
	X(CONNECTED_AT, "connected_at")                        \
	X(MESSAGES_RECEIVED, "messages_received")              \
	X(MESSAGES_SENT, "messages_sent")                      \
	X(RECEIVED_BYTES, "received_bytes")                    \
	X(SENT_BYTES, "sent_bytes")                            \
	X(RATE, "rate")           /* of messages, both ways */ \
	X(BYTE_RATE, "byte_rate") /* both ways */              \
	X(QUEUED_BYTES, "queued_bytes")

#define CLIENT_SORT_ENUM(NAME, label) CLIENT_SORT_##NAME,
enum client_sort { CLIENT_SORT_TABLE(CLIENT_SORT_ENUM) CLIENT_SORT_COUNT };

const char *client_sort_label(enum client_sort sort);

/* CLIENT_SORT_COUNT: there is none of this name. */
enum client_sort client_sort_find(const char *label);

/* "connected_at, messages_received, ..." Static text. */
const char *client_sort_labels(void);

/* What it is sorted by, as a number in the same order. */
uint64_t client_sort_key(enum client_sort sort, const struct presence *presence,
			 const struct traffic_picture *picture);
