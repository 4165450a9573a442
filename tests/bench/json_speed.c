/* SPDX-License-Identifier: Apache-2.0
 * json_speed.c - what reading and writing one RPC message costs. Prints; judges nothing. */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "proto/json_rpc.h"
#include "proto/ocpp_j.h"
#include "session/call_table.h"

#define ROUNDS 1000000

#define METER_VALUE                                                                               \
	"{\"value\":\"1234.5\",\"context\":\"Sample.Periodic\",\"format\":\"Raw\",\"measurand\":" \
	"\"Energy.Active.Import.Register\",\"unit\":\"Wh\"}"
#define FOUR(text) text "," text "," text "," text

static const char *const ocpp_texts[] = {
	"[2,\"0b2a7c1e-4a35-4d0b-8f0e-0c5a3f1d2b3c\",\"Heartbeat\",{}]",
	"[3,\"0123456789abcdef-1\",{\"status\":\"Accepted\"}]",
	"[2,\"0b2a7c1e-4a35-4d0b-8f0e-0c5a3f1d2b3c\",\"MeterValues\",{\"connectorId\":1,"
	"\"transactionId\":1234,\"meterValue\":[{\"timestamp\":\"2026-01-01T00:00:00Z\","
	"\"sampledValue\":[" FOUR(METER_VALUE) "," FOUR(METER_VALUE) "]}]}]",
};

static const char *const rpc_texts[] = {
	"{\"jsonrpc\":\"2.0\",\"id\":\"0123456789abcdef-1\",\"result\":{\"status\":\"ok\"}}",
	"{\"jsonrpc\":\"2.0\",\"method\":\"telemetry\",\"params\":{\"values\":[" FOUR(
		METER_VALUE) "]}}",
};

static void report(const char *what, size_t bytes, uint64_t since_ns)
{
	double each = (double)(clock_now_ns() - since_ns) / ROUNDS;

	printf("%-22s %5zu bytes %8.1f ns %7.2f GB/s\n", what, bytes, each, (double)bytes / each);
}

static void ocpp_read(const char *text)
{
	const struct ocpp_j_options options = {OCPP_J_ID_CHARS, false};
	struct slice slice = slice_from_text(text);
	uint64_t start_ns = clock_now_ns();

	for (int i = 0; i < ROUNDS; i++) {
		struct ocpp_j_message message;
		struct json_fault fault;

		CHECK(ocpp_j_read(&options, slice, &message, &fault) == OCPP_J_OK);
	}
	report("ocpp-j read", slice.len, start_ns);
}

static void rpc_read(const char *text)
{
	struct slice slice = slice_from_text(text);
	uint64_t start_ns = clock_now_ns();

	for (int i = 0; i < ROUNDS; i++) {
		struct json_rpc_message message;
		struct json_fault fault;

		CHECK(json_rpc_read(slice, &message, &fault) == JSON_RPC_OK);
	}
	report("json-rpc read", slice.len, start_ns);
}

static void ocpp_write(void)
{
	struct buf out = {0};
	uint64_t start_ns = clock_now_ns();

	for (int i = 0; i < ROUNDS; i++) {
		out.len = 0;
		CHECK(ocpp_j_write_call(&out, 4096, SLICE_LITERAL("0123456789abcdef-1"),
					SLICE_LITERAL("Reset"),
					SLICE_LITERAL("{\"type\":\"Soft\"}")) == 0);
	}
	report("ocpp-j write a call", out.len, start_ns);
	buf_finish(&out);
}

static void on_done(struct call *call, const struct call_result *result)
{
	CHECK(call->number != 0 && result->outcome == CALL_ANSWERED);
}

/* Add, take, write the id, match the answer. */
static void table_run(void)
{
	const struct call_limits limits = {1, 16, 16};
	const struct call_result answer = {.outcome = CALL_ANSWERED};
	struct call_table *table = call_table_create(&limits, 0x0123456789abcdef);
	struct call call = {.on_done = on_done, .deadline_ns = UINT64_MAX};
	uint64_t start_ns = clock_now_ns();

	CHECK(table != NULL);
	for (int i = 0; i < ROUNDS; i++) {
		char room[CALL_ID_MAX];

		CHECK(call_table_add(table, &call) == CALL_WAITS);
		CHECK(call_table_take(table) == &call);
		CHECK(call_table_answer(table, call_id_write(table, &call, room), &answer) ==
		      CALL_MATCH_OK);
	}
	report("a call and its answer", 0, start_ns);
	call_table_destroy(&table);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ocpp_texts); i++)
		ocpp_read(ocpp_texts[i]);
	for (size_t i = 0; i < ARRAY_LEN(rpc_texts); i++)
		rpc_read(rpc_texts[i]);
	ocpp_write();
	table_run();
	return 0;
}
