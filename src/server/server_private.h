/* SPDX-License-Identifier: Apache-2.0
 * server_private.h - what a server consists of, for the files that make it up. */
#pragma once

#include <pthread.h>

#include "auth/auth_type.h"
#include "auth/hasher.h"
#include "conn/address_limit.h"
#include "conn/admission.h"
#include "fleet/actions/action_table.h"
#include "route/route.h"
#include "server/block_road.h"
#include "server/broadcast_gate.h"
#include "server/drain.h"
#include "server/reload.h"
#include "server/server_backends.h"
#include "server/server_access.h"
#include "server/server_addresses.h"
#include "server/server_doors.h"
#include "server/server_listeners.h"
#include "server/server_nodes.h"
#include "server/server_proofs.h"
#include "server/server_tracing.h"
#include "server/worker.h"

/* Of server_turns.c: what a loop is asked, to see whether it turns. */
struct beat {
	struct loop_task task;
	uint64_t asked_ns; /* counter; of clock_now_ns; 0: it has answered */
	bool is_hanging;   /* so the log says */
};

/* One worker and what the server knows of it; guarded by server->mutex. */
struct slot {
	struct server *server;
	struct worker *worker;
	int error;
	bool has_started;      /* its loop runs, or has run */
	uint64_t rules_number; /* of those that it has changed over to; 0: those of the start */
	struct loop_task addresses_task;
	bool is_listening;
	bool has_ended;
	struct beat beat;
};

/* Of server_storm.c: sockets that came or went, in all, and when it was last looked at. */
struct server_storm {
	uint64_t trimmed; /* when malloc was last trimmed */
	uint64_t ticked;
	unsigned rest_ticks; /* in a row, in which next to nothing happened */
};

/* True: a storm is over. */
bool server_storm_tick(struct server_storm *storm, uint64_t accepted, uint64_t sockets);

struct server {
	struct server_options options;
	struct ruleset *ruleset; /* in force; its pointer is guarded by the mutex */
	struct ruleset_bin bin;
	struct backends *backends;
	struct backend_watches backend_watches; /* of the rules in force */
	struct route_loads *loads;
	struct reload_stats reloads;
	struct admission admission;
	struct server_addresses addresses;
	struct directory *directory;
	struct auth_world auth; /* server_auth.c */
	struct server_proofs proofs;
	struct server_tracing tracing;
	struct access_log access;            /* server_access.c */
	struct log_file_stats access_before; /* of files that it had; under its mutex */
	struct fleet fleet;
	struct command_stats command_stats; /* the fleet's */
	struct rpc_stats rpc_stats;         /* likewise */
	struct action_stats action_stats;   /* likewise */
	struct server_nodes nodes;
	struct blocks *blocks;
	struct block_road block_road;
	struct handover_carrier *carrier;              /* of the road; NULL: there was none yet */
	void (*on_last)(void *arg, struct slice body); /* of the process before */
	void *on_last_arg;
	struct broadcast_gate broadcasts;
	struct server_road *road; /* NULL: there is no other process; server_road.c */
	struct server_doors doors;
	struct server_listeners listeners;
	struct server_storm storm;
	struct drain drain;
	uint64_t turns_limit_ns; /* counter; a loop that has not turned for so long hangs */
	uint64_t drain_log_ns;   /* main's: the next line about it in the log */
	struct service public_service;
	struct service admin_service;
	struct slot *slots; /* the workers', and behind them the admin's */
	size_t worker_count;
	uint64_t started_ns;
	uint64_t listening; /* atomic; workers, without the admin's */
	bool is_draining;   /* atomic */
	bool has_drained;   /* main's: by server_drain */
	bool has_retired;   /* atomic: another process has its doors */
	uint64_t running;   /* workers whose loop runs, without the admin's; by the mutex */
	int ended_fd;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
};

/* *out_error is this, and nothing else; -1. */
int server_fail(struct server_error *out_error, const char *text);

/* server_auth.c: what the ways of all routes share. 0, or -1 with *out_error. */
int server_auth_open(struct server *server, struct server_error *out_error);

/* The ways of the ruleset's routes, which nobody else has yet, become a part of it, and their files
 * are looked at from now on. 0, or -1 with *out_error. */
int server_auth_make(struct server *server, struct ruleset *ruleset,
		     struct server_error *out_error);

/* Its files are not looked at any more. */
void server_auth_unmake(struct server *server, struct ruleset *ruleset);

/* Before others have the newer one: it goes on counting where the older one does. */
void server_auth_continue(const struct ruleset *ruleset, const struct ruleset *older);

/* The workers' threads have ended, and their mailboxes are there yet. */
void server_auth_end(struct server *server);

/* server_start.c: for the log, what it listens on. */
void server_tell_listening(const struct server *server);

/* server_handover.c: what must be as in the process before, before anything is opened. 0, or -1
 * with *out_error. */
int server_inherit(struct server *server, struct server_error *out_error);
