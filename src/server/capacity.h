/* SPDX-License-Identifier: Apache-2.0
 * capacity.h - how many connections this process can hold, and what says so.
 *
 * Layer: server. Worked out once at start, from the configuration and the machine. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "io/loop.h"

/* What the plan is made from. */
struct capacity_facts {
	enum loop_engine engine;
	uint64_t cores;
	uint64_t nofile;           /* soft limit, after it was raised */
	uint64_t file_max;         /* fs.file-max; UINT64_MAX: unknown */
	uint64_t memory_available; /* [bytes] UINT64_MAX: unknown */
};

enum capacity_limit { CAPACITY_NOFILE, CAPACITY_FILE_MAX, CAPACITY_MEMORY, CAPACITY_LIMITS };

struct capacity_row {
	const char *limit;    /* its name */
	uint64_t value;       /* as the machine states it */
	uint64_t connections; /* that it allows */
	const char *remedy;   /* how to raise it */
};

struct capacity {
	uint64_t max_connections;
	uint64_t workers;
	/* Connections that one worker takes, of its sockets: the rest are for handshakes
	 * and refusals. Only io_uring has a bound per worker. */
	uint64_t worker_connections;
	uint32_t worker_sockets;
	struct capacity_row rows[CAPACITY_LIMITS];
	enum capacity_limit binding; /* the row that allows fewest */
};

/* Bytes of memory that a connection is reckoned with: 4.5 KiB of the kernel, 0.25 of
 * ours, and room for traffic. */
#define CAPACITY_BYTES_PER_CONNECTION 6144

struct capacity_facts capacity_facts_read(enum loop_engine engine);

/* Fills *out_plan with workers and max_connections resolved. False if the configured
 * max_connections cannot be held: then max_connections holds what was asked for and
 * rows[binding] says which limit is in the way. */
bool capacity_plan(const struct config_server *config, const struct capacity_facts *facts,
		   struct capacity *out_plan);
