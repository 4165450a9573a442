/* SPDX-License-Identifier: Apache-2.0
 * metrics_calls.c - numbers of calls to clients. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/admin.h"
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

#define PRINT(out, ...) buf_printf(out, HTTP_BODY_MAX, __VA_ARGS__)

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
	static const uint64_t edges_ms[] = RPC_DURATION_EDGES_MS;
	static const char name[] = "gatehouse_call_duration_seconds";
	uint64_t sum = 0;

	for (size_t i = 0; i < RPC_DURATION_BUCKETS; i++) {
		sum += counter_read(&stats->duration_count[i]);
		PRINT(out, "%s_bucket{le=\"", name);
		if (i < ARRAY_LEN(edges_ms))
			PRINT(out, "%g\"} %" PRIu64 "\n", (double)edges_ms[i] / 1e3, sum);
		else
			PRINT(out, "+Inf\"} %" PRIu64 "\n", sum);
	}
	PRINT(out, "%s_sum %.6f\n", name, (double)counter_read(&stats->duration_sum_us) / 1e6);
	PRINT(out, "%s_count %" PRIu64 "\n", name, sum);
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
