/* SPDX-License-Identifier: Apache-2.0
 * server_drain.h - a paced drain of the whole gateway: ordered, changed, cancelled, asked about.
 *
 * Layer: server. From any thread, after server_start. Clients that are left behind it are
 * server_drain's (server.h), which closes all of them at once. */
#pragma once

#include "server/drain.h"

struct server;

struct server_drain_order {
	struct drain_scope scope;
	uint64_t delay_ms, over_ms;
	bool is_ending; /* by SIGTERM: the process ends behind it */
};

/* The answers of drain_begin. */
enum drain_answer server_drain_begin(struct server *server, const struct server_drain_order *order);

/* The answers of drain_cancel. */
enum drain_answer server_drain_cancel(struct server *server);

struct server_drain_report {
	enum drain_state state;
	struct drain_scope scope;
	bool is_ending;
	bool is_counted;      /* else `left` is 0 */
	uint64_t left;        /* clients that are meant and connected */
	uint64_t busy;        /* of them, whose turn has come, and that have something under way */
	uint64_t closed;      /* let go so far */
	uint64_t closed_busy; /* of them, with something under way, when patience was over */
	uint64_t asked_ns;    /* of clock_now_ns; 0: there was none */
	uint64_t begin_ns, end_ns;
	uint64_t eta_ns; /* from now, until the last client is let go */
	uint64_t done_ns;
};

/* What is the case now. A drain that nobody is left for is done by it, which is logged. */
void server_drain_report(const struct server *server, struct server_drain_report *out_report);

struct server_drain_counts {
	uint64_t started, done, cancelled;
};

struct server_drain_counts server_drain_counts(const struct server *server);

/* In the main thread, every second or so: a line in the log now and then. */
void server_drain_tick(struct server *server);
