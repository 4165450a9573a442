/* SPDX-License-Identifier: Apache-2.0
 * bench_push.h - --push: sends messages to the clients, through the API of the gateway.
 *
 * Layer: bench. A thread of its own, one request after the other. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bench/load/bench_api.h"

/* [bytes] "gh1 ", two numbers of up to 19 digits, a space. */
#define BENCH_PUSH_SIZE_MIN 44

struct bench_push {
	const struct bench_api *api;
	uint64_t start_ns;
	atomic_bool is_over;
	_Atomic uint64_t pushed;               /* that the API took */
	char problem[BENCH_API_SEEN_MAX + 64]; /* why it stopped early; "": it did not */
	pthread_t thread;
	bool is_running;
};

/* From start_ns on, in another thread. 0 or a negative errno; does nothing without --push. */
int bench_push_start(struct bench_push *push, const struct bench_api *api, uint64_t start_ns);

/* Ends it, and waits for that. */
void bench_push_stop(struct bench_push *push);
