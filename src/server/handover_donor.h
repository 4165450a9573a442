/* SPDX-License-Identifier: Apache-2.0
 * handover_donor.h - the old process of a handover: starts the new one, gives it what there is, and
 * lets go; or goes on as if nothing had been, whatever the new one does.
 *
 * Layer: server. In the main thread, which it holds until the outcome is known. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/handover.h"
#include "server/handover_channel.h"

struct handover_program;
struct server;

struct handover_donor_options {
	struct server *server;
	const struct handover_program *program;
	uint64_t timeout_ns; /* from the start to the commit */
	int signals;         /* a descriptor; when it is readable: */
	/* Reads it; true: this process is to end, so that there will be no handover. */
	bool (*must_stop)(void *arg);
	/* Once a second. */
	void (*tick)(void *arg);
	/* While all workers stand still: state of whoever made the server, for `take_extra` of the
	 * new process. */
	void (*give_extra)(void *arg, struct buf *out);
	/* The new process is the service from now on. */
	void (*on_commit)(void *arg, pid_t pid);
	void *arg;
};

/* HANDOVER_OUTCOME_DONE: the server's doors are closed, what was handed over has left it, and what
 * comes for it is carried to the new process. Any other: the server serves. */
void handover_give(const struct handover_donor_options *options,
		   struct handover_result *out_result);

/* The last words of a process that has handed over, before server_end. */
void handover_say_end(const struct handover_donor_options *options);
