/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_prepare.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/bench_ready.h"
#include "os/net_resolve.h"

bool bench_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("gatehouse bench: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return false;
}

static bool target_resolve(const struct bench_url *url, const char *text, struct net_addr *out)
{
	const char *problem = net_resolve(url->host, url->port, out);

	if (problem != NULL)
		return bench_complain("the host '%s' of '%s' has no address: %s", url->host, text,
				      problem);
	return true;
}

static bool wait_ready(const struct bench_run_state *run, const volatile sig_atomic_t *interrupts)
{
	const struct bench_options *options = run->options;
	char error[3584];

	if (options->ready_text == NULL)
		return true;
	int r = bench_ready_wait(&options->ready_url, run->setup.tls, options->ready_timeout_ms,
				 options->is_quiet ? NULL : stderr, interrupts, error,
				 sizeof(error));

	if (r == -EINTR)
		return bench_complain("interrupted while waiting for the service");
	return r == 0 ||
	       bench_complain("%s. Is the service up? --wait-ready-timeout waits longer", error);
}

/* The name of a service, such as a container's, may be there only once it is up. */
static bool wait_for_name(const struct bench_run_state *run,
			  const volatile sig_atomic_t *interrupts)
{
	const struct bench_options *options = run->options;
	struct net_addr ignored;

	return options->ready_text == NULL ||
	       net_resolve(options->url.host, options->url.port, &ignored) == NULL ||
	       wait_ready(run, interrupts);
}

/* Whether this machine can run the test, said before anything is asked of the other. */
static bool preflight_pass(struct bench_run_state *run)
{
	const struct bench_options *options = run->options;
	struct bench_preflight_facts *facts = &run->facts;
	struct bench_preflight *preflight = &run->preflight;
	char text[BENCH_PREFLIGHT_EXPLAIN_MAX];
	int r = bench_preflight_facts_read(options, &run->setup.nodes[0].remote, facts);

	if (r < 0)
		return bench_complain("--engine %s cannot run here: %s; use --engine epoll or auto",
				      loop_engine_name(options->engine), strerror(-r));
	bench_preflight_make(facts, preflight);
	if (!preflight->fits && !options->is_forced)
		return bench_complain("%s", bench_preflight_explain(preflight, text));
	if (!preflight->fits)
		bench_complain("warning: %s; going on anyway (--force)",
			       bench_preflight_line(preflight, text, sizeof(text)));
	run->result.cores = facts->cores;
	run->setup.engine = facts->engine;
	run->setup.workers = preflight->workers;
	run->setup.in_flight_max = preflight->in_flight_max;
	run->setup.sockets_max = os_limits_nofile().soft;
	return true;
}

static bool files_open(struct bench_run_state *run)
{
	char error[512];

	return bench_files_open(&run->files, run->options, error, sizeof(error)) == 0 ||
	       bench_complain("%s", error);
}

static bool proof_load(struct bench_run_state *run)
{
	char error[512];

	return bench_proof_load(run->options, &run->setup.proof, error, sizeof(error)) == 0 ||
	       bench_complain("%s", error);
}

static bool tls_make(struct bench_run_state *run)
{
	struct tls_error error;

	if (!bench_options_has_tls(run->options))
		return true;
	run->setup.tls = bench_tls_context(run->options, &error);
	return run->setup.tls != NULL || bench_complain("%s", error.text);
}

static bool api_open(struct bench_run_state *run)
{
	char error[768];

	if (bench_api_open(&run->api, run->options, run->setup.tls, error, sizeof(error)) < 0)
		return bench_complain("%s", error);
	bench_stage_init(&run->stage, &run->api);
	return true;
}

/* The URL's own, and those of --node. */
static bool nodes_resolve(struct bench_run_state *run)
{
	const struct bench_options *options = run->options;
	struct bench_setup *setup = &run->setup;

	setup->nodes[0].url = &options->url;
	if (!target_resolve(&options->url, options->url_text, &setup->nodes[0].remote))
		return false;
	for (size_t i = 0; i < options->node_count; i++) {
		struct bench_node *node = &setup->nodes[i + 1];

		node->url = &options->node_urls[i];
		if (!target_resolve(node->url, options->node_texts[i], &node->remote))
			return false;
	}
	setup->node_count = 1 + (unsigned)options->node_count;
	return true;
}

/* Source addresses, which are spread over only if all nodes are on the loopback. */
static struct bench_sources sources_plan(const struct bench_run_state *run)
{
	const struct bench_setup *setup = &run->setup;
	uint64_t ports = bench_preflight_ports(&run->facts),
		 connections = run->options->connections;
	struct bench_sources sources = bench_sources_plan(&setup->nodes[0].remote, connections,
							  ports);

	for (unsigned i = 1; i < setup->node_count; i++) {
		struct bench_sources other = bench_sources_plan(&setup->nodes[i].remote,
								connections, ports);

		if (!other.is_spread)
			sources = other;
	}
	bench_sources_shift(&sources, (uint64_t)getpid());
	return sources;
}

bool bench_prepare(struct bench_run_state *run, const volatile sig_atomic_t *interrupts)
{
	struct bench_setup *setup = &run->setup;
	const struct bench_options *options = run->options;

	setup->options = options;
	if (!proof_load(run) || !tls_make(run) || !files_open(run) ||
	    !wait_for_name(run, interrupts) || !nodes_resolve(run) || !preflight_pass(run) ||
	    !wait_ready(run, interrupts) || !api_open(run))
		return false;
	if (options->ticket_text != NULL &&
	    !target_resolve(&options->ticket_url, options->ticket_text, &setup->ticket_remote))
		return false;
	bench_target_begin(&run->target, options, &setup->nodes[0].remote, setup->tls,
			   &run->preflight);
	setup->sources = sources_plan(run);
	setup->ticket_sources = bench_sources_plan(&setup->ticket_remote, options->connections,
						   bench_preflight_ports(&run->facts));
	bench_sources_shift(&setup->ticket_sources, (uint64_t)getpid());
	run->workers = calloc(setup->workers, sizeof(struct bench_worker *));
	run->recorder = calloc(1, sizeof(*run->recorder));
	int r = bench_payload_init(&setup->payload, options->size,
				   options->is_json     ? BENCH_FILL_JSON
				   : options->is_binary ? BENCH_FILL_BINARY
							: BENCH_FILL_TEXT);

	return (run->workers != NULL && run->recorder != NULL && r == 0) ||
	       bench_complain("memory is out before the start");
}
