/* SPDX-License-Identifier: Apache-2.0
 * tracer_private.h - what the files of trace/ share: tracer.c is the queue and its door,
 * tracer_export.c the thread, tracer_options.c what it is told, trace_span.c what is put in.
 *
 * Layer: trace; only its own files include it. */
#pragma once

#include <curl/curl.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/random.h"
#include "trace/trace_context.h"
#include "trace/tracer.h"

/* [spans] of a request: so many are worth one before tracing.interval has passed. */
#define TRACER_BATCH_SPANS 512

/* A span that waits. */
struct trace_item {
	struct list_node node;
	uint64_t taken_ns; /* of clock_now_ns */
	char *json;
	size_t len;
};

/* What options come to; immutable, counted by reference. */
struct tracer_target {
	uint32_t references; /* atomic */
	char *url, *ca_file; /* NULL: none */
	struct curl_slist *headers;
	struct buf resource; /* JSON, of the beginning of a request to its first span */
	uint32_t timeout_ms, interval_ms;
};

struct tracer_change {
	struct tracer_target *target; /* NULL: off */
	uint64_t sample, queue_max;
};

struct tracer {
	struct tracer_switch base;
	uint64_t threshold; /* atomic: of the 56 bits of a trace id that are random; below: sampled
			     */
	uint64_t queue_max; /* atomic, [bytes] */
	struct trace_stats stats;
	tracer_told_fn told;
	void *told_arg;

	pthread_mutex_t mutex; /* guards the rest, but for what is the thread's */
	struct list_node queue;
	uint64_t queue_spans, queue_bytes; /* those being sent included */
	struct tracer_target *target;      /* NULL: off */
	bool has_thread;
	bool is_stopping;
	uint64_t stop_ns; /* of clock_now_ns: no request goes on beyond it */

	pthread_t thread;
	CURLM *multi; /* also what the thread sleeps on */
	struct random_source random;
	bool is_failing;
	uint64_t told_ns; /* when that was told last */
};

/* --- tracer.c --- */

/* Takes over `json`; NULL: memory was out. */
void tracer_take(struct tracer *tracer, char *json, size_t len);

/* They have been sent, or dropped; the caller counts which. */
void tracer_items_free(struct tracer *tracer, struct list_node *items);

/* In the main thread. 0, or -1: threads or memory are out. */
int tracer_thread_start(struct tracer *tracer);

/* Is a trace of this id, that begins here, sampled? The same on all nodes. */
bool tracer_samples(const struct tracer *tracer, const uint8_t trace_id[TRACE_ID_LEN]);

/* --- tracer_options.c --- */

void tracer_target_unref(struct tracer_target **target);

/* --- tracer_export.c --- */

void *tracer_thread(void *arg);

/* --- trace_span.c --- */

/* Appends an attribute, behind a comma if one is before it. */
void trace_attribute_write(struct buf *out, const char *key, struct slice value);
