/* SPDX-License-Identifier: Apache-2.0
 * api_reload.c - has the configuration read again. The main thread does, as for SIGHUP, and answers
 * with what has become of it. */
#include <signal.h>
#include <unistd.h>

#include "admin/api/api_call.h"
#include "admin/reloads.h"

static void refuse(struct http_reply *reply)
{
	api_problem(reply, 503, "ending",
		    "The gateway is ending, or its memory is out: nothing is read again.",
		    (struct slice){0}, NULL);
}

void api_reload(struct api_call *call)
{
	struct reloads *reloads = call->api->reloads;

	if (!api_query(call, NULL, 0))
		return;
	struct http_later *later = api_take(call);

	if (later == NULL)
		return;
	if (reloads_ask(reloads, later)) {
		kill(getpid(), SIGHUP);
		return;
	}
	struct http_reply reply = {0};

	refuse(&reply);
	http_later_reply(later, &reply);
}
