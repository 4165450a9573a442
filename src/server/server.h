/* SPDX-License-Identifier: Apache-2.0
 * server.h - the gateway: its workers, its admin listener, its life.
 *
 * Layer: server. server_create, _start, _drain, _abort, _wait and _destroy belong to
 * one thread; the questions may be asked by any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "diag/plan.h"
#include "fleet/fleet.h"
#include "route/backends.h"
#include "http/http_handler.h"
#include "conn/stats.h"

struct directory;
struct handover_heir;
struct handover_sockets;
struct listener_stats;
struct renewals;
struct server;
struct trace_stats;
struct worker;

struct server_options {
	/* The first; its reference is the server's from server_create on, also on failure. NULL
	 * once the server has started. */
	struct ruleset *ruleset;
	/* Of the start, that fits; outlives the server. What is in force of it may be another by
	 * now: server_max_connections, payload_max. */
	const struct plan *plan;
	/* Takes what is to be read again when its files change; outlives the server. */
	struct renewals *renewals;
	/* What it has of the process before; outlives the start. Then it accepts nobody before
	 * server_open (server_handover.h). NULL: there is no process before. */
	struct handover_heir *heir;
	/* Those that the service manager has opened; NULL: none. Outlives the server. */
	struct handover_sockets *activated;
};

enum server_status { SERVER_STARTING, SERVER_READY, SERVER_DRAINING };

/* What could not be done at start, in the user's words. */
struct server_error {
	char text[2048];
	bool is_other_gateway; /* a port that is wanted is another gateway's */
};

/* NULL if memory is out. */
struct server *server_create(const struct server_options *options);

/* Binds all listeners, starts the admin thread and the workers, and waits until every
 * worker accepts. `public_http` answers what is no route on the public listener,
 * `admin_http` everything on the admin's. Returns 0, or -1 with *out_error; then the
 * only call left is server_destroy. */
int server_start(struct server *server, const struct http_handler *public_http,
		 const struct http_handler *admin_http, struct server_error *out_error);

/* It is about to end, and not ready any more; but clients are let in yet, until server_drain. */
void server_announce_drain(struct server *server);

/* Stops accepting and closes every connection with 1001; at a pace, before that:
 * server_drain.h. */
void server_drain(struct server *server);

/* After server_drain: cuts what is left. */
void server_abort(struct server *server);

/* Readable (an eventfd) once every worker has ended after server_drain. */
int server_ended_fd(const struct server *server);

/* Every two seconds or so, from one thread: when a storm of clients is over, payload_trim is to
 * give back what malloc has kept of it. */
void server_look_for_storm(struct server *server);

/* Waits for the workers and the admin thread to end, and closes the bus; server_drain comes
 * first, if server_start was good. Only its back ends, with what they have counted, can be asked
 * for afterwards. */
void server_end(struct server *server);

/* Ends it, if it has not ended. NULL is fine. */
void server_destroy(struct server **server);

/* From any thread: the workers, without the admin's. NULL: it has not started. */
size_t server_worker_count(const struct server *server);
struct worker *server_worker(struct server *server, size_t index);

/* In the main thread, now and then: those that the process makes get old. */
void server_renew_ticket_keys(struct server *server, uint64_t now_ns);

/* --- questions, from any thread --- */

struct tls_stats;

/* Of all workers and the admin's. */
void server_tls_stats(const struct server *server, struct tls_stats *out_sum);

/* Of the listeners that clients come by, or came, the index-th, over all workers; false: there are
 * no more. The last may have an empty name: of those beyond LISTENER_PLACES, and of connections
 * that an older program brought. */
bool server_listener(const struct server *server, size_t index, char *out_name, size_t size,
		     struct listener_stats *out_stats);

/* Of the listeners that speak TLS, the index-th; false: there are no more. `out_listener` is its
 * address, `out_expires_at` [s since 1970] when the first of its certificates ends. */
bool server_certificate(const struct server *server, size_t index, char *out_listener, size_t size,
			int64_t *out_expires_at);

/* The first of all that end; 0: no listener speaks TLS. */
int64_t server_certificates_expire_at(const struct server *server);

/* How long what is ready waited in this worker, in buckets of durations_short_us, and the CPU
 * time of its thread. False: it has not started. */
bool server_worker_load(const struct server *server, size_t index, struct durations *out_lags,
			uint64_t *out_busy_ns);

/* After server_start. */
struct auth_world server_auth(const struct server *server);
struct backends *server_backends(const struct server *server);
struct route_loads *server_route_loads(const struct server *server);

/* The rules in force, with a reference that is the caller's. Thread-safe. */
struct ruleset *server_ruleset(const struct server *server);

/* Rulesets in memory: the one in force, and those by which clients that are there came in. */
uint64_t server_rulesets(const struct server *server);
struct fleet *server_fleet(const struct server *server);

/* Of the access log: lines, and those that it does not have, since there were too many, the disk
 * was too slow, or it was full. */
struct access_stats {
	uint64_t written, dropped_rate, dropped_queue, dropped_disk;
};
void server_access_stats(const struct server *server, struct access_stats *out_stats);

/* Of its spans. */
const struct trace_stats *server_trace_stats(const struct server *server);

/* Once it has started: the keys of tokens, and the tickets. Thread-safe both. */
struct jwks_pool *server_jwks(const struct server *server);
bool server_has_keys(const struct server *server); /* from all sources of them */
struct tickets *server_tickets(const struct server *server);
uint64_t server_undelivered_bytes(const struct server *server); /* that wait for the broker */
bool server_is_bus_connected(const struct server *server);

/* Who is kept out. The road is for the admin listener's thread. */
struct block_road *server_block_road(struct server *server);
struct blocks_stats;
void server_blocks_stats(const struct server *server, struct blocks_stats *out_stats);

/* For look-ups and lists; lives as long as the server. */
struct directory *server_directory(const struct server *server);

enum server_status server_status(const struct server *server);
const char *server_status_name(enum server_status status); /* "ready"; static text */
void server_stats(const struct server *server, struct stats *out_sum);
/* Of one worker. False: it has not started. */
bool server_worker_stats(const struct server *server, size_t index, struct stats *out_stats);
/* In force. */
uint64_t server_max_connections(const struct server *server);
uint64_t server_connections(const struct server *server);
uint64_t server_clients(const struct server *server); /* in the directory */
/* Requests to the admin listener that hold one of admin.max_calls; those that found none
 * left. */
void server_admin_calls(const struct server *server, uint64_t *out_calls, uint64_t *out_refused);
uint64_t server_admin_sockets(const struct server *server); /* of its connections */
uint64_t server_workers_listening(const struct server *server);
const struct server_options *server_options(const struct server *server);
/* HTTP connections on the public listener that are kept, and may be. */
void server_kept(const struct server *server, uint64_t *out_kept, uint64_t *out_max);
/* [bytes] of compression_memory. */
uint64_t server_windows_used(const struct server *server);
/* Refused clients that wait to be told why. */
uint64_t server_refused_browsers(const struct server *server);
/* Sockets of the worker that has most of them. */
uint64_t server_fullest_worker(const struct server *server);
/* Connections of the address that has most; 0 if addresses have no limit. */
uint64_t server_fullest_address(const struct server *server);
/* The name of the limit that refuses when the gateway is full. */
const char *server_binding_limit(const struct server *server);
const char *server_node(const struct server *server);    /* this host's name */
uint64_t server_started_ns(const struct server *server); /* clock_now_ns of the start */
