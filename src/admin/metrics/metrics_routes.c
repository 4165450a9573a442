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

struct page {
	struct buf *out;
	const struct route_family *family;
};

static void write_one(void *arg, const char *name, const struct route_load *load)
{
	const struct page *page = arg;
	const char *numbers = (const char *)load;

	PRINT(page->out, "%s{route=\"%s\"} %" PRIu64 "\n", page->family->name, name,
	      counter_read((const uint64_t *)(const void *)(numbers + page->family->number)));
}

/* Also of routes that were taken out, while clients of them are there. */
void metrics_routes_write(const struct server *server, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct page page = {out, &families[i]};

		metrics_print_head(out, families[i].name, families[i].kind, families[i].help);
		route_loads_each(server_route_loads(server), write_one, &page);
	}
}

void metrics_routes_print_reference(FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		fprintf(to, "| `%s` | %s | %s |\n", families[i].name, families[i].kind,
			families[i].help);
}
