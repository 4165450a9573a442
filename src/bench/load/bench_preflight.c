/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_preflight.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/units.h"
#include "bench/load/bench_schedule.h"
#include "bench/judge/bench_verdict.h"

static uint64_t value_or(const struct os_value *fact, uint64_t otherwise)
{
	return fact->is_known ? fact->value : otherwise;
}

static bool can_io_uring(void)
{
	enum loop_engine engine;
	const char *reason;

	return loop_engine_choose(LOOP_ENGINE_IO_URING, &engine, &reason) == 0;
}

int bench_preflight_facts_read(const struct bench_options *options, const struct net_addr *remote,
			       struct bench_preflight_facts *out_facts)
{
	struct bench_preflight_facts facts = {
		.cores = os_limits_cores(),
		.connections = options->connections,
		.workers = options->workers,
		.is_spread = bench_sources_plan(remote, 1, 1).is_spread,
	};
	int r = loop_engine_choose(options->engine, &facts.engine, &facts.engine_reason);

	if (r < 0)
		return r;
	facts.can_io_uring = facts.engine == LOOP_ENGINE_IO_URING || can_io_uring();
	os_limits_raise_nofile();
	os_limits_read(&(struct os_source){0}, &facts.os);
	*out_facts = facts;
	return 0;
}

#define DEFAULT_PORTS 28232

uint64_t bench_preflight_ports(const struct bench_preflight_facts *facts)
{
	const struct os_value *low = &facts->os.port_low, *high = &facts->os.port_high;

	if (!low->is_known || !high->is_known)
		return DEFAULT_PORTS;
	return high->value >= low->value ? high->value - low->value + 1 : 1;
}

static struct bench_machine machine_of(const struct bench_preflight_facts *facts)
{
	return (struct bench_machine){
		.engine = facts->engine,
		.nofile = {value_or(&facts->os.nofile_soft, OS_UNLIMITED),
			   value_or(&facts->os.nofile_hard, OS_UNLIMITED)},
		.open_files = value_or(&facts->os.open_files, 0),
		.cores = facts->cores,
	};
}

/* A source address has each port once for the target. Over many addresses ports do not
 * run out. */
static void ports_cap(const struct bench_preflight_facts *facts, struct limit *row)
{
	if (row->state != LIMIT_KNOWN || facts->is_spread)
		return;
	row->connections = row->value;
	snprintf(row->cost, sizeof(row->cost), "1 port of the one source address");
}

/* The descriptors, the memory and the rest of the table; or the ports. */
static const struct limit *binding_of(const struct bench_preflight *preflight)
{
	const struct limit *binding = limits_binding(&preflight->limits);
	const struct limit *ports = &preflight->limits.rows[LIMIT_ID_EPHEMERAL_PORTS];

	if (ports->connections == LIMIT_NO_CAP)
		return binding;
	return binding == NULL || ports->connections < binding->connections ? ports : binding;
}

void bench_preflight_make(const struct bench_preflight_facts *facts,
			  struct bench_preflight *out_preflight)
{
	struct bench_machine machine = machine_of(facts);
	unsigned workers = bench_plan_workers(&machine, facts->connections, facts->workers);

	*out_preflight = (struct bench_preflight){
		.facts = facts,
		.workers = workers,
		.in_flight_max = bench_plan_in_flight(&machine, workers),
		.input = {.os = &facts->os,
			  .engine = facts->engine,
			  .engine_reason = facts->engine_reason,
			  .workers = workers,
			  .nofile_connections = bench_plan_room(&machine, workers),
			  .cost = {.bytes = BENCH_BYTES_PER_CONNECTION}},
	};
	limits_build(&out_preflight->input, &out_preflight->limits);
	ports_cap(facts, &out_preflight->limits.rows[LIMIT_ID_EPHEMERAL_PORTS]);
	out_preflight->binding = binding_of(out_preflight);
	out_preflight->allowed = out_preflight->binding == NULL
					 ? LIMIT_NO_CAP
					 : out_preflight->binding->connections;
	out_preflight->fits = facts->connections <= out_preflight->allowed;
}

