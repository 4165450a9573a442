/* SPDX-License-Identifier: Apache-2.0
 * config_routes.c - routes by name, and what must hold between them: each has its own path
 * and name. */
#include "config/config_walk.h"

#include <inttypes.h>
#include <string.h>

#include "config/config_option.h"

const struct config_route *config_route_find(const struct config *config, struct slice name)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (slice_equals(name, slice_from_text(config->routes[i].name)))
			return &config->routes[i];
	return NULL;
}

/* Is what proves who somebody is in a cookie? */
static bool has_cookie_proof(const struct config_route *route)
{
	for (size_t i = 0; i < route->auth.count; i++) {
		const struct config_auth *auth = &route->auth.items[i];

		if (auth->type == CONFIG_AUTH_TOKEN &&
		    (auth->from & (1u << CONFIG_TOKEN_IN_COOKIE)) != 0)
			return true;
	}
	return false;
}

/* A browser sends cookies with every page's request: there its own pages alone are let in. */
enum config_origins_mode config_route_origins(const struct config_route *route)
{
	if (route->origins.mode != CONFIG_ORIGINS_AUTO)
		return route->origins.mode;
	return has_cookie_proof(route) ? CONFIG_ORIGINS_SAME : CONFIG_ORIGINS_ANY;
}

/* Compares with all routes before it; one without a path had a mistake. */
static bool route_repeat_check(const struct config_walk *walk, size_t index)
{
	const struct config_route *routes = walk->config->routes;
	const struct config_origin *origin = &routes[index].given[CONFIG_OPTION_routes_path];

	for (size_t i = 0; i < index; i++) {
		const struct config_origin *first = &routes[i].given[CONFIG_OPTION_routes_path];

		if (routes[i].path == NULL ||
		    !config_path_is_same(routes[i].path, routes[index].path))
			continue;
		config_report_add(walk->report,
				  "%s:%u:%u: routes[%zu].path: %s is the same route as routes[%zu] "
				  "at %s:%u:%u; remove one",
				  walk->file, origin->line, origin->column, index,
				  routes[index].path, i, walk->file, first->line, first->column);
		return false;
	}
	return true;
}

/* Where a route was given its name, or the path that the name is made from. */
static const struct config_origin *name_origin(const struct config_route *route)
{
	const struct config_origin *own = &route->given[CONFIG_OPTION_routes_name];

	return own->kind == CONFIG_FROM_FILE ? own : &route->given[CONFIG_OPTION_routes_path];
}

static void route_name_check(const struct config_walk *walk, size_t index)
{
	const struct config_route *routes = walk->config->routes, *route = &routes[index];
	const struct config_origin *origin = name_origin(route);
	uint64_t max = config_route_options[CONFIG_OPTION_routes_name].max;

	if (strlen(route->name) > max) {
		config_report_add(walk->report,
				  "%s:%u:%u: routes[%zu].name: the path gives it %zu bytes; write "
				  "a name of at most %" PRIu64,
				  walk->file, origin->line, origin->column, index,
				  strlen(route->name), max);
		return;
	}
	for (size_t i = 0; i < index; i++) {
		const struct config_origin *first = name_origin(&routes[i]);

		if (routes[i].name == NULL || strcmp(routes[i].name, route->name) != 0)
			continue;
		config_report_add(walk->report,
				  "%s:%u:%u: routes[%zu].name: %s is the name of routes[%zu] at "
				  "%s:%u:%u too (without one it is made from the path); write "
				  "another",
				  walk->file, origin->line, origin->column, index, route->name, i,
				  walk->file, first->line, first->column);
		return;
	}
}

static void route_name_default(const struct config_walk *walk, size_t index)
{
	struct config_route *route = &walk->config->routes[index];

	if (route->given[CONFIG_OPTION_routes_name].kind == CONFIG_FROM_FILE)
		return;
	route->name = config_path_name(route->path);
	if (route->name == NULL)
		config_report_add(walk->report, "routes[%zu].name: out of memory", index);
}

void config_route_check(const struct config_walk *walk, size_t index)
{
	const struct config_route *route = &walk->config->routes[index];

	config_preset_apply(walk, index);
	if (route->path == NULL || !route_repeat_check(walk, index))
		return;
	route_name_default(walk, index);
	if (route->name != NULL)
		route_name_check(walk, index);
}
