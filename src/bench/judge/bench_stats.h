/* SPDX-License-Identifier: Apache-2.0
 * bench_stats.h - what a load test counts.
 *
 * Layer: bench. A worker alone writes its struct bench_counters; the main thread
 * may read it at any time (relaxed atomics: each figure is true by itself, several
 * need not fit each other to the last one). Everything else is read after the
 * worker's end. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hist.h"
#include "bench/client/bench_cause.h"
#include "bench/client/bench_packing.h"
#include "bench/judge/bench_latency.h"

/* X(name): the live counters, of connections unless said otherwise. */
#define BENCH_COUNTERS(X)                                                  \
	X(started)        /* first connect begun */                        \
	X(connected)      /* upgraded to a WebSocket */                    \
	X(failed)         /* never became open, for a cause */             \
	X(dropped)        /* open, then lost before the end */             \
	X(held)           /* open until the end */                         \
	X(closed_cleanly) /* held, and closing answered by the peer */     \
	X(retired)        /* closed by us in the hold, to be reopened */   \
	X(reopened)       /* upgraded in the place of a retired one */     \
	X(cut)            /* cut off by us in the hold, to come back */    \
	X(disconnected)   /* --reconnect: times that one was ended */      \
	X(retried)        /* --reconnect: attempts to come back, failed */ \
	X(reconnected)    /* --reconnect: times that one came back */      \
	X(away)           /* --reconnect: not back at the end */           \
	X(secured)        /* TLS handshakes done */                        \
	X(offered)        /* TLS handshakes that offered a session */      \
	X(resumed)        /* of these, those that resumed it */            \
	X(slow_closed)    /* slow readers that the peer closed or cut */   \
	X(sent)           /* messages; those of slow readers aside */      \
	X(received)       /* messages: right echoes; with --receive all */ \
	X(unstamped)      /* --receive: messages without a usable stamp */ \
	X(missing)        /* numbers skipped, and not late */              \
	X(late)           /* came behind a higher number */                \
	X(repeated)       /* came a second time, or far too late */

struct bench_counters {
#define BENCH_COUNTER_FIELD(name) _Atomic uint64_t name;
	BENCH_COUNTERS(BENCH_COUNTER_FIELD)
};

struct bench_totals {
#define BENCH_TOTAL_FIELD(name) uint64_t name;
	BENCH_COUNTERS(BENCH_TOTAL_FIELD)
};

void bench_totals_add(struct bench_totals *totals, const struct bench_counters *counters);

/* The steps of coming up, each with a time of its own. */
enum bench_step {
	BENCH_STEP_TICKET, /* all of --ticket-url */
	BENCH_STEP_TCP,
	BENCH_STEP_TLS,
	BENCH_STEP_HTTP,     /* from the request to the 101 */
	BENCH_STEP_COMEBACK, /* from the cut, or the end that it met, until it is open again */
	BENCH_STEP_COUNT,
};

/* "  TCP", for people: below "Handshake"; "tcp", for programs. */
const char *bench_step_title(enum bench_step step);
const char *bench_step_name(enum bench_step step);

/* Open at that time. */
static inline uint64_t bench_totals_open(const struct bench_totals *totals)
{
	uint64_t up = totals->connected + totals->reopened + totals->reconnected;
	uint64_t gone = totals->retired + totals->cut + totals->dropped + totals->slow_closed +
			totals->disconnected;

	return up > gone ? up - gone : 0; /* while it runs they need not fit each other */
}

struct bench_point {
	double at_s; /* since connecting began */
	struct bench_totals totals;
	/* Of the interval since the point before. */
	struct bench_quantiles echo, handshake;
	double cpu; /* of the tester: CPUs in use, e.g. 0.7 */
};

#define BENCH_SERIES_MAX 1024

/* At equal distance but for those when all were up, when the hold ended, and the last; when it
 * is full every two points become one. */
struct bench_series {
	double interval_s; /* as planned; a busy machine makes it longer */
	unsigned count;
	struct bench_point points[BENCH_SERIES_MAX];
};

/* What became of the acts of a scenario (load/bench_act.h). */
struct bench_act_done {
	char text[128]; /* "call: POST /api/v1/upgrade" */
	char seen[512]; /* what came of it, printable ASCII */
	double at_s;    /* into the hold; only if it was reached */
	double took_s;
	bool was_reached;
	bool is_good;
};

#define BENCH_ACTS_DONE_MAX 16

struct bench_acts_done {
	size_t count;
	struct bench_act_done rows[BENCH_ACTS_DONE_MAX];
};

/* The outcome, for report and verdict. */
struct bench_result {
	uint64_t wanted; /* connections asked for */
	struct bench_totals totals;
	struct bench_causes causes;
	struct bench_causes slow_ends;     /* of slow readers, by the peer: expected, no failures */
	struct bench_causes interruptions; /* --reconnect: ends and failed attempts, no failures */
	struct hist handshake;             /* [ns] from connect to the 101 */
	struct hist steps[BENCH_STEP_COUNT]; /* [ns] */
	struct hist echo; /* [ns] of echoes, or from the stamp of what was pushed */
	struct bench_series series;
	uint64_t held_late; /* held, of higher number than one of the worker that failed */
	uint64_t ramp_open; /* open when the last was up or had failed */
	double connect_s;   /* until the last connection was up or had failed */
	double connected_s; /* until the last that came up was up; 0: none was */
	double hold_s;      /* as it was, not as it was asked */
	double traffic_s;   /* part of the hold in which messages were sent */
	double receive_s;   /* from the first to the last message received */
	double total_s;
	double started_s;                /* CLOCK_MONOTONIC when connecting began */
	double cpu_user_s, cpu_system_s; /* of the tester, over all */
	double connect_cpu_s;            /* of the tester, until connect_s */
	double hold_cpu_s;               /* of the tester's workers, in the hold */
	unsigned workers, cores;
	bool has_traffic;
	bool is_receiver; /* --receive: messages are sent by services, not by us */
	bool does_push;
	uint64_t pushed;        /* --push: messages that the API took */
	char push_problem[600]; /* why these are not all; "": they are */
	struct bench_acts_done acts;
	bool does_reconnect;
	bool is_at_least_once;
	bool was_interrupted;
	bool does_pack; /* --compression */
	struct bench_packed packed;
	bool does_resume;        /* --tls-resume */
	const char *tls_version; /* of the last; static text; NULL: none was TLS */
	const char *tls_suite;
};

/* New connections per second, of those that came up while they did: what failed, and how
 * long that took, does not count. */
static inline double bench_connect_rate(const struct bench_result *result)
{
	return result->connected_s > 0 ? (double)result->totals.connected / result->connected_s : 0;
}

/* TLS sessions that were resumed, of those that were offered. */
static inline double bench_resumed_percent(const struct bench_result *result)
{
	uint64_t offered = result->totals.offered;

	return offered == 0 ? 0 : (double)result->totals.resumed * 100 / (double)offered;
}

/* What the latencies in `echo` are of: "Echo" or "Push". */
static inline const char *bench_latency_name(const struct bench_result *result)
{
	return result->is_receiver ? "Push" : "Echo";
}
