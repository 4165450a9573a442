/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/client.h"

#include <errno.h>
#include <stdlib.h>

struct client *client_of(struct fleet_home *home, struct session *session)
{
	if (session->client != NULL)
		return session->client;
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->home = home;
	client->session = session;
	session->client = client;
	home->clients++;
	return client;
}

static void client_free(struct client *client)
{
	struct fleet_home *home = client->home;

	free(client);
	home->clients--;
	home->on_gone(home);
}

int fleet_client_enter(struct fleet_home *home, struct session *session)
{
	if (!home->fleet->is_clustered)
		return 0;
	return client_of(home, session) == NULL ? -ENOMEM : 0;
}

void fleet_client_leave(struct session *session)
{
	struct client *client = session->client;

	if (client == NULL)
		return;
	session->client = NULL;
	client->session = NULL;
	client_free(client);
}
