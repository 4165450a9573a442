/* SPDX-License-Identifier: Apache-2.0
 * metrics_calls.c - numbers of calls to clients. */
#include <stdio.h>

#include "admin/admin.h"
#include "base/metrics_text.h"
#include "base/check.h"
#include "base/counter.h"

/* X(name, type, help) */
#define CALL_METRICS(X)                                                                          \
	X(gatehouse_calls_total, counter,                                                        \
	  "Calls to clients of this node that have ended, by outcome: answered; client_error "   \
	  "(the client's own); malformed_answer; timed_out; connection_lost; queue_full (over "  \
	  "routes[].call_queue_max); not_connected (the client was leaving).")                   \
	X(gatehouse_calls_waiting, gauge,                                                        \
	  "Calls that wait for their turn or for the client's answer.")                          \
	X(gatehouse_call_duration_seconds, histogram,                                            \
	  "From sending a call to the client's answer or error; without the wait for its turn.") \
	X(gatehouse_rpc_marked_total, counter,                                                   \
	  "Messages of clients that went to the back end with a mark: late (the answer to a "    \
	  "call that had timed out); unknown (an answer to no call); malformed (not of the "     \
	  "route's framing).")

static void ended(struct buf *out, const struct rpc_stats *stats)
{
	for (unsigned outcome = CALL_WAITS + 1; outcome < CALL_OUTCOME_COUNT; outcome++)
		PRINT(out, "gatehouse_calls_total{outcome=\"%s\"} %" PRIu64 "\n",
		      call_outcome_label(outcome), counter_read(&stats->ended[outcome]));
}

static void waiting(struct buf *out, const struct rpc_stats *stats)
{
	PRINT(out, "gatehouse_calls_waiting %" PRIu64 "\n", counter_read(&stats->waiting));
}

static void durations(struct buf *out, const struct rpc_stats *stats)
{
	metrics_print_durations(out, "gatehouse_call_duration_seconds", "", &stats->durations,
				durations_long_us);
}

static void marked(struct buf *out, const struct rpc_stats *stats)
{
	for (unsigned mark = MESSAGE_PLAIN + 1; mark < MESSAGE_MARK_COUNT; mark++)
		PRINT(out, "gatehouse_rpc_marked_total{mark=\"%s\"} %" PRIu64 "\n",
		      message_mark_label(mark), counter_read(&stats->marked[mark]));
}

static void (*const writers[])(struct buf *out,
			       const struct rpc_stats *stats) = {ended, waiting, durations, marked};

void metrics_calls_write(const struct server *server, struct buf *out)
{
	size_t next = 0;

#define CALL_WRITE(name, type, help)                                           \
	PRINT(out, "# HELP " #name " %s\n# TYPE " #name " " #type "\n", help); \
	writers[next++](out, server_fleet(server)->rpc);
	CALL_METRICS(CALL_WRITE)
	CHECK(next == ARRAY_LEN(writers));
}

void metrics_calls_print_reference(FILE *to)
{
#define CALL_DOC(name, type, help) fputs("| `" #name "` | " #type " | " help " |\n", to);
	CALL_METRICS(CALL_DOC)
}
