/* SPDX-License-Identifier: Apache-2.0
 * actions_run.c - a list of actions is done, in its order. */
#include <errno.h>
#include <stdio.h>

#include "base/counter.h"
#include "fleet/actions/actions_private.h"
#include "fleet/client.h"
#include "fleet/rpc/rpc_gate.h"

/* Each returns NULL, or why it was not done. */

static const char *run_send(const struct action *action, struct session *session,
			    const struct actions_way *way)
{
	struct message message = action->message;

	switch (rpc_gate_down(session, &message, way->send)) {
	case 0:
		return NULL;
	case -EPIPE:
		return "not_connected";
	case -ENOBUFS:
		return "slow_reader";
	case -EPERM:
		return "use_call";
	default:
		return "no_memory";
	}
}

static const char *run_join(const struct action *action, struct session *session)
{
	struct client *client = client_of(session->ops->home(session), session);

	switch (client == NULL ? GROUP_NO_MEMORY : group_join(client, action->group)) {
	case GROUP_JOINED:
	case GROUP_ALREADY:
		return NULL;
	case GROUP_CLIENT_FULL:
		return "max_groups_per_client";
	case GROUP_NODE_FULL:
		return "max_groups";
	default:
		return "no_memory";
	}
}

static const char *run_leave(const struct action *action, struct session *session)
{
	if (session->client != NULL)
		group_leave(session->client, action->group);
	return NULL;
}

static const char *run_send_group(const struct action *action, struct session *session)
{
	struct fleet_home *home = session->ops->home(session);
	const struct presence *presence = session->presence;
	struct fan_out what = {.group = action->group, .message = action->message};

	if (action->spares_self) {
		snprintf(what.except.route, sizeof(what.except.route), "%s",
			 presence_route_name(presence));
		snprintf(what.except.client_id, sizeof(what.except.client_id), "%s",
			 presence->client_id);
	}
	switch (home->fleet->send_to_group(home, &what)) {
	case 0:
		return NULL;
	case -ENOMEM:
		return "no_memory";
	case -EMSGSIZE:
		return "max_payload";
	default:
		return "bus";
	}
}

static const char *run_one(const struct action *action, struct session *session,
			   const struct actions_way *way)
{
	/* One before has ended the connection. */
	if (presence_session(session->presence) == NULL)
		return "not_connected";
	switch (action->kind) {
	case ACTION_SEND:
		return run_send(action, session, way);
	case ACTION_CLOSE:
		return session_close(session, action->code, action->reason) < 0 ? "not_connected"
										: NULL;
	case ACTION_JOIN:
		return run_join(action, session);
	case ACTION_LEAVE:
		return run_leave(action, session);
	default:
		return run_send_group(action, session);
	}
}

void actions_run(const struct actions *actions, struct session *session,
		 const struct actions_way *way)
{
	struct action_stats *stats = session->ops->home(session)->fleet->actions;

	for (size_t i = 0; i < actions->count; i++) {
		const struct action *action = &actions->list[i];
		const char *reason = run_one(action, session, way);

		counter_add(reason == NULL ? &stats->done[action->kind]
					   : &stats->failed[action->kind],
			    1);
		if (reason != NULL)
			way->on_failed(way->arg, action->index, action_name(action->kind), reason);
	}
}
