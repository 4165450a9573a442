/* SPDX-License-Identifier: Apache-2.0
 * rpc.h - calls to one client, in the framing of its route: sent one at a time, matched with
 * their answers, given up at their time.
 *
 * Layer: fleet. All in the thread of the client's worker. */
#pragma once

#include "fleet/rpc/rpc_frame.h"
#include "fleet/rpc/rpc_stats.h"
#include "io/loop.h"
#include "session/session.h"

/* Calls that were given up and whose answers are still known as late. */
#define RPC_LATE_MAX 16

struct rpc_options {
	const struct config_route *route; /* one with a framing */
	struct session *session;
	struct loop *loop; /* of its worker */
	struct rpc_stats *stats;
};

struct rpc;
struct state_writer;

/* NULL: memory is out. */
struct rpc *rpc_create(const struct rpc_options *options);

/* Does a call wait, for its turn or for the client's answer? */
bool rpc_is_waiting(const struct rpc *rpc);

/* The client leaves: what waits ends as lost. Also from inside of any function here, and
 * from what they call. NULL is fine; the pointer is cleared. */
void rpc_destroy(struct rpc **rpc);

/* Fill on_done, method and params; they stay until the end. */
struct rpc_call {
	struct call base;
	struct slice method; /* as rpc_frame_write_call takes it */
	struct slice params;
	/* Once, not from inside of rpc_start unless that says so. May free the call. The
	 * texts of the result are those of struct rpc_frame. */
	void (*on_done)(struct rpc_call *call, const struct call_result *result);
	/* Its own. */
	struct rpc *rpc;
	uint64_t sent_ns;
};

/* CALL_WAITS: on_done comes once, perhaps before this returns (if it cannot be sent). Else
 * the call is refused: CALL_QUEUE_FULL, or CALL_NOT_CONNECTED: the client is leaving. */
enum call_outcome rpc_start(struct rpc *rpc, struct rpc_call *call, uint64_t timeout_ns);

/* --- from process to process (base/state.h) --- */

/* What owners of calls do. */
struct rpc_owner {
	/* Writes what the owner knows of a call. */
	void (*put)(const struct rpc_call *call, struct state_writer *out);
	/* Makes a call of that, with what rpc_start wants of it; NULL: it cannot. */
	struct rpc_call *(*make)(struct session *session, struct slice state);
	/* It is not told of, here: takes it back. */
	void (*drop)(struct rpc_call *call);
};

void rpc_export(const struct rpc *rpc, struct state_writer *out, const struct rpc_owner *owner);

/* Into one that is new, and does nothing before rpc_thaw. False: it is not to be understood, or
 * memory is out; then rpc_forget is next. */
bool rpc_import(struct rpc *rpc, struct slice state, const struct rpc_owner *owner);
void rpc_thaw(struct rpc *rpc);

/* Is there a call in what rpc_export wrote? */
bool rpc_state_has_calls(struct slice state);

/* As rpc_destroy, but nobody is told: its calls are dropped. Not from inside of any function here.
 */
void rpc_forget(struct rpc **rpc, const struct rpc_owner *owner);

/* Reads a text message of the client. True: it was the answer that a call has waited for, and
 * is not for the back end. Else its mark is set, or the number of its call. `rpc` is NULL
 * for a client that was never called; it may be gone afterwards, and the session closing. */
bool rpc_receive(struct rpc *rpc, const struct rpc_framing *framing, struct rpc_stats *stats,
		 struct message *message);
