/* SPDX-License-Identifier: Apache-2.0
 * api_upgrade.c - a new process is to take over. The main thread makes it, as for SIGUSR2, and the
 * answer comes when the outcome is known. */
#include <signal.h>
#include <unistd.h>

#include "admin/api/api_call.h"
#include "admin/upgrades.h"
#include "http/http_later.h"

/* Beside server.upgrade_timeout: for the end of a process that did not make it. */
#define PATIENCE_MS 15000

static void refuse(struct http_reply *reply)
{
	api_problem(reply, 409, "under_way",
		    "An upgrade is under way already, or this process is ending, or drained by "
		    "command (gatehouse drain --cancel); look at the log, and ask again.",
		    (struct slice){0}, NULL);
}

void api_upgrade(struct api_call *call)
{
	struct server *server = call->api->server;
	struct upgrades *upgrades = call->api->upgrades;

	if (!api_query(call, NULL, 0))
		return;
	if (upgrades_facts(upgrades).is_under_way || server_status(server) == SERVER_DRAINING) {
		refuse(call->reply);
		return;
	}
	struct http_later *later = http_later_take(
		call->request, call->config->server.upgrade_timeout + PATIENCE_MS);

	if (later == NULL) {
		api_problem_no_memory(call->reply);
		return;
	}
	if (upgrades_ask(upgrades, later)) {
		kill(getpid(), SIGUSR2);
		return;
	}
	struct http_reply reply = {0};

	refuse(&reply);
	http_later_reply(later, &reply);
}
