/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "fleet/expiry.h"

void fleet_home_init(struct fleet_home *home, struct fleet *fleet, struct loop *loop,
		     void (*on_gone)(struct fleet_home *home))
{
	*home = (struct fleet_home){.fleet = fleet, .loop = loop, .on_gone = on_gone};
	list_init(&home->asks);
}

bool fleet_home_is_idle(const struct fleet_home *home)
{
	return home->clients == 0 && home->questions == 0 && home->groups.interests == 0 &&
	       home->groups.fan_outs == 0 && list_is_empty(&home->asks);
}

void fleet_home_finish(struct fleet_home *home)
{
	groups_home_finish(home);
}

/* --- one client --- */

struct client *client_of(struct fleet_home *home, struct session *session)
{
	if (session->client != NULL)
		return session->client;
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->home = home;
	client->session = session;
	client->holders = 1;
	groups_client_init(client);
	session->client = client;
	home->clients++;
	return client;
}

void client_hold(struct client *client)
{
	CHECK(client->holders > 0);
	client->holders++;
}

void client_release(struct client *client)
{
	struct fleet_home *home = client->home;

	CHECK(client->holders > 0 && home->clients > 0);
	if (--client->holders > 0)
		return;
	/* Its session, which left last, has taken all of these along. */
	CHECK(client->session == NULL && !client->link.is_open && !client->takeover.is_on);
	CHECK(client->rpc == NULL && client->expiry == NULL && client->groups.count == 0);
	free(client);
	home->clients--;
	home->on_gone(home);
}

int fleet_client_enter(struct fleet_home *home, struct session *session)
{
	if (!home->fleet->is_clustered)
		return 0;
	struct client *client = client_of(home, session);
	int r = client == NULL ? -ENOMEM : link_open(client);

	if (r == 0)
		r = groups_client_enter(client);
	if (r < 0)
		fleet_client_leave(session);
	return r;
}

void fleet_client_leave(struct session *session)
{
	struct client *client = session->client;

	if (client == NULL)
		return;
	CHECK(client->session == session);
	expiry_leave(client);
	takeover_leave(client);
	link_close(client);
	groups_client_leave(client);
	session->client = NULL;
	rpc_destroy(&client->rpc);
	client->session = NULL;
	client_release(client);
}
