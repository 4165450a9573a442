/* SPDX-License-Identifier: Apache-2.0
 * expiry.h - clients whose proof has an end: they are closed at it, unless it is moved.
 *
 * Layer: fleet. In the thread of the client's worker. Kept beside the client (client.h), so that
 * one whose proof has no end costs nothing. The end is one of wall time: if the clock is set, the
 * end is noticed within EXPIRY_STEP_S. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/session.h"

#define EXPIRY_STEP_S 60

struct client;

/* The client has come in: begins to wait for the end of what it has proved, in [s] since the
 * epoch. 0, or -ENOMEM. */
int expiry_begin(struct client *client, uint64_t at_s);

/* Likewise, of one that comes from another process: waits from expiry_thaw on. */
int expiry_restore(struct client *client, uint64_t at_s);

/* Harmless if nothing was begun. */
void expiry_thaw(struct client *client);

/* It leaves. Harmless if nothing was begun. */
void expiry_leave(struct client *client);

/* [s] since the epoch; 0: never. */
uint64_t expiry_at_s(const struct session *session);

/* Moves the end of a session that has one. */
void expiry_move(struct session *session, uint64_t at_s);

/* May the client try to move it by a message of its own now? At most once in
 * EXPIRY_TRY_S, since a signature costs time. */
#define EXPIRY_TRY_S 5
bool expiry_may_try(struct session *session);
