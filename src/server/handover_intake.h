/* SPDX-License-Identifier: Apache-2.0
 * handover_intake.h - connections that come from the process before, into the workers of this one.
 *
 * Layer: server. The main thread gives, the workers take, each in its thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/state.h"

struct handover_intake;
struct handover_message;
struct server;

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
