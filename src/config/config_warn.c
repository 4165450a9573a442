/* SPDX-License-Identifier: Apache-2.0
 * config_warn.c - what is no mistake, but can hardly be meant: options that take each other's
 * effect away, back ends that nobody uses, doors that stand open. */
#include "base/check.h"
#include "base/units.h"
#include "config/config_option.h"

/* [ms] After so much silence proxies and clouds cut a connection, if they are not told
 * otherwise; docs/http.md has the table. */
#define PROXY_CUTS_MS (60 * CONFIG_SECOND)

#define DURATION_MAX 32
#define DURATION(ms) units_format_duration_ms(ms, (char[DURATION_MAX]){0}, DURATION_MAX)

static bool is_given(const struct config *config, enum config_option_number option)
{
	return config->origins[option].kind != CONFIG_FROM_DEFAULT;
}

/* "FILE:LINE:COLUMN: " of the first of two options that somebody wrote. */
static const char *place_of(const struct config *config, enum config_option_number first,
			    enum config_option_number second, char out[CONFIG_PLACE_MAX])
{
	return config_origin_format(config, is_given(config, first) ? first : second, out);
}

static void pings_warn(struct config *config)
{
	const struct config_server *server = &config->server;
	char place[CONFIG_PLACE_MAX];

	if (server->ping_interval == 0 && server->idle_timeout == 0)
		config_report_add(
			&config->warnings,
			"%sserver.ping_interval: 0, without an idle_timeout: a client that "
			"vanishes "
			"without a word is never noticed; set one of them",
			config_origin_format(config, CONFIG_OPTION_server_ping_interval, place));
	if (server->ping_interval == 0 && is_given(config, CONFIG_OPTION_server_pong_timeout))
		config_report_add(
			&config->warnings,
			"%sserver.pong_timeout: has no effect with server.ping_interval: 0; remove "
			"it, or set that",
			config_origin_format(config, CONFIG_OPTION_server_pong_timeout, place));
	if (server->ping_interval != 0 && server->idle_timeout != 0 &&
	    server->idle_timeout <= server->ping_interval)
		config_report_add(&config->warnings,
				  "%sserver.idle_timeout: %s ends a silent connection before "
				  "server.ping_interval: %s sends it a ping; make that shorter, or "
				  "0 if no pings are wanted",
				  place_of(config, CONFIG_OPTION_server_idle_timeout,
					   CONFIG_OPTION_server_ping_interval, place),
				  DURATION(server->idle_timeout), DURATION(server->ping_interval));
}

/* A proxy that is trusted is there. */
static void proxy_warn(struct config *config)
{
	const struct config_server *server = &config->server;
	bool is_early = server->ping_interval != 0 && server->ping_interval < PROXY_CUTS_MS;
	char place[CONFIG_PLACE_MAX];

	if (server->trusted_proxies.count > 0 && !is_early)
		config_report_add(
			&config->warnings,
			"%sserver.ping_interval: %s, and there are trusted_proxies: most proxies "
			"cut what is silent for 60s; make it shorter than their limit "
			"(docs/http.md)",
			config_origin_format(config, CONFIG_OPTION_server_ping_interval, place),
			DURATION(server->ping_interval));
}

static void server_warn(struct config *config)
{
	const struct config_server *server = &config->server;
	char place[CONFIG_PLACE_MAX];

	if (server->drain_timeout != 0 && server->drain_timeout < server->close_timeout)
		config_report_add(&config->warnings,
				  "%sserver.drain_timeout: %s cuts the clients before "
				  "server.close_timeout: %s, which they have for the closing "
				  "handshake; make it longer",
				  place_of(config, CONFIG_OPTION_server_drain_timeout,
					   CONFIG_OPTION_server_close_timeout, place),
				  DURATION(server->drain_timeout), DURATION(server->close_timeout));
	if (server->accept_burst != 0 && server->accept_rate == 0)
		config_report_add(
			&config->warnings,
			"%sserver.accept_burst: has no effect with server.accept_rate: 0; set that "
			"too, or remove it",
			config_origin_format(config, CONFIG_OPTION_server_accept_burst, place));
	if (config->bus.type == CONFIG_BUS_NATS &&
	    config->bus.claim_timeout >= server->handshake_timeout)
		config_report_add(&config->warnings,
				  "%sbus.claim_timeout: %s is not shorter than "
				  "server.handshake_timeout: %s, so that a client is cut while the "
				  "other nodes are asked; make it shorter",
				  place_of(config, CONFIG_OPTION_bus_claim_timeout,
					   CONFIG_OPTION_server_handshake_timeout, place),
				  DURATION(config->bus.claim_timeout),
				  DURATION(server->handshake_timeout));
}

