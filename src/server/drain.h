/* SPDX-License-Identifier: Apache-2.0
 * drain.h - the drain that is under way, as all threads see it.
 *
 * Layer: server. Thread-safe: a lock, held for as long as a copy takes. A drain is ordered, waits
 * for its delay, is under way, and is done when nobody is left whom it means; until then, and a
 * full one also afterwards, it can be cancelled. A full one takes the gateway out of service: first
 * /readyz says so, and from the first close on new clients are refused. */
#pragma once

#include <pthread.h>

#include "server/drain_plan.h"

enum drain_state { DRAIN_NONE, DRAIN_WAITING, DRAIN_UNDER_WAY, DRAIN_DONE, DRAIN_CANCELLED };

const char *drain_state_name(enum drain_state state); /* "under_way"; static text */

struct drain_order {
	struct drain_scope scope;
	uint64_t delay_ns;    /* before the first close */
	uint64_t over_ns;     /* from the first to the last */
	uint64_t patience_ns; /* of struct drain_plan, as the next two */
	uint64_t retry_after_s;
	uint64_t last_id;
	bool is_ending; /* the process ends behind it */
};

enum drain_answer {
	DRAIN_STARTED,
	DRAIN_CHANGED,  /* one of the same scope is under way: it has the new pace */
	DRAIN_CONFLICT, /* one of another scope is */
	DRAIN_ENDING,   /* the process ends behind the one that is under way */
	DRAIN_IDLE,     /* none is under way */
	DRAIN_STOPPED,  /* it was cancelled */
};

/* A moment's picture. */
struct drain_view {
	struct drain_plan plan;
	enum drain_state state;
	uint64_t number; /* of the order; 0: there was none */
	uint64_t asked_ns;
	uint64_t done_ns; /* DONE, CANCELLED */
	bool is_ending;   /* the process ends: nothing is cancelled or begun any more */
};

struct drain {
	pthread_mutex_t mutex;
	struct drain_view view;
	struct random_source random;
	bool *is_draining; /* atomic; set while a full one is on */
	bool *is_refusing; /* atomic; new clients are refused */
	/* Counters. */
	uint64_t started, done, cancelled;
};

/* The two flags outlive it. */
void drain_init(struct drain *drain, bool *is_draining, bool *is_refusing);
void drain_finish(struct drain *drain);

/* STARTED, CHANGED, CONFLICT or ENDING. One that is ending has its way in any case. */
enum drain_answer drain_begin(struct drain *drain, const struct drain_order *order,
			      uint64_t now_ns);

/* STOPPED, IDLE or ENDING. */
enum drain_answer drain_cancel(struct drain *drain, uint64_t now_ns);

/* The process is about to end, and closes all clients at once. */
void drain_end(struct drain *drain);

/* What is the case now. True: clients are to be let go by its plan, or will be. */
bool drain_look(struct drain *drain, uint64_t now_ns, struct drain_view *out_view);

/* Nobody is left whom order `number` means. True: that was news. */
bool drain_complete(struct drain *drain, uint64_t number, uint64_t now_ns);
