/* SPDX-License-Identifier: Apache-2.0
 * tail.h - messages of one client, or of all clients of a route, as they pass.
 *
 * Layer: admin. Each worker has a share, which looks in the worker's thread at what passes there
 * (conn/tap.h): whether it is meant, then whether it is among the first so many of this second, and
 * only then is it redacted, cut, copied and posted to the thread that began the tail. What is left
 * out is counted. Nothing blocks, nothing grows: so many items are on their way at most, each of at
 * most TAIL_BODY_MAX bytes. Clients that come later are watched too. */
#pragma once

#include "admin/stream/tail_rules.h"
#include "conn/tap.h"
#include "server/server.h"

#define TAIL_SAMPLE_MAX 1000 /* messages/s */
#define TAIL_BODY_MAX   4096 /* [bytes] of each */

struct tail;

struct tail_options {
	const char *route;     /* its name, whether or not there is one; copied */
	const char *client_id; /* "": all; copied */
	uint64_t sample;       /* messages/s, of all workers together */
	size_t body_bytes;     /* of each that are shown; the rest is cut */
	struct tail_rules rules;
};

/* What has passed; `presence` is of the client. */
struct tail_item {
	struct loop_task task;
	struct tail *tail;
	struct presence *presence; /* a reference */
	uint64_t at_ms;            /* since the epoch */
	size_t bytes;              /* of the whole */
	size_t len;                /* [bytes] of `body` */
	size_t hidden;             /* values that are redacted */
	enum conn_tap_kind kind;
	enum tail_withheld withheld;
	uint16_t code; /* CLOSE */
	bool is_out;
	bool is_cut;
	uint8_t body[];
};

/* In the thread of `loop`, which outlives all workers; there `told` is called, with an item that is
 * lent, until tail_stop. NULL: memory is out. */
struct tail *tail_start(struct server *server, struct loop *loop,
			const struct tail_options *options,
			void (*told)(void *arg, const struct tail_item *item), void *arg);

/* NULL is fine. */
void tail_stop(struct tail **tail);

/* From any thread: what was meant and not told, so far. */
uint64_t tail_left_out(const struct tail *tail);

const struct tail_options *tail_options(const struct tail *tail);
