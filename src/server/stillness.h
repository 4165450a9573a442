/* SPDX-License-Identifier: Apache-2.0
 * stillness.h - all workers of a process stand still, so that what they have can be handed over, or
 * not, as one.
 *
 * Layer: server. Made by the main thread, which asks, watches and decides; each worker, when it
 * stands still, exports in its own thread and waits for the decision. Nobody else decides, and the
 * main thread always does: a worker that waits has no time limit of its own. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/loop.h"

struct conn;
struct handover_channel;
struct server;
struct stillness;
struct worker;

enum stillness_verdict {
	STILLNESS_WAIT,
	STILLNESS_GO_ON, /* as if nothing had been */
	STILLNESS_GONE,  /* what was exported is the other's now */
};

/* A worker's part; in its thread. */
struct still_worker {
	struct loop_task task;
	struct stillness *stillness; /* NULL: it runs */
	uint64_t index;              /* among the workers */
	struct conn **exported;      /* in the order of their marks */
	size_t exported_count, exported_max;
};

struct stillness_counts {
	size_t asked;        /* workers */
	size_t exported;     /* of them, those that have exported all */
	int error;           /* of the first that could not: a negative errno */
	const char *what;    /* it did when that came: static text */
	uint64_t gone, stay; /* connections */
	uint64_t progress;   /* changes while something is done */
};

/* `channel` is where connections go; `engine` is that of the workers: asks the kernel what it can
 * give away of it, which takes a while. NULL: out of memory or descriptors. */
struct stillness *stillness_create(struct server *server, struct handover_channel *channel,
				   enum loop_engine engine);

/* Each worker once, until `deadline_ns`. */
void stillness_ask(struct stillness *stillness, struct worker *worker, uint64_t deadline_ns);

/* Those were all: none of them exports before each of them stands still. */
void stillness_asked_all(struct stillness *stillness);

/* Readable when the counts have changed; reading them makes it wait again. */
int stillness_fd(const struct stillness *stillness);
struct stillness_counts stillness_counts(struct stillness *stillness);

/* Those that the other did not take, by their marks; with STILLNESS_GONE they stay. */
bool stillness_not_taken(struct stillness *stillness, uint64_t mark);

/* All go on, or let go. Returns when each has done so. */
void stillness_decide(struct stillness *stillness, enum stillness_verdict verdict);

/* After stillness_decide. NULL is fine. */
void stillness_destroy(struct stillness **stillness);

static inline bool stillness_is_asked(const struct still_worker *still)
{
	return __atomic_load_n(&still->stillness, __ATOMIC_ACQUIRE) != NULL;
}

/* In the worker's thread, between two runs of its loop: stands still until it is decided. The
 * worker is to close its doors and end when it is empty, if this is true. */
bool stillness_keep(struct worker *worker);
