/* SPDX-License-Identifier: Apache-2.0
 * tracer.h - where spans go: a queue with a limit, and a thread that takes it to a collector.
 *
 * Layer: trace. One in a process. Whoever ends a span puts it in the queue, which never waits for
 * the collector: what has no room is dropped and counted. The thread sends what is there in
 * batches over OTLP/HTTP, as JSON, and tries again as OTLP wants it. Off, it costs one load of a
 * flag where something could be traced. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/slice.h"

struct tracer;

#define TRACER_HEADERS_MAX 32
#define TRACER_SAMPLE_ALL  UINT64_C(1000000) /* millionths */

/* All of it is copied. */
struct tracer_options {
	const char *url;             /* http:// or https://; "": nothing is traced */
	const char *ca_file;         /* PEM; NULL: the system's */
	const char *const *headers;  /* lines "Name: value" that go with every request */
	size_t header_count;         /* at most TRACER_HEADERS_MAX */
	const char *service_name;    /* of the resource */
	const char *instance, *host; /* likewise */
	uint64_t sample;             /* millionths of what begins here, without a parent */
	uint64_t queue_max;          /* [bytes] of spans that wait or are being sent */
	uint32_t timeout_ms;         /* of one request to the collector */
	uint32_t interval_ms;        /* a span waits so long for others to leave with */
};

/* Why spans never got to a collector. X(NAME, label, help) */
#define TRACE_DROP_TABLE(X)                                                                 \
	X(QUEUE_FULL, "queue_full", "tracing.queue_max bytes wait already")                 \
	X(MEMORY, "memory", "memory is out")                                                \
	X(REJECTED, "rejected", "the collector does not take them, and would not later")    \
	X(PARTIAL, "partial", "the collector took the others of their request only")        \
	X(UNREACHABLE, "unreachable", "no collector took them within a minute of attempts") \
	X(SHUTDOWN, "shutdown",                                                             \
	  "they were left when the process ended or tracing was turned "                    \
	  "off")

#define TRACE_DROP_ENUM(NAME, label, help) TRACE_DROP_##NAME,
enum trace_drop { TRACE_DROP_TABLE(TRACE_DROP_ENUM) TRACE_DROP_COUNT };

const char *trace_drop_label(enum trace_drop reason);

/* Relaxed atomics. */
struct trace_stats {
	uint64_t exported; /* spans */
	uint64_t dropped[TRACE_DROP_COUNT];
	uint64_t requests;                 /* to the collector */
	uint64_t failures;                 /* of these */
	uint64_t queue_spans, queue_bytes; /* gauges */
};

/* Told by the thread: requests fail from now on, because of `error`; NULL: they do not any more.
 * And again every minute while they do. */
typedef void (*tracer_told_fn)(void *arg, const char *error);

/* It is off. NULL: memory is out. */
struct tracer *tracer_create(tracer_told_fn told, void *arg);

/* Sends what waits, for at most `flush_ms`, drops the rest, and frees it. Nobody ends a span any
 * more. NULL is fine. */
void tracer_destroy(struct tracer **tracer, uint32_t flush_ms);

struct tracer_change;

/* All that can fail of other options, also the first. 0, or a negative errno and what is wrong in
 * `error`: with `*out_is_of_ca`, with the file of authorities. The thread runs then. */
int tracer_prepare(struct tracer *tracer, const struct tracer_options *options,
		   struct tracer_change **out_change, bool *out_is_of_ca, char *error, size_t size);

/* The same of options that are only looked at. */
int tracer_check(const struct tracer_options *options, bool *out_is_of_ca, char *error,
		 size_t size);

/* From now on. Clears the pointer. */
void tracer_apply(struct tracer *tracer, struct tracer_change **change);

/* NULL is fine; clears the pointer. */
void tracer_discard(struct tracer_change **change);

const struct trace_stats *tracer_stats(const struct tracer *tracer);

/* First member of struct tracer. */
struct tracer_switch {
	uint64_t is_on; /* atomic */
};

/* Is anything traced? NULL is not on. */
static inline bool tracer_is_on(const struct tracer *tracer)
{
	return tracer != NULL && counter_read(&((const struct tracer_switch *)tracer)->is_on) != 0;
}
