/* SPDX-License-Identifier: Apache-2.0
 * metrics_routes.c - numbers of each route; the label is its name in the configuration. */
#include "admin/admin.h"
#include "base/counter.h"
#include "base/metrics_text.h"
#include "route/route.h"

static const struct route_family {
	const char *name;
	const char *kind;
	const char *help;
	size_t number; /* place in struct route_load */
} families[] = {
	{"gatehouse_route_connections", "gauge",
	 "Connections that are let in, or that a back end decides about; at most "
	 "routes[].max_connections.",
	 offsetof(struct route_load, connections)},
	{"gatehouse_route_connections_refused_total", "counter",
	 "Clients refused because routes[].max_connections were there.",
	 offsetof(struct route_load, connections_refused)},
	{"gatehouse_origins_refused_total", "counter",
	 "Requests refused with 403 for the sake of their Origin (routes[].origins, "
	 "require_origin). Also in gatehouse_handshakes_rejected_total; the log names the Origin.",
	 offsetof(struct route_load, origins_refused)},
};

static void family_write(const struct route_table *routes, struct buf *out,
			 const struct route_family *family)
{
	metrics_print_head(out, family->name, family->kind, family->help);
	for (size_t i = 0; i < route_table_count(routes); i++) {
		const struct route *route = route_table_at(routes, i);
		const char *load = (const char *)route->load;

		PRINT(out, "%s{route=\"%s\"} %" PRIu64 "\n", family->name, route->config->name,
		      counter_read((const uint64_t *)(const void *)(load + family->number)));
	}
}

void metrics_routes_write(const struct server *server, struct buf *out)
{
	const struct route_table *routes = server_options(server)->ruleset->routes;

	for (size_t i = 0; routes != NULL && i < ARRAY_LEN(families); i++)
		family_write(routes, out, &families[i]);
}

void metrics_routes_print_reference(FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		fprintf(to, "| `%s` | %s | %s |\n", families[i].name, families[i].kind,
			families[i].help);
}
