/* SPDX-License-Identifier: Apache-2.0
 * client_state.c - what the fleet keeps of a client, on its way from one process to the next
 * (client.h). Its subscriptions are not in it: the newer process makes them anew, and the bus sees
 * to it that none is missed (fleet_handover.h). */
#include <errno.h>

#include "base/check.h"
#include "fleet/client.h"
#include "fleet/command/command_call.h"
#include "fleet/expiry.h"

enum client_tag {
	CLIENT_TAG_GROUP = 1,      /* text; in the order of joining */
	CLIENT_TAG_EXPIRES_AT = 2, /* [s] since the epoch */
	CLIENT_TAG_CLAIM = 3,      /* it is announced to other nodes: enum claim_number */
	CLIENT_TAG_RPC = 4,        /* record, of rpc.c */
};

/* By which policy. For ever. */
enum claim_number { CLAIM_BY_NONE = 0, CLAIM_BY_NEWEST = 1, CLAIM_BY_OLDEST = 2 };

static uint64_t claim_number(const struct takeover *takeover)
{
	if (!takeover->is_on)
		return CLAIM_BY_NONE;
	return takeover->policy == DIRECTORY_OLDEST ? CLAIM_BY_OLDEST : CLAIM_BY_NEWEST;
}

void client_export(const struct session *session, struct state_writer *out)
{
	const struct client *client = session->client;

	if (client == NULL)
		return;
	groups_export(client, CLIENT_TAG_GROUP, out);
	if (client->expiry != NULL)
		state_put_u64(out, CLIENT_TAG_EXPIRES_AT, expiry_at_s(session));
	state_put_u64(out, CLIENT_TAG_CLAIM, claim_number(&client->takeover));
	if (client->rpc == NULL)
		return;
	size_t begun = state_begin(out, CLIENT_TAG_RPC);

	rpc_export(client->rpc, out, &command_call_owner);
	state_end(out, begun);
}

static int rpc_restore(struct session *session, struct slice state)
{
	const struct config_route *route = session_route(session);

	if (route->rpc == CONFIG_RPC_NONE)
		return rpc_state_has_calls(state) ? -EINVAL : 0;
	struct rpc *rpc = command_call_rpc(session, route);

	if (rpc == NULL)
		return -ENOMEM;
	return rpc_import(rpc, state, &command_call_discarder) ? 0 : -EINVAL;
}

static int expiry_put(struct fleet_home *home, struct session *session,
		      const struct state_field *field)
{
	struct client *client = client_of(home, session);
	uint64_t at_s = 0;

	if (client == NULL)
		return -ENOMEM;
	if (!state_u64(field, &at_s) || at_s == 0 || client->expiry != NULL)
		return -EINVAL;
	return expiry_restore(client, at_s);
}

static int group_put(struct fleet_home *home, struct session *session, struct slice name)
{
	struct client *client = client_of(home, session);

	if (client == NULL)
		return -ENOMEM;
	return group_restore(client, name) ? 0 : -EINVAL;
}

static int claim_put(struct session *session, const struct state_field *field)
{
	struct client *client = session->client;
	uint64_t number;

	if (!state_u64(field, &number))
		return -EINVAL;
	/* Without a cluster there is nobody to tell. */
	if (number != CLAIM_BY_NONE && client != NULL && client->link.is_open &&
	    !client->takeover.is_on)
		takeover_restore(client,
				 number == CLAIM_BY_OLDEST ? DIRECTORY_OLDEST : DIRECTORY_NEWEST);
	return 0;
}

static int field_import(struct fleet_home *home, struct session *session,
			const struct state_field *field)
{
	switch (field->tag) {
	case CLIENT_TAG_GROUP:
		return group_put(home, session, field->value);
	case CLIENT_TAG_EXPIRES_AT:
		return expiry_put(home, session, field);
	case CLIENT_TAG_CLAIM:
		return claim_put(session, field);
	case CLIENT_TAG_RPC:
		return rpc_restore(session, field->value);
	default:
		return state_must_understand(field->tag) ? -EINVAL : 0;
	}
}

/* The callers of its calls hear of nothing. */
void client_discard(struct session *session)
{
	if (session->client != NULL && session->client->rpc != NULL)
		rpc_forget(&session->client->rpc, &command_call_discarder);
	fleet_client_leave(session);
}

int client_import(struct fleet_home *home, struct session *session, struct slice state)
{
	struct state_reader reader;
	struct state_field field;
	int r = fleet_client_enter(home, session);

	state_reader_init(&reader, state);
	while (r == 0 && state_next(&reader, &field))
		r = field_import(home, session, &field);
	if (r == 0 && reader.is_bad)
		r = -EINVAL;
	if (r < 0)
		client_discard(session);
	return r;
}

void client_thaw(struct session *session)
{
	struct client *client = session->client;

	if (client == NULL)
		return;
	expiry_thaw(client);
	takeover_thaw(client);
	if (client->rpc != NULL)
		rpc_thaw(client->rpc);
}

void client_forget(struct session *session)
{
	struct client *client = session->client;

	if (client != NULL && client->rpc != NULL)
		rpc_forget(&client->rpc, &command_call_owner);
	fleet_client_leave(session);
}
