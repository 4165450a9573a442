/* SPDX-License-Identifier: Apache-2.0
 * serve_upgrade.h - serve's part in a live upgrade: handing over to a new process, and taking over
 * from the one before.
 *
 * Layer: cmd. In the main thread. docs/upgrade.md says what it is for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "admin/admin.h"
#include "server/handover_donor.h"
#include "server/handover_heir.h"
#include "server/handover_program.h"

struct serve_tick;

struct serve_upgrade {
	struct handover_program program;
	int program_error;         /* 0 or a negative errno */
	struct handover_heir heir; /* what this process has of the one before */
	bool is_heir;              /* it did */
	bool has_predecessor;      /* that process had not ended yet when it was looked last */
	struct upgrades *upgrades;
	struct metrics_before *before;
	struct history *history;
	struct recent *recent;
	struct server *server;
	struct admin *admin;
	struct serve_tick *tick; /* once the server serves */
	int signals;
	int stop_signal; /* came meanwhile; 0: none */
	bool has_reload; /* SIGHUP came meanwhile */
	struct handover_result result;
};

/* First of all. False: this process is to end with *out_code, and it is said why. */
bool serve_upgrade_begin(struct serve_upgrade *upgrade, int *out_code);
void serve_upgrade_finish(struct serve_upgrade *upgrade);

/* Of a process that was started for a handover: hello, and the listening sockets. Without a process
 * before nothing is done. False: it is said why. */
bool serve_upgrade_greet(struct serve_upgrade *upgrade);

/* NULL: there is no process before. */
struct handover_sockets *serve_upgrade_sockets(struct serve_upgrade *upgrade);

/* This process cannot start; the log says why. */
void serve_upgrade_refuse(struct serve_upgrade *upgrade, enum handover_outcome outcome,
			  const char *why);

/* The server is there. `admin` outlives all that follows. */
void serve_upgrade_know(struct serve_upgrade *upgrade, struct admin *admin, int signals);

/* The server has started: takes over, and opens it. Does not return if that fails. */
void serve_upgrade_take(struct serve_upgrade *upgrade);

/* Now and then: hears what the process before says while it ends. */
void serve_upgrade_look(struct serve_upgrade *upgrade);

/* SIGUSR2. True: another process has taken over, and this one is to end when its last connections
 * have gone. False: it serves on, or, with stop_signal, is to end as after that. */
bool serve_upgrade_run(struct serve_upgrade *upgrade);

/* No upgrade any more: this process ends, or has handed over. */
void serve_upgrade_close(struct serve_upgrade *upgrade);

/* After that: serves those that could not be handed over, until the last has gone, drain_timeout
 * has passed or a signal asks to end; tells the new process what it has counted, and ends the
 * server. The exit code. */
int serve_upgrade_see_out(struct serve_upgrade *upgrade);
