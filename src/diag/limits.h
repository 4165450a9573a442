/* SPDX-License-Identifier: Apache-2.0
 * limits.h - the limits table: what caps connections, by how much, and how to raise it.
 *
 * Layer: diag. Pure functions over facts that the caller has read (os/os_limits.h),
 * so that a table can be made of any process, of a made-up machine, and again and
 * again while the gateway runs. Thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"
#include "diag/limit_table.h"
#include "io/loop.h"
#include "os/os_limits.h"

/* Where the range of server.max_connections ends. */
#define CONFIG_CONNECTIONS_MAX UINT64_C(16000000)

/* It does not cap connections, or nobody knows how many. */
#define LIMIT_NO_CAP UINT64_MAX

enum limit_state {
	LIMIT_KNOWN,
	LIMIT_UNLIMITED, /* there is such a limit, but it is not set */
	LIMIT_UNKNOWN,   /* it could not be read: the note says why */
	LIMIT_OFF,       /* it does not apply here: the note says why */
};

struct limit {
	enum limit_id id;
	enum limit_state state;
	uint64_t value; /* LIMIT_KNOWN: in the unit of the table */
	bool has_used;
	uint64_t used;        /* in the same unit */
	uint64_t connections; /* that it allows in all, those of now included; or LIMIT_NO_CAP */
	char source[256];     /* where it was read */
	char set_by[256];     /* of an option: what set it, as of config_set_by(); else "" */
	char cost[96];        /* what one connection takes of it, e.g. "1 descriptor", "6144 bytes
			       * (assumed)"; "" if it does not cap */
	char note[512];       /* why it is unknown or off, or what else to know; "" if nothing */
};

/* What a connection costs in memory, kernel and user together. */
struct limit_cost {
	uint64_t bytes;
	bool is_measured;
};

/* Bytes that a connection is reckoned with until it can be measured: 4.5 KiB of the
 * kernel, 0.25 of ours, and room for traffic. */
#define LIMIT_COST_ASSUMED_BYTES 6144

/* Connections from which on a measurement means something. */
#define LIMIT_COST_MIN_CONNECTIONS 1000

/* Cost per connection from two readings: `before` with none, `now` with `connections`
 * of them. The kernel's share is taken over all TCP sockets of the machine, since slab
 * memory is. Assumed, if there are too few, if a fact is missing or if the outcome is
 * not believable (under 1 KiB or over 256 KiB). */
struct limit_cost limit_cost_measure(const struct os_limits *before, const struct os_limits *now,
				     uint64_t connections);

/* [bytes] What `payload_memory: auto` is: a quarter of the memory that is free, or half of what
 * `promised` connections would leave of it, if that is less. */
uint64_t limit_payload_share(const struct os_limits *os, const struct limit_cost *cost,
			     uint64_t promised);

