/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_nodes.h"

#include <stdio.h>

#include "base/log.h"
#include "fleet/nodes.h"
#include "server/worker.h"

static void describe(void *arg, struct node_facts *out_facts)
{
	const struct server_nodes *self = arg;
	struct ruleset *ruleset = server_ruleset(self->server);

	*out_facts = (struct node_facts){
		.status = server_status_name(server_status(self->server)),
		.connections = server_connections(self->server),
		.max_connections = server_max_connections(self->server),
		.clients = server_clients(self->server),
	};
	snprintf(out_facts->console, sizeof(out_facts->console), "%.*s", NODE_CONSOLE_MAX,
		 ruleset->config.admin.console_url.text);
	ruleset_unref(&ruleset);
}

static void on_closed(void *arg)
{
	struct server_nodes *self = arg;
	struct fleet_home *home = &self->worker->home.fleet;

	home->clients--;
	home->on_gone(home);
}

void server_nodes_open(struct server_nodes *self, struct worker *worker)
{
	self->worker = worker;
	int r = nodes_open(&(struct nodes_options){.fleet = server_fleet(self->server),
						   .loop = worker->loop,
						   .describe = describe,
						   .on_closed = on_closed,
						   .arg = self},
			   &self->nodes);

	if (r == 0)
		worker->home.fleet.clients++;
	else
		log_warn("the list of nodes stays empty: out of memory");
}

void server_nodes_close(struct server_nodes *self)
{
	if (self->nodes == NULL)
		return;
	if (fleet_has_moved(server_fleet(self->server)))
		nodes_hand_over(&self->nodes);
	else
		nodes_close(&self->nodes);
}