/* What is special in how the limit counts here. */
static const char *how_it_counts(const struct bench_preflight *preflight)
{
	switch (preflight->binding->id) {
	case LIMIT_ID_NOFILE:
		return preflight->facts->engine == LOOP_ENGINE_IO_URING ? " per ring" : "";
	case LIMIT_ID_EPHEMERAL_PORTS:
		return preflight->facts->is_spread
			       ? ""
			       : " ports, and it has one source address for this target";
	default:
		return "";
	}
}

char *bench_preflight_line(const struct bench_preflight *preflight, char *out, size_t size)
{
	const struct limit *limit = preflight->binding;
	char allowed[32], value[32];

	if (limit == NULL) {
		snprintf(out, size, "no limit of this tester's machine is known to cap it");
		return out;
	}
	int len = snprintf(out, size, "this tester can open about %s connections: its own %s is %s",
			   units_format_grouped(preflight->allowed, allowed),
			   limit_label(limit->id), units_format_grouped(limit->value, value));

	if (len > 0 && (size_t)len < size)
		snprintf(out + len, size - (size_t)len, "%s%s",
			 limit->id == LIMIT_ID_MEMORY || limit->id == LIMIT_ID_CGROUP_MEMORY
				 ? " bytes"
				 : "",
			 how_it_counts(preflight));
	return out;
}

static void add_remedies(struct buf *text, const struct bench_preflight *preflight)
{
	struct limit_remedy remedies[LIMIT_REMEDIES_MAX];
	size_t count = limit_remedies(&preflight->input, preflight->binding,
				      preflight->facts->connections, remedies);

	for (size_t i = 0; i < count; i++)
		buf_printf(text, BENCH_PREFLIGHT_EXPLAIN_MAX, "  %-10s %s: %s\n",
			   i == 0 ? "raise it:" : "", remedies[i].place, remedies[i].text);
}

/* What else than raising the limit lets the test run. */
static void add_ways_round(struct buf *text, const struct bench_preflight *preflight)
{
	const struct bench_preflight_facts *facts = preflight->facts;
	enum limit_id id = preflight->binding->id;

	if (id == LIMIT_ID_NOFILE && facts->engine == LOOP_ENGINE_EPOLL && facts->can_io_uring)
		buf_printf(text, BENCH_PREFLIGHT_EXPLAIN_MAX,
			   "  %-10s --engine io_uring (its connections take no descriptor)\n",
			   "or:");
	if (id == LIMIT_ID_NOFILE && facts->engine == LOOP_ENGINE_IO_URING && facts->workers > 0)
		buf_printf(text, BENCH_PREFLIGHT_EXPLAIN_MAX,
			   "  %-10s leave --workers out (each worker has a ring of its own)\n",
			   "or:");
	if (id == LIMIT_ID_EPHEMERAL_PORTS)
		buf_printf(text, BENCH_PREFLIGHT_EXPLAIN_MAX,
			   "  %-10s a target on 127.0.0.0/8 (many source addresses), or several "
			   "testers\n",
			   "or:");
	if (preflight->allowed > 0)
		buf_printf(text, BENCH_PREFLIGHT_EXPLAIN_MAX, "  %-10s -c %lu\n",
			   "or:", (unsigned long)preflight->allowed);
	buf_printf(text, BENCH_PREFLIGHT_EXPLAIN_MAX,
		   "  %-10s --force: go on anyway, and open as many as it can", "or:");
}

char *bench_preflight_explain(const struct bench_preflight *preflight,
			      char out[BENCH_PREFLIGHT_EXPLAIN_MAX])
{
	struct buf text = {0};
	char line[512], wanted[32];

	CHECK(preflight->binding != NULL);
	buf_printf(&text, BENCH_PREFLIGHT_EXPLAIN_MAX,
		   "%s, but %s are wanted; nothing was tested\n",
		   bench_preflight_line(preflight, line, sizeof(line)),
		   units_format_grouped(preflight->facts->connections, wanted));
	add_remedies(&text, preflight);
	add_ways_round(&text, preflight);
	snprintf(out, BENCH_PREFLIGHT_EXPLAIN_MAX, "%.*s", SLICE_ARG(buf_slice(&text)));
	buf_finish(&text);
	return out;
}
