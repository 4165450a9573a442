/* SPDX-License-Identifier: Apache-2.0
 * capacity.h - how many connections the descriptors of a gateway hold, by which workers.
 *
 * Layer: diag. The arithmetic of one limit, RLIMIT_NOFILE; the others are in limits.h.
 * Pure functions. */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "io/loop.h"

struct capacity_facts {
	enum loop_engine engine;
	uint64_t cores;
	uint64_t nofile;          /* soft limit, after it was raised */
	uint64_t backend_sockets; /* that back ends and the bus may open: no connections */
	uint64_t listeners;       /* for clients, in each worker; 0 counts as 1 */
};

struct capacity {
	uint64_t workers;
	/* Connections that one worker takes, of its sockets: the rest are for handshakes
	 * and refusals. Only io_uring has a bound per worker. */
	uint64_t worker_connections;
	uint32_t worker_sockets;
	uint64_t nofile_connections; /* that the descriptors allow to all workers together */
};

/* Resolves `workers: auto`: as many as there are cores; with io_uring, where each has a
 * table of its own, as many as max_connections needs. */
struct capacity capacity_plan(const struct config_server *config,
			      const struct capacity_facts *facts);

/* The soft limit with which capacity_plan allows `connections`; 0: none does. */
uint64_t capacity_nofile_for(const struct config_server *config, const struct capacity_facts *facts,
			     uint64_t connections);

/* The workers with which it does; 0: none do, or the engine is one whose workers share
 * the descriptors. */
uint64_t capacity_workers_for(const struct capacity_facts *facts, uint64_t connections);
