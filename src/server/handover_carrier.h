/* SPDX-License-Identifier: Apache-2.0
 * handover_carrier.h - carries what two processes tell each other after a handover, over the
 * channel that it was made by.
 *
 * Layer: server. A process has one for all its handovers: first the process before may be at the
 * other end, later the one behind. Created, opened and closed by the main thread; two threads of
 * its own while it is open, so that neither waits for the other. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct handover_carrier;
struct handover_channel;

/* In the thread that hears. */
struct handover_ear {
	void (*on_told)(void *arg, struct slice bytes);
	/* The other's last words (HANDOVER_END); may be NULL. */
	void (*on_last)(void *arg, struct slice body);
	/* Once, after all that: the other process has ended, or the channel. */
	void (*on_end)(void *arg);
	void *arg;
};

/* NULL: memory is out. */
struct handover_carrier *handover_carrier_create(void);
/* Closed, and nobody sends any more. NULL is fine. */
void handover_carrier_destroy(struct handover_carrier **carrier);

/* From now on what is sent is kept; it leaves once handover_carrier_open is called. */
void handover_carrier_prepare(struct handover_carrier *carrier);

/* There is no handover after all: what was sent is dropped. */
void handover_carrier_cancel(struct handover_carrier *carrier);

/* After handover_carrier_prepare: takes over the channel. False: no threads are to be had; then it
 * has ended, and on_end was called. */
bool handover_carrier_open(struct handover_carrier *carrier, struct handover_channel *channel,
			   const struct handover_ear *ear);

/* From any thread; copies, and never blocks. False: nobody hears it. */
bool handover_carrier_send(struct handover_carrier *carrier, struct slice bytes);

/* Behind all that was sent. */
void handover_carrier_send_last(struct handover_carrier *carrier, struct slice body);

/* From any thread: there is no other process, or it has ended. */
bool handover_carrier_has_ended(const struct handover_carrier *carrier);

/* What was sent leaves, the channel ends, and so do the threads. Harmless if it is not open. */
void handover_carrier_close(struct handover_carrier *carrier);
