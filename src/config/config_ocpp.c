/* SPDX-License-Identifier: Apache-2.0
 * config_ocpp.c - what a route is given by `preset: ocpp`, and what must hold for a security
 * profile of OCPP.
 *
 * A preset fills in what the file does not say, so a key that is written wins. A profile is one way
 * to be let in and no other: whoever could choose a weaker one would be where an attacker wants all
 * to be. So keys that would allow another are mistakes, and the gateway refuses what comes by less
 * (conn/profile.h). */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config/config_option.h"
#include "config/config_walk.h"

/* --- the preset --- */

/* Best first: a charger that speaks several speaks the newest. */
static const char *const subprotocols[] = {"ocpp2.1", "ocpp2.0.1", "ocpp1.6"};

static const struct {
	enum config_route_option_number option;
	const char *value;
} values[] = {
	{CONFIG_OPTION_routes_merge_slashes, "true"},
	{CONFIG_OPTION_routes_subprotocol_mismatch, "close"},
	{CONFIG_OPTION_routes_rpc, "ocpp-j"},
	{CONFIG_OPTION_routes_compression, "shared"},
};

/* It stands where the preset does. */
static struct config_origin origin_of(const struct config_route *route)
{
	struct config_origin origin = route->given[CONFIG_OPTION_routes_preset];

	origin.kind = CONFIG_FROM_PRESET;
	return origin;
}

static bool is_given(const struct config_route *route, enum config_route_option_number option)
{
	return route->given[option].kind == CONFIG_FROM_FILE;
}

static bool subprotocols_fill(struct config_tokens *tokens)
{
	tokens->items = calloc(ARRAY_LEN(subprotocols), sizeof(*tokens->items));
	if (tokens->items == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(subprotocols); i++) {
		tokens->items[i] = strdup(subprotocols[i]);
		if (tokens->items[i] == NULL)
			return false;
		tokens->count++;
	}
	return true;
}

/* Profile 3 has nothing that an operator must choose: the common name is the charger's. */
static bool certificate_way_add(struct config_route *route)
{
	if (!config_list_allocate(config_kind_list(CONFIG_AUTHS), &route->auth, 1))
		return false;
	struct config_auth *auth = config_list_add(config_kind_list(CONFIG_AUTHS), &route->auth);

	auth->type = CONFIG_AUTH_CERTIFICATE;
	for (size_t i = 0; i < CONFIG_OPTION_COUNT_auth; i++)
		auth->given[i] = origin_of(route);
	return true;
}

/* The secrets of chargers are octets in hex, or short texts. */
static void secret_formats_fill(struct config_route *route)
{
	for (size_t i = 0; i < route->auth.count; i++) {
		struct config_auth *auth = &route->auth.items[i];
		struct config_origin *origin = &auth->given[CONFIG_OPTION_auth_secret_format];

		if (auth->type != CONFIG_AUTH_BASIC || origin->kind == CONFIG_FROM_FILE)
			continue;
		auth->secret_format = CONFIG_SECRET_FORMAT_OCPP;
		*origin = origin_of(route);
	}
}

static bool preset_fill(struct config_route *route)
{
	struct config_problem problem;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (is_given(route, values[i].option))
			continue;
		CHECK(config_value_apply(&config_route_options[values[i].option],
					 slice_from_text(values[i].value), route, &problem));
		route->given[values[i].option] = origin_of(route);
	}
	secret_formats_fill(route);
	if (!is_given(route, CONFIG_OPTION_routes_subprotocols)) {
		route->given[CONFIG_OPTION_routes_subprotocols] = origin_of(route);
		if (!subprotocols_fill(&route->subprotocols))
			return false;
	}
	if (route->security_profile != CONFIG_PROFILE_3 ||
	    is_given(route, CONFIG_OPTION_routes_auth))
		return true;
	route->given[CONFIG_OPTION_routes_auth] = origin_of(route);
	return certificate_way_add(route);
}

void config_preset_apply(const struct config_walk *walk, size_t index)
{
	struct config_route *route = &walk->config->routes[index];

	if (route->preset == CONFIG_PRESET_OCPP && !preset_fill(route))
		config_report_add(walk->report, "routes[%zu].preset: out of memory", index);
}

/* --- profiles --- */

static void mistake(const struct config *config, size_t index, const char *text,
		    struct config_report *report)
{
	const struct config_origin *origin =
		&config->routes[index].given[CONFIG_OPTION_routes_security_profile];

	config_report_add(report, "%s:%u:%u: routes[%zu].security_profile: %d %s", config->file,
			  origin->line, origin->column, index,
			  (int)config->routes[index].security_profile, text);
}

/* What the back end is asked about is its own affair, also with a password. */
static bool may_have(enum config_security_profile profile, enum config_auth_type type)
{
	if (profile == CONFIG_PROFILE_3)
		return type == CONFIG_AUTH_CERTIFICATE;
	return type == CONFIG_AUTH_BASIC || type == CONFIG_AUTH_BACKEND;
}

static void ways_check(const struct config *config, size_t index, struct config_report *report)
{
	const struct config_route *route = &config->routes[index];

	if (route->auth.count == 0)
		mistake(config, index,
			route->security_profile == CONFIG_PROFILE_3
				? "needs certificates; write 'auth: [{type: certificate}]'"
				: "needs passwords; write 'auth: [{type: basic, users_file: "
				  "FILE}]', or [{type: backend}] if the back end checks them",
			report);
	for (size_t i = 0; i < route->auth.count; i++)
		if (!may_have(route->security_profile, route->auth.items[i].type)) {
			mistake(config, index,
				route->security_profile == CONFIG_PROFILE_3
					? "lets in by certificate alone; remove the ways of other "
					  "types from auth"
					: "lets in by password alone; remove the ways of other "
					  "types than basic and backend from auth",
				report);
			return;
		}
}

/* TLS that ends at a proxy counts, if that tells of it. */
static void transport_check(const struct config *config, size_t index, struct config_report *report)
{
	const struct config_server *server = &config->server;
	bool has_tls = server->trusted_proxies.count > 0;

	for (size_t i = 0; i < server->listeners.count; i++)
		has_tls |= config_has_tls(&server->listeners.items[i].tls);
	if (!has_tls)
		mistake(config, index,
			"needs TLS, and no listener has it; write server.listeners with tls "
			"(docs/tls.md)",
			report);
	else if (!config_sees_certificates(config) &&
		 config->routes[index].security_profile == CONFIG_PROFILE_3)
		mistake(config, index,
			"needs clients with certificates, and no listener asks for one; write "
			"tls.client_ca_file and tls.client_certificate: required, or optional "
			"where others have none",
			report);
}

void config_profiles_check(const struct config *config, struct config_report *report)
{
	for (size_t i = 0; i < config->route_count; i++) {
		enum config_security_profile profile = config->routes[i].security_profile;

		if (profile == CONFIG_PROFILE_NONE)
			continue;
		ways_check(config, i, report);
		if (profile != CONFIG_PROFILE_1)
			transport_check(config, i, report);
	}
}