/* What the table is made from. */
struct limits_input {
	const struct os_limits *os;
	const struct config *config; /* NULL: no gateway of ours; its rows are off */
	enum loop_engine engine;     /* that runs or would run; EPOLL for foreign programs */
	const char *engine_reason;   /* of loop_engine_choose; NULL for foreign programs */
	bool can_io_uring;           /* it works here, whether or not it is used */
	uint64_t cores;
	/* Of diag/capacity.h. For foreign programs: workers = 0, and nofile_connections is the
	 * soft limit less the descriptors that are no sockets. */
	uint64_t workers;
	uint64_t nofile_connections; /* that the descriptors allow */
	bool is_running;             /* the workers' threads exist, and are counted as used */
	uint64_t max_connections;    /* in effect; 0: not known yet (`auto` while planning) */
	uint64_t connections;        /* held now */
	uint64_t fullest_ring;       /* io_uring: sockets in the fullest worker now */
	uint64_t accept_rate_now;    /* connections in the last second */
	uint64_t fullest_ip;         /* connections of the address that has most */
	/* The route with the largest share of its own max_connections; NULL: none is running. */
	const struct config_route *fullest_route;
	uint64_t route_connections;
	uint64_t kept_max;         /* HTTP connections that may be kept, in effect */
	uint64_t kept;             /* that are */
	uint64_t refused_browsers; /* refused clients that wait to be told why */
	uint64_t windows_used;     /* [bytes] of compression_memory */
	uint64_t rate_held;        /* clients not read now, because they send too much */
	/* The back end for which most waits, of its pending_max; NULL: none is running. */
	const struct config_backend *fullest_backend;
	uint64_t backend_pending;   /* [bytes] for it */
	uint64_t auth_failures;     /* the most of one address or name */
	uint64_t tickets;           /* that wait to be used */
	uint64_t blocks;            /* that keep somebody out */
	uint64_t streams;           /* that are open */
	uint64_t passwords_waiting; /* to be checked */
	uint64_t payload_max;       /* [bytes] in effect; 0: no gateway of ours */
	uint64_t payload_used;      /* [bytes] of it */
	struct limit_cost cost;
	uint64_t tls_shaking, tls_waiting; /* handshakes */
	/* [s since 1970] Of the certificate of a listener that ends first; 0: there is none. */
	int64_t certificate_expires_at;
	int64_t wall_s; /* when that was looked at */
};

struct limits {
	bool is_auto;                        /* max_connections was taken from the other limits */
	struct limit rows[LIMIT_ID_COUNT];   /* by id */
	enum limit_id order[LIMIT_ID_COUNT]; /* ids, the binding limit first: those that cap by
					      * the connections they allow, then the others in
					      * the order of the table */
};

void limits_build(const struct limits_input *input, struct limits *out_limits);

/* Makes the order of rows that are filled. */
void limits_sort(struct limits *limits);

/* The row that allows fewest connections, and the one after it. With `max_connections:
 * auto` max_connections itself is not the binding one: what it was taken from is.
 * NULL: nothing caps them. */
const struct limit *limits_binding(const struct limits *limits);
const struct limit *limits_next(const struct limits *limits);

/* The least that the limits other than max_connections allow. */
uint64_t limits_allowed(const struct limits *limits);

/* What set it, else where it was read. */
const char *limit_origin(const struct limit *limit);

/* Share of it that is used, in percent; 0 if that is not known. */
unsigned limit_percent(const struct limit *limit);

/* --- names --- */

const char *limit_label(enum limit_id id);
const char *limit_unit(enum limit_id id);
enum limit_kind limit_kind(enum limit_id id);
const char *limit_scope_name(enum limit_id id); /* "gateway", "process", ... */
const char *limit_kind_name(enum limit_id id);  /* "caps", "paces", "counts", "states" */
const char *limit_state_name(enum limit_state state);

/* The table of docs/limits.md. */
void limits_print_reference(FILE *to);

/* --- how to raise it --- */

#define LIMIT_WHY_MAX 160
struct limit_remedy {
	const char *place;       /* "configuration", "shell", "systemd", "compose", "docker",
				  * "kubernetes", "sysctl", "machine" */
	char text[256];          /* ready to paste, with the value that `connections` need */
	char why[LIMIT_WHY_MAX]; /* how it helps, if that is not plain; or "" */
};
#define LIMIT_REMEDIES_MAX 8

/* What to do so that `connections` can be held (for kinds that do not cap: so that the
 * limit is twice what it is). Returns how many of out[] were filled; 0: nothing can
 * raise it, or nothing needs to, because the row allows that many. */
size_t limit_remedies(const struct limits_input *input, const struct limit *limit,
		      uint64_t connections, struct limit_remedy out[LIMIT_REMEDIES_MAX]);

/* All of them in one line, for log and refusals: "systemd: LimitNOFILE=20112; shell: ..." */
#define LIMIT_REMEDY_LINE_MAX 512
char *limit_remedy_line(const struct limits_input *input, const struct limit *limit,
			uint64_t connections, char out[LIMIT_REMEDY_LINE_MAX]);
