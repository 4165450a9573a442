/* SPDX-License-Identifier: Apache-2.0
 * server_tracing.h - traces, as the configuration has them: the process's one tracer.
 *
 * Layer: server. In the main thread, but for what the tracer does itself. */
#pragma once

#include "trace/tracer.h"

struct config;
struct ruleset;
struct server;
struct server_error;

struct server_tracing {
	struct tracer *tracer; /* from server_create on, until all workers have ended */
	/* Whose files are looked at; NULL: none. */
	const struct ruleset *watched;
};

/* What is wrong with the section `tracing` and its files. 0, or -1 with *out_error. */
int server_tracing_check(const struct config *config, struct server_error *out_error);

/* All that can fail of these. 0, or -1 with *out_error. */
int server_tracing_prepare(struct server *server, const struct config *config,
			   struct tracer_change **out_change, struct server_error *out_error);

/* They are in force. Clears the pointer. */
void server_tracing_commit(struct server *server, const struct ruleset *ruleset,
			   struct tracer_change **change);

/* Of the start. 0, or -1 with *out_error. */
int server_tracing_open(struct server *server, struct server_error *out_error);

/* No worker is left: what waits is sent, for a while. */
void server_tracing_close(struct server *server);
