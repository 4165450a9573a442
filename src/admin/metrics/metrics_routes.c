/* SPDX-License-Identifier: Apache-2.0
 * metrics_routes.c - numbers of each route; the label is its name in the configuration. */
#include "admin/admin.h"
#include "admin/metrics/metrics_before.h"
#include "base/metrics_text.h"
#include "base/slice.h"
#include "route/route.h"

/* Of struct route_load. */
static const struct metrics_number numbers[] = {
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

#define ACCEPTED "gatehouse_route_connections_accepted_total"

/* Of struct route_counts, of all workers. */
static const struct metrics_number counted[] = {
	{ACCEPTED, "counter",
	 "WebSocket handshakes completed; gatehouse_connections_accepted_total by route.",
	 offsetof(struct route_counts, accepted)},
	{"gatehouse_route_messages_received_total", "counter", "Whole messages from clients.",
	 offsetof(struct route_counts, messages_received)},
	{"gatehouse_route_messages_sent_total", "counter", "Whole messages to clients.",
	 offsetof(struct route_counts, messages_sent)},
	{"gatehouse_route_received_bytes_total", "counter",
	 "Bytes from clients, frame heads included.",
	 offsetof(struct route_counts, received_bytes)},
	{"gatehouse_route_sent_bytes_total", "counter",
	 "Bytes queued to clients, frame heads included.",
	 offsetof(struct route_counts, sent_bytes)},
};

#define FAILURES "gatehouse_route_handshake_failures_total"
#define FAILURES_HELP                                                                         \
	"Handshakes on the route that came to nothing, by reason (below). Those of no route " \
	"are in gatehouse_handshakes_rejected_total alone."

#define CLOSED "gatehouse_route_connections_closed_total"
#define CLOSED_HELP \
	"WebSocket connections ended, by reason; gatehouse_connections_closed_total by route."

#define LIVES "gatehouse_route_connection_duration_seconds"
#define LIVES_HELP                                                                          \
	"How long connections lasted that have ended, from the handshake on, over live "    \
	"upgrades. Many short ones: clients that flap; many of the same length: something " \
	"between cuts them."

struct page {
	struct buf *out;
	const struct metrics_number *number;
	/* The details of one route. */
	void (*detail)(struct buf *out, const char *name, const struct route_counts *counts);
};

static void write_one(void *arg, const char *name, const struct route_load *load)
{
	const struct page *page = arg;

	metrics_print_number(page->out, page->number, "route", name, load);
}

static void write_counted(void *arg, const char *name, const struct route_load *load)
{
	const struct page *page = arg;
	struct route_counts sum;

	route_load_sum(load, &sum);
	metrics_print_number(page->out, page->number, "route", name, &sum);
}

static void failures_write(struct buf *out, const char *name, const struct route_counts *counts)
{
	for (unsigned i = 0; i < ROUTE_FAILURE_COUNT; i++)
		PRINT(out, FAILURES "{route=\"%s\",reason=\"%s\"} %" PRIu64 "\n", name,
		      route_failure_label(i), counts->failures[i]);
}

static void closed_write(struct buf *out, const char *name, const struct route_counts *counts)
{
	for (unsigned i = 0; i < CLOSE_REASON_COUNT; i++)
		PRINT(out, CLOSED "{route=\"%s\",reason=\"%s\"} %" PRIu64 "\n", name,
		      close_table[i].label, counts->closed[i]);
}

static void lives_write(struct buf *out, const char *name, const struct route_counts *counts)
{
	char labels[CONFIG_TEXT_MAX + 16];

	snprintf(labels, sizeof(labels), "route=\"%s\"", name);
	metrics_print_durations(out, LIVES, labels, &counts->lives, durations_life_us);
}

static void write_detail(void *arg, const char *name, const struct route_load *load)
{
	const struct page *page = arg;
	struct route_counts sum;

	if (!load->is_detailed)
		return;
	route_load_sum(load, &sum);
	page->detail(page->out, name, &sum);
}

/* Ends, failures and durations; those of routes without details are one series each, with an empty
 * name. */
static const struct {
	const char *name, *kind, *help;
	void (*write)(struct buf *out, const char *name, const struct route_counts *counts);
} detailed[] = {
	{FAILURES, "counter", FAILURES_HELP, failures_write},
	{CLOSED, "counter", CLOSED_HELP, closed_write},
	{LIVES, "histogram", LIVES_HELP, lives_write},
};

static void numbers_write(struct route_loads *loads, struct buf *out,
			  const struct metrics_number *of, size_t count,
			  void (*write)(void *arg, const char *name, const struct route_load *load))
{
	for (size_t i = 0; i < count; i++) {
		struct page page = {.out = out, .number = &of[i]};

		metrics_print_number_head(out, &of[i]);
		route_loads_each(loads, write, &page);
	}
}

/* Also of routes that were taken out, while clients of them are there. */
void metrics_routes_write(const struct server *server, struct buf *out)
{
	struct route_loads *loads = server_route_loads(server);
	struct route_counts others;

	numbers_write(loads, out, numbers, ARRAY_LEN(numbers), write_one);
	numbers_write(loads, out, counted, ARRAY_LEN(counted), write_counted);
	for (size_t i = 0; i < ARRAY_LEN(detailed); i++) {
		struct page page = {.out = out, .detail = detailed[i].write};

		metrics_print_head(out, detailed[i].name, detailed[i].kind, detailed[i].help);
		route_loads_each(loads, write_detail, &page);
		if (route_loads_others(loads, &others))
			detailed[i].write(out, "", &others);
	}
}

static void write_rest(void *arg, const char *name, const struct route_load *load)
{
	const struct page *page = arg;
	struct route_counts sum;

	if (load->is_detailed)
		return;
	route_load_sum(load, &sum);
	page->detail(page->out, name, &sum);
}

void metrics_routes_write_rest(const struct admin *admin, struct buf *out)
{
	struct route_loads *loads = server_route_loads(admin->server);
	struct buf rest = {0};

	for (size_t i = 0; i < ARRAY_LEN(detailed); i++) {
		if (detailed[i].write == lives_write)
			continue; /* the overview has none */
		struct page page = {.out = &rest, .detail = detailed[i].write};

		metrics_print_head(&rest, detailed[i].name, detailed[i].kind, detailed[i].help);
		route_loads_each(loads, write_rest, &page);
	}
	metrics_before_add(admin->before, &rest);
	PRINT(out, "%.*s", SLICE_ARG(buf_slice(&rest)));
	buf_finish(&rest);
}

/* --- a live upgrade --- */

/* The name of the route, if the line is the one sample that there is of each. */
static bool route_of(struct slice line, char *out_name, size_t size)
{
	static const char mark[] = ACCEPTED "{route=\"";
	size_t len = strlen(mark);
	struct slice name;

	if (line.len <= len || memcmp(line.data, mark, len) != 0)
		return false;
	struct slice rest = slice_of(line.data + len, line.len - len);

	if (!slice_next(&rest, '"', &name) || name.len == 0 || name.len >= size)
		return false;
	snprintf(out_name, size, "%.*s", SLICE_ARG(name));
	return true;
}

/* In their order: those that went first are the first to go here, too. Details only of those that
 * had some: what the others counted is in the series without a name. */
void metrics_routes_keep(const struct server *server, struct metrics_before *before,
			 struct slice page)
{
	struct slice rest = page, line;
	char name[CONFIG_TEXT_MAX], lives[sizeof(LIVES "_count{route=\"\"}") + sizeof(name)];

	while (slice_next(&rest, '\n', &line)) {
		if (!route_of(line, name, sizeof(name)))
			continue;
		snprintf(lives, sizeof(lives), LIVES "_count{route=\"%s\"}", name);
		route_loads_keep(server_route_loads(server), name,
				 metrics_before_has(before, lives));
	}
}

void metrics_routes_print_reference(FILE *to)
{
	metrics_print_number_rows(to, numbers, ARRAY_LEN(numbers));
	metrics_print_number_rows(to, counted, ARRAY_LEN(counted));
	for (size_t i = 0; i < ARRAY_LEN(detailed); i++)
		fprintf(to, "| `%s` | %s | %s |\n", detailed[i].name, detailed[i].kind,
			detailed[i].help);
}

void metrics_routes_print_failures(FILE *to)
{
	fputs("\n## Handshakes that came to nothing: `" FAILURES
	      "{reason}`\n\n| reason | meaning |\n| --- | --- |\n",
	      to);
	for (unsigned i = 0; i < ROUTE_FAILURE_COUNT; i++)
		fprintf(to, "| `%s` | %s |\n", route_failure_label(i), route_failure_help(i));
}
