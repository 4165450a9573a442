/* SPDX-License-Identifier: Apache-2.0
 * health.c - /health, /readyz and /livez: is the gateway well, is it ready for clients, does it
 * live (admin.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/admin.h"
#include "auth/jwks.h"
#include "http/http_json.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/renewals.h"
#include "admin/drain_json.h"
#include "server/server_turns.h"

/* Ready, and not well. */
#define DEGRADED "degraded"

struct backends_judgement {
	json_t *reasons;
	const struct config *config;
};

/* A sentence for a back end that a route needs and that does not work. */
static void backend_judge(void *arg, const struct event_backend *backend)
{
	const struct backends_judgement *judgement = arg;
	char text[192];

	if (!config_backend_is_used(judgement->config, backend->name) ||
	    !event_backend_is_down(backend))
		return;
	snprintf(text, sizeof(text),
		 "the back end %s does not answer; %" PRIu64 " events wait for it", backend->name,
		 counter_read(&backend->stats.waiting));
	json_array_append_new(judgement->reasons, json_string(text));
}

static void bus_judge(const struct server *server, json_t *reasons)
{
	const struct fleet *fleet = server_fleet(server);
	struct bus_status status;
	char text[sizeof(status.detail) + 64];

	bus_status(fleet->bus, &status);
	if (!status.is_connected) {
		snprintf(text, sizeof(text), "the bus is not connected: %s", status.detail);
		json_array_append_new(reasons, json_string(text));
	}
	if (status.forbidden[0] != 0)
		json_array_append_new(reasons, json_string(status.forbidden));
}

struct keys_judgement {
	json_t *reasons;
	bool is_about_none; /* those without any key, or those that have old ones */
};

static void keys_judge_one(void *arg, const struct jwks_status *status)
{
	const struct keys_judgement *judgement = arg;
	char text[JWKS_ERROR_MAX + 256];

	if (judgement->is_about_none != (status->keys == 0) ||
	    (status->keys > 0 && (status->failures == 0 || status->is_file)))
		return;
	if (status->keys == 0)
		snprintf(text, sizeof(text),
			 "there are no keys for tokens from %.160s, so none is accepted: %s",
			 status->name, status->error[0] == 0 ? "not fetched yet" : status->error);
	else
		snprintf(text, sizeof(text),
			 "no newer keys for tokens come from %.160s (those of %" PRIu64
			 " s ago are in use): %s",
			 status->name, status->age_ms / 1000, status->error);
	json_array_append_new(judgement->reasons, json_string(text));
}

/* A sentence for each source of keys that fails; of files the renewals tell. Without keys no client
 * of its routes can come in.
 */
static void keys_judge(const struct server *server, json_t *reasons, bool is_about_none)
{
	struct keys_judgement judgement = {.reasons = reasons, .is_about_none = is_about_none};

	jwks_pool_each(server_jwks(server), keys_judge_one, &judgement);
}

/* A sentence for each loop that does not turn. */
static void loops_judge(const struct server *server, json_t *reasons)
{
	char name[SERVER_LOOP_NAME_MAX], text[128];

	for (size_t i = 0; i <= server_worker_count(server); i++) {
		uint64_t hangs_ns = server_hangs_ns(server, i);

		if (hangs_ns == 0)
			continue;
		snprintf(text, sizeof(text),
			 "the loop %s has not turned for %" PRIu64 " s: whoever is in it is not "
			 "served",
			 server_loop_name(server, i, name), hangs_ns / NS_PER_S);
		json_array_append_new(reasons, json_string(text));
	}
}

/* Why it is not ready, a sentence each. NULL without memory. */
static json_t *reasons(const struct server *server, const struct config *config,
		       enum server_status status, const struct server_drain_report *drain)
{
	json_t *list = json_array();
	char text[128];

	if (status == SERVER_STARTING)
		snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " workers listen",
			 server_workers_listening(server),
			 server_options(server)->plan->capacity.workers);
	else
		snprintf(text, sizeof(text), "the gateway is %s; %" PRIu64 " connections are left",
			 drain->is_ending ? "shutting down" : "drained, by command",
			 server_connections(server));
	if (status != SERVER_READY)
		json_array_append_new(list, json_string(text));
	loops_judge(server, list);
	bus_judge(server, list);
	backends_each(server_backends(server), backend_judge,
		      &(struct backends_judgement){list, config});
	keys_judge(server, list, true);
	return list;
}

/* What could not be renewed, a sentence each. Whoever is connected or comes is served as before, so
 * that it is not degraded by it. */
static void renewal_tell(void *arg, const struct renewal_state *state)
{
	json_t *reasons = arg;
	char text[sizeof(((struct renewal_error *)0)->text) + 64];

	if (state->error == NULL)
		return;
	snprintf(text, sizeof(text), "%s were changed and cannot be used: %s", state->what,
		 state->error);
	json_array_append_new(reasons, json_string(text));
}

/* A node without its back ends takes clients all the same, whose events wait; and as all nodes
 * lose them together, none would be left. */
static bool is_good(const struct server *server, const struct config *config,
		    enum health_question question, const char *status)
{
	bool is_degraded = strcmp(status, DEGRADED) == 0;
	bool is_ready = is_degraded || strcmp(status, server_status_name(SERVER_READY)) == 0;

	switch (question) {
	case HEALTH_LIVE:
		return server_turns(server); /* a restart mends that, and nothing else */
	case HEALTH_READY:
		return is_ready && server_turns(server) &&
		       (!is_degraded ||
			config->server.ready_without_backends == CONFIG_SWITCH_TRUE);
	default:
		return is_ready && !is_degraded;
	}
}

const char *health_judge(const struct server *server, json_t **out_why)
{
	enum server_status status = server_status(server);
	struct ruleset *ruleset = server_ruleset(server);
	struct server_drain_report drain;

	server_drain_report(server, &drain);
	json_t *why = reasons(server, &ruleset->config, status, &drain);
	bool is_degraded = status == SERVER_READY && json_array_size(why) > 0;

	renewals_each(server_options(server)->renewals, renewal_tell, why);
	keys_judge(server, why, false); /* it works */
	ruleset_unref(&ruleset);
	*out_why = why;
	return is_degraded ? DEGRADED : server_status_name(status);
}

void health_answer(const struct server *server, enum health_question question,
		   struct http_reply *reply)
{
	uint64_t uptime_ns = clock_now_ns() - server_started_ns(server);
	struct ruleset *ruleset = server_ruleset(server);
	struct server_drain_report drain;
	json_t *why;
	const char *status = health_judge(server, &why);
	json_t *body = json_pack("{s:s, s:o, s:I, s:I, s:I, s:s}", "status", status, "reasons", why,
				 "connections", (json_int_t)server_connections(server),
				 "max_connections", (json_int_t)server_max_connections(server),
				 "uptime_seconds", (json_int_t)(uptime_ns / NS_PER_S), "version",
				 GATEHOUSE_VERSION);

	server_drain_report(server, &drain);
	if (drain.asked_ns != 0)
		json_object_set_new(body, "drain", drain_json(&drain));
	http_reply_json(reply, is_good(server, &ruleset->config, question, status) ? 200 : 503,
			body, JSON_INDENT(2));
	ruleset_unref(&ruleset);
}
