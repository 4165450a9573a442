/* SPDX-License-Identifier: Apache-2.0
 * server_doors.h - what the gateway listens on: addresses and unix sockets, plain or with TLS.
 *
 * Layer: server. In the main thread, at start and at the end; blocks on files and /proc. Workers
 * share each door: an address by SO_REUSEPORT, a unix socket by duplicates. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "io/listener_unix.h"
#include "io/tcp.h"
#include "server/server_tls.h"

struct renewals;
struct server_error;

struct server_door {
	char option[64]; /* that names it: "server.listen", "server.listeners[1].address" */
	const struct config_listener *listener;
	struct net_addr addr; /* with the port taken */
	struct listener_unix unix_socket;
	int unix_fd;            /* -1: none, or not opened */
	struct server_tls *tls; /* NULL: plain */
};

struct server_doors {
	struct server_door *items; /* the admin's is the last */
	size_t count;
	struct config_listener admin;
};

/* Of the configuration, which lives as long. Nothing is opened. 0, or a negative errno with
 * *out_error: what TLS needs cannot be read. server_doors_finish in either case. */
int server_doors_make(struct server_doors *doors, const struct config *config,
		      struct renewals *renewals, struct server_error *out_error);

/* Ends TLS, and removes unix sockets. Zeroed is fine. */
void server_doors_finish(struct server_doors *doors);

static inline struct server_door *server_doors_admin(const struct server_doors *doors)
{
	return &doors->items[doors->count - 1];
}

/* One worker's descriptor, or a negative errno with *out_error. `is_first`: as listener_bind has
 * it. */
int server_door_open(struct server_door *door, bool is_first, struct server_error *out_error);

/* Where it is, with the port taken. */
char *server_door_text(const struct server_door *door, char out[CONFIG_PLACE_TEXT_MAX]);

/* The first end of a certificate that the configuration names. [s since 1970]; 0: none can be read.
 */
int64_t server_doors_expire_at(const struct config *config);

/* New keys for tickets where it is time. */
void server_doors_tick(struct server_doors *doors, uint64_t now_ns);

/* Whether each could be opened now, and its TLS be made: tells of each that could not, in the words
 * of server_start. `is_warning`: clients will have trouble, or another gateway has it. */
void server_doors_check(const struct config *config,
			void (*tell)(void *arg, const struct server_error *error, bool is_warning),
			void *arg);
