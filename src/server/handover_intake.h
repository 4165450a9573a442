/* SPDX-License-Identifier: Apache-2.0
 * handover_intake.h - connections that come from the process before, into the workers of this one.
 *
 * Layer: server. The main thread gives, the workers take, each in its thread. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/state.h"

struct handover_intake;
struct handover_message;
struct portion;
struct server;
struct worker;

/* NULL: memory is out. */
struct handover_intake *handover_intake_create(struct server *server);
/* After handover_intake_wait. NULL is fine. */
void handover_intake_destroy(struct handover_intake **intake);

/* A message of the kind HANDOVER_CONNS, whose content it takes over; waits while the workers have
 * enough to do. 0, or a negative errno: one of the workers could not take one, for want of
 * something
 * (-ENOMEM, -EMFILE, ...), so that this process is not to take over. */
int handover_intake_give(struct handover_intake *intake, struct handover_message *message);

/* Until all that was given is taken; as handover_intake_give. *out_taken: connections. */
int handover_intake_wait(struct handover_intake *intake, uint64_t *out_taken);

/* The marks of those that were understood and cannot be taken: they stay where they are. */
void handover_intake_put_refused(const struct handover_intake *intake, struct state_writer *writer);

/* --- a worker --- */

/* Where a worker of the new process waits for what is brought, before its loop runs. */
struct handover_desk {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct portion *first, *last;
	bool has_ended;
};

void handover_desk_init(struct handover_desk *desk);
void handover_desk_finish(struct handover_desk *desk);

/* From any thread: nothing more is brought. */
void handover_desk_end(struct handover_desk *desk);

/* In the worker's thread: takes what is brought, until the end. */
void handover_desk_serve(struct handover_desk *desk, struct worker *worker);
