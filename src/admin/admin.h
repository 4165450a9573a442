/* SPDX-License-Identifier: Apache-2.0
 * admin.h - health, metrics, limits and the API over HTTP.
 *
 * Layer: admin. Answers in the thread of the listener that was asked, from numbers
 * that any thread may read. */
#pragma once

#include <stdio.h>

#include "admin/api/api.h"
#include "server/server.h"

struct history;
struct metrics_before;
struct recent;
struct renewals;
struct upgrades;

struct admin {
	const struct server *server;
	struct api api;
	struct client_scans scans; /* the API's */
	struct upgrades *upgrades;
	struct metrics_before *before; /* what the processes before have counted */
	struct history *history;
	struct recent *recent; /* lags of workers and latencies of back ends, by overview.c */
	uint64_t accept_rate;  /* atomic: connections/s, by limits_monitor */
};

/* /health, /livez and /readyz: for the public listener. `arg` is a struct admin. */
bool admin_answer_health(void *arg, const struct http_request *request, struct http_reply *reply);

/* The same, /metrics, /limits, /console and /api: for the admin listener. */
bool admin_answer(void *arg, const struct http_request *request, struct http_reply *reply);
bool admin_wants_body(void *arg, const struct http_request *request);

/* health.c. What is asked decides what else than "ready" is a 503: whether all is well; whether
 * new clients are served, for balancers; or whether it lives, for whoever would restart it. */
enum health_question { HEALTH_ALL, HEALTH_READY, HEALTH_LIVE };
void health_answer(const struct server *server, enum health_question question,
		   struct http_reply *reply);

/* What /health calls the status, static text, and the sentences why, the caller's reference. */
const char *health_judge(const struct server *server, json_t **out_why);

/* metrics.c: the Prometheus text format, version 0.0.4. */
void metrics_write(const struct admin *admin, struct buf *out);
void metrics_answer(const struct admin *admin, struct http_reply *reply);

/* docs/metrics.md. */
void metrics_print_reference(FILE *to);

/* metrics_backends.c: the part of both that is about back ends. */
void metrics_backends_write(const struct server *server, struct buf *out);
void metrics_backends_print_reference(FILE *to);

/* metrics_routes.c: likewise, about each route. */
void metrics_routes_write(const struct server *server, struct buf *out);
/* What the page has of many routes in sum alone, for the process that takes over: the overview
 * tells it of each. */
void metrics_routes_write_rest(const struct admin *admin, struct buf *out);
/* What routes counted that were taken out before this process took over, or by that, is told on:
 * `page` is the one that `before` was given. */
void metrics_routes_keep(const struct server *server, struct metrics_before *before,
			 struct slice page);
void metrics_routes_print_reference(FILE *to);
void metrics_routes_print_failures(FILE *to);

/* metrics_listeners.c: likewise, about each listener. */
void metrics_listeners_write(const struct server *server, struct buf *out);
void metrics_listeners_print_reference(FILE *to);

/* metrics_auth.c: likewise, about who proved what. */
void metrics_auth_write(const struct admin *admin, struct buf *out);
void metrics_auth_print_reference(FILE *to);

/* metrics_drain.c: likewise, about drains, and loops that hang. */
void metrics_drain_write(const struct server *server, struct buf *out);
void metrics_drain_print_reference(FILE *to);

/* metrics_workers.c: likewise, about each worker. */
void metrics_workers_write(const struct server *server, struct buf *out);
void metrics_workers_print_reference(FILE *to);

/* metrics_fleet.c: likewise, about commands to clients. */
void metrics_fleet_write(const struct server *server, struct buf *out);
void metrics_fleet_print_reference(FILE *to);

/* metrics_calls.c */
void metrics_calls_write(const struct server *server, struct buf *out);
void metrics_calls_print_reference(FILE *to);

/* metrics_proofs.c: likewise, about keys of tokens, and tickets. */
void metrics_proofs_write(const struct server *server, struct buf *out);
void metrics_proofs_print_reference(FILE *to);

/* metrics_bus.c: likewise. */
void metrics_bus_write(struct bus *bus, struct buf *out);
void metrics_bus_print_reference(FILE *to);

/* metrics_tls.c: likewise. */
void metrics_tls_write(const struct server *server, struct buf *out);
void metrics_tls_print_reference(FILE *to);

/* metrics_reload.c: likewise, about the configuration. */
void metrics_reload_write(const struct server *server, struct buf *out);
void metrics_tracing_write(const struct server *server, struct buf *out);
void metrics_access_write(const struct server *server, struct buf *out);
void metrics_reload_print_reference(FILE *to);
void metrics_tracing_print_reference(FILE *to);
void metrics_access_print_reference(FILE *to);

/* metrics_renewals.c: likewise, about files that are read again. */
void metrics_renewals_write(struct renewals *renewals, struct buf *out);
void metrics_renewals_print_reference(FILE *to);

/* metrics_streams.c: likewise, about event streams of the API. */
void metrics_streams_write(const struct admin *admin, struct buf *out);
void metrics_streams_print_reference(FILE *to);

/* metrics_upgrades.c: likewise, about new processes that take over. */
void metrics_upgrades_write(struct upgrades *upgrades, struct buf *out);
void metrics_upgrades_print_reference(FILE *to);
void metrics_upgrades_print_outcomes(FILE *to);

/* limits.c: the limits table as JSON. `query` may be "connections=N": with remedies for so
 * many. */
void limits_answer(const struct admin *admin, struct slice query, struct http_reply *reply);
