/* SPDX-License-Identifier: Apache-2.0
 * metrics_bus.c - numbers of the bus, from the tables of bus.h. */
#include <stdio.h>

#include "admin/admin.h"
#include "base/metrics_text.h"

struct row {
	const char *name;
	const char *type;
	const char *help; /* without its dot */
	uint64_t value;
};

static void rows_each(const struct bus_stats *stats, bool is_connected,
		      void (*call)(const struct row *row, void *arg), void *arg)
{
#define COUNTER(field, text) \
	call(&(struct row){"gatehouse_bus_" #field "_total", "counter", text, stats->field}, arg);
#define GAUGE(field, text) \
	call(&(struct row){"gatehouse_bus_" #field, "gauge", text, stats->field}, arg);
	BUS_COUNTERS(COUNTER)
	BUS_GAUGES(GAUGE)
	call(&(struct row){"gatehouse_bus_connected", "gauge",
			   "1 while there is a broker; always with the embedded bus", is_connected},
	     arg);
}

static void write_row(const struct row *row, void *arg)
{
	PRINT(arg, "# HELP %s %s.\n# TYPE %s %s\n%s %" PRIu64 "\n", row->name, row->help, row->name,
	      row->type, row->name, row->value);
}

static void print_row(const struct row *row, void *arg)
{
	fprintf(arg, "| `%s` | %s | Bus: %s. |\n", row->name, row->type, row->help);
}

void metrics_bus_write(struct bus *bus, struct buf *out)
{
	struct bus_status status;
	struct bus_stats stats;

	bus_stats(bus, &stats);
	bus_status(bus, &status);
	rows_each(&stats, status.is_connected, write_row, out);
}

void metrics_bus_print_reference(FILE *to)
{
	rows_each(&(struct bus_stats){0}, false, print_row, to);
}
