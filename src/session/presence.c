/* SPDX-License-Identifier: Apache-2.0 */
#include "session/presence.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/reference.h"
#include "session/session.h"

struct presence *presence_create(const struct presence_facts *facts)
{
	size_t id_len = strlen(facts->client_id);
	size_t own_len = facts->own_subprotocol.len;
	/* A short id lies in what would be padding. */
	size_t size = offsetof(struct presence, client_id) + id_len + 1 +
		      (own_len > 0 ? own_len + 1 : 0);
	struct presence *presence = malloc(MAX(size, sizeof(*presence)));

	CHECK(id_len > 0 && id_len <= PRESENCE_CLIENT_ID_MAX &&
	      strlen(facts->route) <= PRESENCE_ROUTE_MAX);
	if (presence == NULL)
		return NULL;
	*presence = (struct presence){
		.route = facts->route,
		.subprotocol = facts->subprotocol,
		.remote = facts->remote,
		.connected_at_ms = (clock_wall_ns() / NS_PER_MS) & ((UINT64_C(1) << 48) - 1),
		.remote_port = facts->remote_port,
		.references = 1,
		.mailbox = facts->mailbox,
		.session = facts->session,
	};
	memcpy(presence->client_id, facts->client_id, id_len + 1);
	if (own_len > 0) {
		char *own = presence->client_id + id_len + 1;

		memcpy(own, facts->own_subprotocol.data, own_len);
		own[own_len] = 0;
		presence->subprotocol = own;
	}
	return presence;
}

struct presence *presence_ref(struct presence *presence)
{
	reference_take(&presence->references);
	return presence;
}

void presence_unref(struct presence **presence)
{
	struct presence *self = *presence;

	*presence = NULL;
	if (self != NULL && reference_drop(&self->references))
		free(self);
}

static void run_task(struct loop_task *loop_task)
{
	struct presence_task *task = CONTAINER_OF(loop_task, struct presence_task, loop_task);
	struct presence *presence = task->presence;

	task->run(task, presence->session);
	presence_unref(&presence);
}

bool presence_post(struct presence *presence, struct presence_task *task)
{
	task->presence = presence_ref(presence);
	task->loop_task.run = run_task;
	if (mailbox_post(presence->mailbox, &task->loop_task))
		return true;
	presence_unref(&task->presence);
	return false;
}

static void run_eviction(struct loop_task *task)
{
	struct presence *presence = CONTAINER_OF(task, struct presence, task);

	if (presence->session != NULL)
		presence->session->ops->taken_over(presence->session);
	presence_unref(&presence);
}

void presence_evict(struct presence **older)
{
	struct presence *presence = *older;

	*older = NULL;
	presence->task.run = run_eviction;
	if (!mailbox_post(presence->mailbox, &presence->task))
		presence_unref(&presence);
}
