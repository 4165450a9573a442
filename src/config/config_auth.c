/* SPDX-License-Identifier: Apache-2.0
 * config_auth.c - what must hold between the keys of a way to prove who one is. */
#include <string.h>

#include "base/check.h"
#include "config/config_option.h"

/* An entry of a route's list. */
struct way {
	const struct config *config;
	const struct config_route *route;
	const struct config_auth *auth;
	size_t route_index;
	size_t index;
};

static void way_mistake(const struct way *way, enum config_auth_option_number option,
			const char *text, struct config_report *report)
{
	const struct config_origin *origin = &way->auth->given[option];

	if (origin->kind != CONFIG_FROM_FILE)
		origin = &way->auth->given[CONFIG_OPTION_auth_type];
	config_report_add(report, "%s:%u:%u: routes[%zu].auth[%zu].%s: %s", way->config->file,
			  origin->line, origin->column, way->route_index, way->index,
			  config_auth_options[option].key, text);
}

static void token_check(const struct way *way, struct config_report *report)
{
	bool has_url = way->auth->jwks_url != NULL;
	bool has_file = way->auth->jwks_file.text[0] != 0;

	if (!has_url && !has_file)
		way_mistake(way, CONFIG_OPTION_auth_jwks_url,
			    "is missing, and jwks_file too; write one of them: the keys that "
			    "tokens are checked with",
			    report);
	if (has_url && has_file)
		way_mistake(way, CONFIG_OPTION_auth_jwks_file,
			    "is given, and jwks_url too; remove one of them", report);
}

/* A back end that is told of clients, but not asked, lets everybody in. */
static void backend_check(const struct way *way, struct config_report *report)
{
	const struct config_backend *backend = config_backend_find(way->config,
								   way->route->backend);

	if (backend != NULL && backend->type == CONFIG_BACKEND_NATS &&
	    backend->connect == CONFIG_CONNECT_ACCEPT)
		way_mistake(way, CONFIG_OPTION_auth_type,
			    "the route's back end lets everybody in (connect: accept); give it "
			    "connect: ask, or remove this way",
			    report);
	if (strcmp(way->route->backend, CONFIG_ECHO) == 0)
		way_mistake(way, CONFIG_OPTION_auth_type,
			    "the back end echo lets everybody in; name another in the route, or "
			    "remove this way",
			    report);
}

/* The file says who is who; so the other would have no effect. */
static void certificate_check(const struct way *way, struct config_report *report)
{
	bool has_identity = way->auth->given[CONFIG_OPTION_auth_identity].kind == CONFIG_FROM_FILE;

	if (way->auth->map_file.text[0] != 0 && has_identity)
		way_mistake(way, CONFIG_OPTION_auth_identity,
			    "is given, and map_file too; remove one of them", report);
}

static void way_check(const struct way *way, struct config_report *report)
{
	switch (way->auth->type) {
	case CONFIG_AUTH_TOKEN:
		token_check(way, report);
		return;
	case CONFIG_AUTH_BACKEND:
		backend_check(way, report);
		return;
	case CONFIG_AUTH_CERTIFICATE:
		certificate_check(way, report);
		return;
	case CONFIG_AUTH_BASIC:
	case CONFIG_AUTH_TICKET:
		return;
	}
}

void config_auth_check(const struct config *config, struct config_report *report)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];

		for (size_t j = 0; j < route->auth.count; j++) {
			struct way way = {.config = config,
					  .route = route,
					  .auth = &route->auth.items[j],
					  .route_index = i,
					  .index = j};

			way_check(&way, report);
		}
	}
}
