/* SPDX-License-Identifier: Apache-2.0
 * server_tls.h - the TLS of one listener: its context, made from the configuration, its ticket
 * keys, and both anew when their files change.
 *
 * Layer: server. File access: in the main thread, at start and when something is renewed. Workers
 * take the newest context from `holder` for each client that comes; a client goes on with the one
 * that it came in by. */
#pragma once

#include "config/config.h"
#include "tls/tls_holder.h"

struct renewals;
struct server_tls;
struct tls_ticket_keys;

struct server_tls_error {
	char text[1024]; /* begins with the place in the file, and the key */
};

/* `path`: of the mapping, such as "server.listeners[0].tls"; copied. `config` lives as long.
 * `renewals` takes its files; NULL: nothing is renewed. NULL with *out_error. */
struct server_tls *server_tls_create(const struct config *config, const struct config_tls *tls,
				     const char *path, struct renewals *renewals,
				     struct server_tls_error *out_error);

/* The same for a listener whose TLS is there already: who comes back to it is known by its ticket.
 */
struct server_tls *server_tls_create_after(struct server_tls *older, const struct config *config,
					   const struct config_tls *tls, const char *path,
					   struct renewals *renewals,
					   struct server_tls_error *out_error);

/* From now on its newest context is there too; at its end it leaves the last one behind. */
void server_tls_hold_in(struct server_tls *tls, struct tls_holder *holder);

/* When no thread takes contexts from it any more. NULL is fine; clears the pointer. */
void server_tls_destroy(struct server_tls **tls);

struct tls_holder *server_tls_holder(struct server_tls *tls);

/* Of its certificates the one that ends first. [s] since 1970. From any thread. */
int64_t server_tls_expires_at(struct server_tls *tls);

/* New keys for tickets, if it is time and they are made in the process. In the main thread. */
void server_tls_tick(struct server_tls *tls, uint64_t now_ns);

struct state_reader;
struct state_writer;

/* For the next process, and from the one before: the keys of tickets that are made in the process,
 * so that clients can resume. Those of a file are read there, too. In the main thread. */
void server_tls_export(const struct server_tls *tls, struct state_writer *writer);
void server_tls_import(struct server_tls *tls, struct state_reader *reader);

/* What server_tls_create would say, and what else is wrong with the files or will be soon. `tell`
 * gets the place, the key and the finding in one text. */
void server_tls_check(const struct config *config, const struct config_tls *tls, const char *path,
		      void (*tell)(void *arg, const char *text, bool is_mistake), void *arg);