static void bus_warn(struct config *config)
{
	const struct config_bus *bus = &config->bus;
	char place[CONFIG_PLACE_MAX];

	if (bus->reconnect_min > bus->reconnect_max)
		config_report_add(&config->warnings,
				  "%sbus.reconnect_min: %s is longer than reconnect_max: %s, which "
				  "no wait exceeds; make it shorter",
				  place_of(config, CONFIG_OPTION_bus_reconnect_min,
					   CONFIG_OPTION_bus_reconnect_max, place),
				  DURATION(bus->reconnect_min), DURATION(bus->reconnect_max));
}

/* The API answers nobody else without a token; health, metrics and limits do. */
static void admin_warn(struct config *config)
{
	const struct config_admin *admin = &config->admin;
	char place[CONFIG_PLACE_MAX], address[NET_ADDR_TEXT_MAX];

	if (!net_addr_is_wildcard(&admin->listen) || admin->token.text[0] != 0 ||
	    admin->token_file.text[0] != 0)
		return;
	config_report_add(&config->warnings,
			  "%sadmin.listen: %s is open to every network, and there is no token: "
			  "whoever reaches it reads metrics and limits, and the API answers on "
			  "loopback only; listen on 127.0.0.1, or set admin.token_file",
			  config_origin_format(config, CONFIG_OPTION_admin_listen, place),
			  net_addr_format(&admin->listen, address, sizeof(address)));
}

/* --- back ends --- */

/* Where this option of a back end stands, or its name, if it has its default. */
static const struct config_origin *backend_origin(const struct config_backend *backend,
						  enum config_backend_option_number option)
{
	const struct config_origin *origin = &backend->given[option];

	return origin->kind == CONFIG_FROM_FILE ? origin
						: &backend->given[CONFIG_OPTION_backends_name];
}

static void backend_times_warn(struct config *config, size_t index)
{
	const struct config_backend *backend = &config->backends[index];
	bool is_webhook = backend->type == CONFIG_BACKEND_WEBHOOK;
	bool is_asked = is_webhook || backend->connect == CONFIG_CONNECT_ASK;
	const struct config_origin *origin = backend_origin(backend,
							    CONFIG_OPTION_backends_timeout);

	if (is_asked && backend->timeout >= config->server.handshake_timeout)
		config_report_add(&config->warnings,
				  "%s:%u:%u: backends[%zu].timeout: %s is not shorter than "
				  "server.handshake_timeout: %s, so that a client is cut before %s "
				  "has answered whether it may come in; make it shorter",
				  config->file, origin->line, origin->column, index,
				  DURATION(backend->timeout),
				  DURATION(config->server.handshake_timeout), backend->name);
	origin = backend_origin(backend, CONFIG_OPTION_backends_connect_timeout);
	if (is_webhook && backend->connect_timeout > backend->timeout)
		config_report_add(&config->warnings,
				  "%s:%u:%u: backends[%zu].connect_timeout: %s has no effect with "
				  "timeout: %s, which the whole attempt has; make it shorter",
				  config->file, origin->line, origin->column, index,
				  DURATION(backend->connect_timeout), DURATION(backend->timeout));
}

static void backends_warn(struct config *config)
{
	for (size_t i = 0; i < config->backend_count; i++) {
		const struct config_backend *backend = &config->backends[i];
		const struct config_origin *origin = &backend->given[CONFIG_OPTION_backends_name];

		if (config_backend_is_used(config, backend->name))
			backend_times_warn(config, i);
		else
			config_report_add(&config->warnings,
					  "%s:%u:%u: no route uses the back end %s", config->file,
					  origin->line, origin->column, backend->name);
	}
}

/* --- routes --- */

static void profiles_warn(struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];
		const struct config_origin *origin =
			&route->given[CONFIG_OPTION_routes_security_profile];

		if (route->security_profile == CONFIG_PROFILE_1)
			config_report_add(
				&config->warnings,
				"%s:%u:%u: routes[%zu].security_profile: 1 sends passwords "
				"in clear: whoever is on the way reads them, and everything "
				"else; use 2 or 3, or a VPN around it",
				config->file, origin->line, origin->column, i);
	}
}

void config_warn(struct config *config)
{
	pings_warn(config);
	proxy_warn(config);
	server_warn(config);
	bus_warn(config);
	admin_warn(config);
	backends_warn(config);
	profiles_warn(config);
}
