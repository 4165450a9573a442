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
#include "server/handover_sockets.h"
#include "server/server_tls.h"
#include "server/worker.h"

struct renewals;
struct server_error;

struct server_door {
	char option[64]; /* that names it: "server.listen", "server.listeners[1].address" */
	/* As the configuration had them when it was opened. */
	struct config_place place;
	bool is_ipv6_only;
	mode_t mode;
	struct config_text owner;
	struct net_addr addr; /* with the port taken */
	struct listener_unix unix_socket;
	int unix_fd; /* -1: none, or not opened */
	/* Of the process before, while this one starts; NULL: there was none, or it is over. What
	 * is bound beside them does not listen before the workers are opened. */
	struct handover_sockets *inherited;
	bool is_admin;
	bool is_given_away;         /* the next process has it: the unix socket's file stays */
	struct server_tls *tls;     /* NULL: plain */
	struct tls_holder contexts; /* the newest of `tls`, for the workers; of a plain one none */
	/* Of the workers that listen on it, each by every n-th; NULL: it is not opened. */
	struct worker_door *each;
	size_t each_count;
	uint64_t in_use; /* atomic: of each, those that a worker has */
};

struct server_doors {
	struct server_door **items; /* the admin's is the last */
	size_t count;
	struct server_door **leaving; /* taken out, and still with their workers */
	size_t leaving_count;
};

static inline bool server_door_is_unix(const struct server_door *door)
{
	return door->place.unix_path[0] != 0;
}

/* Why it could not be opened: a negative errno. */
void server_door_explain(const struct server_door *door, int error, struct server_error *out_error);

/* What the configuration wants to listen on. */
struct server_door_wanted {
	const struct config_listener *listener; /* but for its TLS */
	const struct config_tls *tls;
	char option[64];
	char tls_path[64]; /* "server.listeners[1].tls", "admin.tls" */
};

#define SERVER_DOORS_MAX 17 /* with the admin's */

struct server_doors_wanted {
	struct config_listener admin;
	struct server_door_wanted items[SERVER_DOORS_MAX]; /* the admin's is the last */
	size_t count;
};

/* `config` lives as long. */
void server_doors_wanted(const struct config *config, struct server_doors_wanted *out_wanted);

/* Nothing is opened. NULL: memory is out. */
struct server_door *server_door_create(const struct config_listener *listener, const char *option);

/* When no worker has it: closes it, and removes its unix socket. NULL is fine; clears the pointer.
 */
void server_door_destroy(struct server_door **door);

/* Of a unix socket: whom it is to be given to. False with *out_error: there is none of that name.
 */
bool server_door_owner(struct server_door *door, struct server_error *out_error);

/* Of the configuration. Nothing is opened. 0, or a negative errno with
 * *out_error: what TLS needs cannot be read. server_doors_finish in either case. */
int server_doors_make(struct server_doors *doors, const struct config *config,
		      struct renewals *renewals, struct server_error *out_error);

/* When no worker runs: ends TLS, and removes unix sockets. Zeroed is fine. */
void server_doors_finish(struct server_doors *doors);

static inline struct server_door *server_doors_admin(const struct server_doors *doors)
{
	return doors->items[doors->count - 1];
}

/* After server_doors_make, in a process that has been started by the one before it: they are to be
 * taken from it. `sockets` outlives the start. */
void server_doors_inherit(struct server_doors *doors, struct handover_sockets *sockets);

/* After server_doors_make: these have their sockets from the service manager (server_activation.h),
 * as many as there will be workers. `sockets` outlives the doors. */
void server_doors_activate(struct server_doors *doors, struct handover_sockets *sockets);

/* Takes it for so many workers: door->each has their descriptors, of those that are inherited
 * perhaps more than one for a worker. `is_first`: as listener_bind has it. 0, or a negative errno
 * with *out_error; server_door_destroy in either case. */
int server_door_take(struct server_door *door, size_t workers, bool is_first,
		     struct server_error *out_error);

/* One more descriptor, or a negative errno with *out_error. */
int server_door_open(struct server_door *door, bool is_first, struct server_error *out_error);

/* By which another process knows it. */
struct handover_place server_door_place(const struct server_door *door);

/* Where it is, with the port taken. */
char *server_door_text(const struct server_door *door, char out[CONFIG_PLACE_TEXT_MAX]);

/* A line about it. */
void server_door_log(const struct server_door *door, const char *message);

/* The first end of a certificate that the configuration names. [s since 1970]; 0: none can be read.
 */
int64_t server_doors_expire_at(const struct config *config);

/* New keys for tickets where it is time. */
void server_doors_tick(struct server_doors *doors, uint64_t now_ns);

/* The same of their TLS alone. */
void server_doors_check_tls(const struct config *config,
			    void (*tell)(void *arg, const struct server_error *error,
					 bool is_warning),
			    void *arg);

/* Whether each could be opened now, and its TLS be made: tells of each that could not, in the words
 * of server_start. `is_warning`: clients will have trouble, or another gateway has it. Those of
 * `sockets` are there; NULL: none. */
void server_doors_check(const struct config *config, const struct handover_sockets *sockets,
			void (*tell)(void *arg, const struct server_error *error, bool is_warning),
			void *arg);
