/* SPDX-License-Identifier: Apache-2.0
 * tickets.h - tickets that were made and not yet used: a table of bounded size.
 *
 * Layer: auth. Any thread; a lock is held for a look-up. A ticket is known to the node that made
 * it, and that alone takes it, once: whoever is shown a ticket of another node asks that one. So
 * "once" holds in the whole cluster, and a ticket is worth nothing when its node has gone.
 *
 * A ticket is "ORIGIN.HANDLE": the origin names the process that made it; the handle is a number,
 * by which it is found, and 192 random bits, which are compared in constant time. The table
 * keeps a SHA-256 of these only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/state.h"

struct tickets;

#define TICKET_ORIGIN_MAX 32
#define TICKET_HANDLE_LEN 43 /* 8 + 24 bytes in base64url */
#define TICKET_TEXT_MAX   (TICKET_ORIGIN_MAX + 1 + TICKET_HANDLE_LEN)

/* What a ticket is good for. */
struct ticket_facts {
	const char *route;
	const char *client_id;
	const char *groups;      /* to join, with commas between; NULL: none */
	const char *subprotocol; /* to be spoken; NULL: by the route's rules */
};

/* `origin` is this process's name, of letters and digits. At most `max` wait at a time. NULL:
 * memory is out. */
struct tickets *tickets_create(const char *origin, size_t max);

/* From any thread. Tickets that wait stay good, also if they are more. Without memory for it more
 * of them take longer to be found. */
void tickets_set_max(struct tickets *tickets, size_t max);

/* NULL in it is fine. */
void tickets_destroy(struct tickets **tickets);

/* Writes a new ticket, good until `ttl_ms` from now. 0; -ENOSPC: as many wait as may; -ENOMEM;
 * -EXDEV: another process has them, or is about to. */
int tickets_make(struct tickets *tickets, const struct ticket_facts *facts, uint64_t ttl_ms,
		 char out_text[TICKET_TEXT_MAX + 1]);

enum ticket_result {
	TICKET_TAKEN,   /* it was good, and is gone now */
	TICKET_UNKNOWN, /* used, over, or never made here */
	TICKET_ROUTE,   /* it was for another route, and is gone now */
	TICKET_FOREIGN, /* it is another node's */
	TICKET_MOVED,   /* another process has it, or is about to, if it is good */
};

/* Frees what tickets_take gave. */
struct ticket {
	char *client_id;
	char *groups, *subprotocol; /* NULL: none */
};
void ticket_finish(struct ticket *ticket);

/* Takes it, for a client on `route`. *out_ticket is written with TICKET_TAKEN. */
enum ticket_result tickets_take(struct tickets *tickets, struct slice text, const char *route,
				struct ticket *out_ticket);

/* Of a text that looks like a ticket: who made it. False: it does not look like one. */
bool ticket_origin(struct slice text, struct slice *out_origin);

struct tickets_stats {
	uint64_t waiting, max;
	uint64_t made, taken, expired; /* only rise */
	uint64_t refused;              /* to be made: the table was full */
	uint64_t unknown;              /* shown, and not there */
};
void tickets_stats(struct tickets *tickets, struct tickets_stats *out_stats);

/* --- from one process to the next of the same origin --- */

/* Those that wait, as fields; nothing of it lets anybody in, since a ticket's secret is not kept.
 * From now on none is made here, which would be lost, and none taken, which would be so twice. */
void tickets_export(struct tickets *tickets, struct state_writer *writer);

/* Into a table that has made none. They keep their numbers and the rest of their time, and none is
 * refused for `max`. 0; -ENOMEM; -EBADMSG; -ENOTSUP: only a newer program could have written that.
 * If it fails, the table is empty. */
int tickets_import(struct tickets *tickets, struct state_reader *reader);

/* They are, again: nothing came of it. */
void tickets_take_back(struct tickets *tickets);

/* The other process has them. */
void tickets_forget(struct tickets *tickets);
