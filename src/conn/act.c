/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/act.h"

#include <stdio.h>
#include <string.h>

#include "conn/conn_log.h"
#include "conn/phase_closing.h"
#include "fleet/actions/actions.h"

struct actions *conn_actions_read(const struct conn *conn, struct slice json, char *problem,
				  size_t size)
{
	struct actions_fault fault;
	/* answer_max bounds the answer, and so its messages. */
	struct actions *actions = actions_read(json, UINT64_MAX, &fault);
	size_t index;

	if (actions == NULL) {
		actions_fault_format(&fault, problem, size);
	} else if (actions_have_call(actions, conn_route(conn)->config->rpc, &index)) {
		snprintf(
			problem, size,
			"actions[%zu].send is a call; allowed: any other message, since on a route "
			"with rpc clients are called by the API",
			index);
		actions_destroy(&actions);
	}
	return actions;
}

struct doing {
	struct conn *conn;
	bool is_out_of_memory;
};

static void on_failed(void *arg, size_t index, const char *name, const char *reason)
{
	struct doing *doing = arg;
	struct conn *conn = doing->conn;
	struct conn_home *home = conn->home;
	uint64_t suppressed;

	doing->is_out_of_memory |= strcmp(reason, "no_memory") == 0;
	if (log_gate_pass(&home->service->backend_gate, loop_now(home->loop), &suppressed))
		conn_log_warn(conn, "an action of a back end was not done",
			      F_TEXT("backend", conn_route(conn)->backend->name),
			      F_UINT("index", index), F_TEXT("action", name),
			      F_TEXT("reason", reason), F_UINT("suppressed", suppressed));
}

void conn_act(struct conn *conn, const struct actions *actions)
{
	struct doing doing = {.conn = conn};

	if (actions == NULL)
		return;
	actions_run(
		actions, conn_session(conn),
		&(struct actions_way){.send = session_send, .on_failed = on_failed, .arg = &doing});
	if (doing.is_out_of_memory && conn->phase == CONN_OPEN)
		conn_ws_fail(conn, CLOSE_NO_MEMORY);
}
