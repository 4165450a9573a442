/* SPDX-License-Identifier: Apache-2.0
 * command_call.h - a call to a client: what its command keeps, and how it moves with its client to
 * another process.
 *
 * Layer: fleet. In the thread of the client's worker. */
#pragma once

#include "fleet/command/command.h"
#include "fleet/rpc/rpc.h"
#include "trace/trace_span.h"

struct call_args {
	struct rpc_call call;
	struct command *command;
	const char *method;   /* in the command's JSON */
	const json_t *params; /* likewise; NULL: none */
	bool is_ocpp_j;
	uint64_t timeout_ns; /* 0: as long as who asked waits */
	/* From the moment it runs. */
	char *params_text;
	struct presence *presence;
	uint64_t started_ns;
	struct trace_span span; /* from the call to the client's answer */
};

/* Its on_done. */
void command_call_done(struct rpc_call *call, const struct call_result *result);

/* Made with the first call. NULL: memory is out, or the route knows no calls. */
struct rpc *command_call_rpc(struct session *session, const struct config_route *route);

/* --- command_call_state.c --- */

/* Of calls that move. One that is dropped has moved: who asked for it here waits for the other
 * process (command_road.h). */
extern const struct rpc_owner command_call_owner;

/* Of calls that were made of a state that is of no use after all. */
extern const struct rpc_owner command_call_discarder;
