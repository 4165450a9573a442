/* SPDX-License-Identifier: Apache-2.0
 * handover_heir.h - the new process of a handover: takes what the old one gives, and touches
 * nothing of it before that has let go.
 *
 * Layer: server. In the main thread, at the start. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "server/handover.h"
#include "server/handover_channel.h"
#include "server/handover_sockets.h"

struct server;

struct handover_heir {
	struct handover_channel channel;
	struct handover_sockets sockets;
	pid_t donor;
	char donor_version[32];
	uint64_t deadline_ns; /* then the old one gives up */
	uint64_t last_id;     /* the highest connection_id there */
	char origin[33];      /* of the old one's fleet */
	uint64_t bus_epoch;   /* of its bus: bus_family_epoch */
	char run_id[64];      /* what ids of its events begin with */
	bool donor_has_bus;   /* the old one is connected to its broker */
	bool donor_has_keys;  /* the old one has keys for all its tokens */
	uint64_t moved;       /* connections */
};

struct handover_error {
	char text[512];
};

enum handover_begun {
	HANDOVER_NOBODY, /* nobody has started this process for a handover */
	HANDOVER_BEGUN,
	HANDOVER_BAD, /* somebody says so who is not the process before; *out_error */
};

/* Takes the variable out of the environment. */
enum handover_begun handover_heir_begin(struct handover_heir *heir,
					struct handover_error *out_error);

/* Says hello and takes the listening sockets. False: *out_error. */
bool handover_heir_greet(struct handover_heir *heir, struct handover_error *out_error);

/* Why this process cannot take over; it is to end. */
void handover_heir_refuse(struct handover_heir *heir, enum handover_outcome outcome,
			  const char *why);

/* The server has started and stands still: takes everything, and returns when the old process has
 * let go; server_open is the next. `take_extra` gets what give_extra of the old one wrote. False
 * with *out_error: nothing has been touched, and this process is to end by _exit. */
bool handover_heir_take(struct handover_heir *heir, struct server *server,
			void (*take_extra)(void *arg, struct slice extra), void *arg,
			struct handover_error *out_error);

/* Of the last words of the old process. */
void handover_heir_take_last(struct slice body, void (*take_extra)(void *arg, struct slice extra),
			     void *arg);

/* Closes what was not taken. */
void handover_heir_finish(struct handover_heir *heir);
