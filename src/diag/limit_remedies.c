/* SPDX-License-Identifier: Apache-2.0
 * limit_remedies.c - how to raise each limit, with the value that is needed: the inverse
 * of what limit_rows.c works out. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/saturate.h"
#include "diag/capacity.h"
#include "diag/limits.h"

#define MIB (UINT64_C(1) << 20)

/* What is asked for, and the remedies found so far. */
struct request {
	const struct limits_input *input;
	const struct limit *limit;
	uint64_t connections; /* that are wanted */
	struct limit_remedy *out;
	size_t count;
};

__attribute__((format(printf, 3, 4))) static void add(struct request *request, const char *place,
						      const char *format, ...)
{
	va_list args;

	CHECK(request->count < LIMIT_REMEDIES_MAX);
	struct limit_remedy *remedy = &request->out[request->count++];

	*remedy = (struct limit_remedy){.place = place};
	va_start(args, format);
	vsnprintf(remedy->text, sizeof(remedy->text), format, args);
	va_end(args);
}

/* Of the remedies from `first` on: how they help. */
__attribute__((format(printf, 3, 4))) static void explain(struct request *request, size_t first,
							  const char *format, ...)
{
	for (size_t i = first; i < request->count; i++) {
		va_list args;

		va_start(args, format);
		vsnprintf(request->out[i].why, sizeof(request->out[i].why), format, args);
		va_end(args);
	}
}

/* What stands in the file is beaten by a variable or a flag: that has to go, too. */
static void beaten_note(struct request *request)
{
	static const char variable[] = "environment ", flag[] = "flag ";
	const char *set_by = request->limit->set_by;
	struct limit_remedy *remedy = &request->out[request->count - 1];
	size_t len = strlen(remedy->text), room = sizeof(remedy->text) - len;

	if (strncmp(set_by, variable, strlen(variable)) == 0)
		snprintf(remedy->text + len, room,
			 " # and take %s out of the environment, which beats the file",
			 set_by + strlen(variable));
	else if (strncmp(set_by, flag, strlen(flag)) == 0)
		snprintf(remedy->text + len, room, " # and take away %s, which beats the file",
			 set_by + strlen(flag));
}

/* Connections beyond those of now. */
static uint64_t further(const struct request *request)
{
	return saturating_sub(request->connections, request->input->connections);
}

static uint64_t divide_up(uint64_t value, uint64_t by)
{
	return value / by + (value % by != 0);
}

/* --- descriptors --- */

static struct capacity_facts capacity_facts_of(const struct limits_input *input,
					       enum loop_engine engine)
{
	return (struct capacity_facts){
		.engine = engine,
		.cores = input->cores,
		.nofile = input->os->nofile_soft.value,
		.backend_sockets = input->config == NULL ? 0
							 : config_backend_sockets(input->config),
		.listeners = input->config == NULL ? 1 : config_listener_count(input->config),
	};
}

/* The soft limit that is needed; 0: none suffices. */
static uint64_t nofile_needed(const struct request *request)
{
	const struct limits_input *input = request->input;
	struct capacity_facts facts = capacity_facts_of(input, input->engine);

	if (input->config == NULL) {
		/* What is no connection stays as it is, in each ring or in all. */
		bool is_ring = input->engine == LOOP_ENGINE_IO_URING;
		uint64_t tables = is_ring ? MAX(input->workers, UINT64_C(1)) : 1;

		return saturating_add(
			divide_up(request->connections, tables),
			saturating_sub(facts.nofile, input->nofile_connections / tables));
	}
	return capacity_nofile_for(&input->config->server, &facts, request->connections);
}

/* Everywhere that a limit on descriptors is set. */
static void add_nofile(struct request *request, uint64_t needed)
{
	const struct os_limits *os = request->input->os;
	bool is_over = os->nofile_hard.is_known && needed > os->nofile_hard.value;

	if (os->nr_open.is_known && needed > os->nr_open.value)
		add(request, "sysctl", "sysctl -w fs.nr_open=%" PRIu64, needed);
	add(request, "shell", "ulimit -n %" PRIu64 "%s", needed,
	    is_over ? " # as root: it is over the hard limit" : "");
	add(request, "systemd", "LimitNOFILE=%" PRIu64, needed);
	add(request, "compose", "ulimits: { nofile: { soft: %" PRIu64 ", hard: %" PRIu64 " } }",
	    needed, needed);
	add(request, "docker", "--ulimit nofile=%" PRIu64 ":%" PRIu64, needed, needed);
	add(request, "kubernetes",
	    "LimitNOFILE=%" PRIu64 " for the container runtime: a pod has no field for it", needed);
}

/* What makes rings for that many: nothing, a number of connections that `workers: auto`
 * follows, or a number of workers, and the workers that there will be. False: nothing does. */
static bool rings_text(const struct request *request, char *out, size_t size, uint64_t *out_workers)
{
	const struct limits_input *input = request->input;
	struct capacity_facts facts = capacity_facts_of(input, LOOP_ENGINE_IO_URING);
	struct config_server config = input->config->server;
	uint64_t workers = capacity_workers_for(&facts, request->connections);
	struct capacity now = capacity_plan(&config, &facts);

	out[0] = 0;
	*out_workers = workers;
	if (now.nofile_connections >= request->connections) {
		*out_workers = now.workers;
		return true;
	}
	config.max_connections = request->connections;
	struct capacity then = capacity_plan(&config, &facts);

	if (then.nofile_connections >= request->connections &&
	    request->connections <= CONFIG_CONNECTIONS_MAX) {
		*out_workers = then.workers;
		snprintf(out, size, "server.max_connections: %" PRIu64, request->connections);
	} else {
		snprintf(out, size, "server.workers: %" PRIu64, workers);
	}
	return workers != 0;
}

/* More workers, each with a ring of its own; or the engine whose workers have that. */
static void add_rings(struct request *request)
{
	const struct limits_input *input = request->input;
	bool is_ring = input->engine == LOOP_ENGINE_IO_URING;
	uint64_t nofile = input->os->nofile_soft.value, workers;
	size_t first = request->count;
	char rings[64];

	if (input->config == NULL || !input->can_io_uring ||
	    !rings_text(request, rings, sizeof(rings), &workers))
		return;
	if (is_ring)
		add(request, "configuration", "%s", rings);
	else
		add(request, "configuration", "server.engine: io_uring%s%s",
		    rings[0] != 0 ? ", " : "", rings);
	explain(request, first,
		is_ring ? "%" PRIu64
			  " workers then: each has a ring of its own, and a ring has room "
			  "for nofile (%" PRIu64 ") sockets"
			: "%" PRIu64 " workers then, each with a ring that has room for nofile "
			  "(%" PRIu64 ") sockets; with epoll they share that",
		workers, nofile);
}

static void remedy_nofile(struct request *request)
{
	bool is_ring = request->input->engine == LOOP_ENGINE_IO_URING;
	uint64_t needed = nofile_needed(request);

	add_rings(request);
	size_t first = request->count;

	if (needed != 0)
		add_nofile(request, needed);
	if (is_ring)
		explain(request, first,
			"room for so many sockets in the ring of each of %" PRIu64 " worker%s",
			request->input->workers, request->input->workers == 1 ? "" : "s");
	else
		explain(request, first,
			"one for each connection, and %" PRIu64 " that are none: %s",
			saturating_sub(needed, request->connections),
			request->input->config == NULL ? "its other descriptors"
						       : "workers, admin, handshakes, back ends");
}

static void remedy_nofile_hard(struct request *request)
{
	add_nofile(request, saturating_mul(request->limit->value, 2));
}

/* A sixteenth is not ours. */
static void remedy_file_max(struct request *request)
{
	uint64_t share = saturating_add(request->limit->used, further(request));

	add(request, "sysctl", "sysctl -w fs.file-max=%" PRIu64,
	    saturating_add(share, divide_up(share, 15)));
}

/* --- memory --- */

/* What payload may still take, beside connections of so many bytes. A share that is worked out
 * anew grows with the memory: to a quarter of what is free. */
static uint64_t payload_kept(const struct limits_input *input, uint64_t connection_bytes)
{
	uint64_t kept = saturating_sub(input->payload_max, input->payload_used);
	bool is_auto = input->config != NULL && input->config->server.payload_memory == 0;

	return kept > 0 && is_auto ? MAX(kept, divide_up(connection_bytes, 3)) : kept;
}

static uint64_t mib_for(const struct request *request, uint64_t used)
{
	uint64_t connections = saturating_mul(further(request), request->input->cost.bytes);
	uint64_t payload = payload_kept(request->input, connections);

	return divide_up(saturating_add(used, saturating_add(payload, connections)), MIB);
}

static void remedy_cgroup_memory(struct request *request)
{
	uint64_t mib = mib_for(request, request->limit->used);

	add(request, "systemd", "MemoryMax=%" PRIu64 "M", mib);
	add(request, "compose",
	    "mem_limit: %" PRIu64 "m # or deploy: { resources: { limits: { memory: %" PRIu64
	    "m } } }",
	    mib, mib);
	add(request, "docker", "--memory %" PRIu64 "m", mib);
	add(request, "kubernetes", "resources: { limits: { memory: %" PRIu64 "Mi } }", mib);
}

static void remedy_memory(struct request *request)
{
	uint64_t available = request->input->os->memory_available_bytes.value / MIB;

	add(request, "machine", "%" PRIu64 " MiB more memory", mib_for(request, 0) - available);
}

/* --- threads --- */

/* Threads of others stay, and each worker that is needed is one more. */
static void remedy_pids(struct request *request)
{
	const struct limits_input *input = request->input;
	uint64_t per_ring = input->workers == 0 ? 0 : input->nofile_connections / input->workers;
	uint64_t others = input->is_running ? saturating_sub(request->limit->used, input->workers)
					    : request->limit->used + 1;

	if (per_ring == 0)
		return;
	uint64_t needed = saturating_add(others, divide_up(request->connections, per_ring));

	add(request, "systemd", "TasksMax=%" PRIu64, needed);
	add(request, "compose", "pids_limit: %" PRIu64, needed);
	add(request, "docker", "--pids-limit %" PRIu64, needed);
	add(request, "kubernetes", "podPidsLimit: %" PRIu64 " in the kubelet's configuration",
	    needed);
}

/* --- network --- */

static void remedy_conntrack(struct request *request)
{
	add(request, "sysctl", "sysctl -w net.netfilter.nf_conntrack_max=%" PRIu64,
	    saturating_add(request->limit->used, further(request)));
}

static void remedy_syn_cookies(struct request *request)
{
	if (request->limit->value == 0)
		add(request, "sysctl", "sysctl -w net.ipv4.tcp_syncookies=1");
}

/* Three values in pages, in the ratio that the kernel itself gives them. */
static void remedy_tcp_mem(struct request *request)
{
	uint64_t pages = saturating_mul(request->limit->value, 2) / (uint64_t)sysconf(_SC_PAGESIZE);

	add(request, "sysctl", "sysctl -w net.ipv4.tcp_mem=\"%" PRIu64 " %" PRIu64 " %" PRIu64 "\"",
	    pages / 2, pages / 3 * 2, pages);
}

#define PORTS_LOW  1024
#define PORTS_HIGH 65535

static void remedy_ports(struct request *request)
{
	if (request->limit->value < PORTS_HIGH - PORTS_LOW + 1)
		add(request, "sysctl", "sysctl -w net.ipv4.ip_local_port_range=\"%d %d\"",
		    PORTS_LOW, PORTS_HIGH);
}

/* --- the rest --- */

static void remedy_max_connections(struct request *request)
{
	/* What is `auto` follows the other limits, at the next start. */
	if (request->input->config->server.max_connections != 0 &&
	    request->connections <= CONFIG_CONNECTIONS_MAX) {
		add(request, "configuration", "server.max_connections: %" PRIu64,
		    request->connections);
		beaten_note(request);
	}
}

static void remedy_io_uring(struct request *request)
{
	const struct os_value *sysctl = &request->input->os->io_uring_disabled;

	if (request->limit->value == 0 && sysctl->is_known && sysctl->value != 0)
		add(request, "sysctl", "sysctl -w kernel.io_uring_disabled=0");
}

static void remedy_memlock(struct request *request)
{
	uint64_t bytes = saturating_mul(MAX(request->limit->value, UINT64_C(4096)), 2);

	add(request, "shell", "ulimit -l %" PRIu64, divide_up(bytes, 1024));
	add(request, "systemd", "LimitMEMLOCK=%" PRIu64, bytes);
	add(request, "compose", "ulimits: { memlock: { soft: %" PRIu64 ", hard: %" PRIu64 " } }",
	    bytes, bytes);
	add(request, "docker", "--ulimit memlock=%" PRIu64 ":%" PRIu64, bytes, bytes);
}

/* Those that are one number in one place, and do not cap: no number of connections says
 * how large it must be. */
static void remedy_by_doubling(struct request *request)
{
	static const struct {
		enum limit_id id;
		const char *place;
		const char *text; /* before the number */
	} rows[] = {
		{LIMIT_ID_MAX_CONNECTIONS_PER_IP, "configuration",
		 "server.max_connections_per_ip: "},
		{LIMIT_ID_PAYLOAD_MEMORY, "configuration", "server.payload_memory: "},
		{LIMIT_ID_TLS_HANDSHAKES, "configuration", "server.tls_handshakes_max: "},
		{LIMIT_ID_TLS_HANDSHAKE_RATE, "configuration", "server.tls_handshake_rate: "},
		{LIMIT_ID_TAKEOVER_RATE, "configuration", "server.takeover_rate: "},
		{LIMIT_ID_AUTH_FAILURES, "configuration", "server.auth_failures: "},
		{LIMIT_ID_PASSWORD_QUEUE, "configuration", "server.password_queue: "},
		{LIMIT_ID_ACCEPT_RATE, "configuration", "server.accept_rate: "},
		{LIMIT_ID_ROUTE_CONNECTIONS, "configuration", "routes[].max_connections: "},
		{LIMIT_ID_KEEP_ALIVE_MAX, "configuration", "server.keep_alive_max: "},
		{LIMIT_ID_REFUSE_BROWSERS_MAX, "configuration", "server.refuse_browsers_max: "},
		{LIMIT_ID_COMPRESSION_MEMORY, "configuration", "server.compression_memory: "},
		{LIMIT_ID_MESSAGE_RATE, "configuration", "server.message_rate: "},
		{LIMIT_ID_BYTE_RATE, "configuration", "server.byte_rate: "},
		{LIMIT_ID_BACKEND_PENDING, "configuration", "backends[].pending_max: "},
		{LIMIT_ID_TICKETS, "configuration", "admin.tickets_max: "},
		{LIMIT_ID_BLOCKS, "configuration", "admin.blocks_max: "},
		{LIMIT_ID_STREAMS, "configuration", "admin.streams_max: "},
		{LIMIT_ID_NR_OPEN, "sysctl", "sysctl -w fs.nr_open="},
		{LIMIT_ID_SOMAXCONN, "sysctl", "sysctl -w net.core.somaxconn="},
		{LIMIT_ID_SYN_BACKLOG, "sysctl", "sysctl -w net.ipv4.tcp_max_syn_backlog="},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].id != request->limit->id)
			continue;
		add(request, rows[i].place, "%s%" PRIu64, rows[i].text,
		    saturating_mul(request->limit->value, 2));
		beaten_note(request);
	}
}

size_t limit_remedies(const struct limits_input *input, const struct limit *limit,
		      uint64_t connections, struct limit_remedy out[LIMIT_REMEDIES_MAX])
{
	static void (*const remedies[LIMIT_ID_COUNT])(struct request *) = {
		[LIMIT_ID_MAX_CONNECTIONS] = remedy_max_connections,
		[LIMIT_ID_NOFILE] = remedy_nofile,
		[LIMIT_ID_NOFILE_HARD] = remedy_nofile_hard,
		[LIMIT_ID_FILE_MAX] = remedy_file_max,
		[LIMIT_ID_CGROUP_MEMORY] = remedy_cgroup_memory,
		[LIMIT_ID_MEMORY] = remedy_memory,
		[LIMIT_ID_PIDS] = remedy_pids,
		[LIMIT_ID_CONNTRACK] = remedy_conntrack,
		[LIMIT_ID_EPHEMERAL_PORTS] = remedy_ports,
		[LIMIT_ID_SYN_COOKIES] = remedy_syn_cookies,
		[LIMIT_ID_TCP_MEM] = remedy_tcp_mem,
		[LIMIT_ID_IO_URING] = remedy_io_uring,
		[LIMIT_ID_MEMLOCK] = remedy_memlock,
	};
	struct request request = {input, limit, connections, out, 0};
	bool suffices = limit_kind(limit->id) == LIMIT_CAPS && limit->connections >= connections;

	if (limit->state != LIMIT_KNOWN || suffices)
		return 0;
	if (remedies[limit->id] != NULL)
		remedies[limit->id](&request);
	else
		remedy_by_doubling(&request);
	return request.count;
}

char *limit_remedy_line(const struct limits_input *input, const struct limit *limit,
			uint64_t connections, char out[LIMIT_REMEDY_LINE_MAX])
{
	struct limit_remedy remedies[LIMIT_REMEDIES_MAX];
	size_t count = limit_remedies(input, limit, connections, remedies);
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count && at < LIMIT_REMEDY_LINE_MAX; i++)
		at += (size_t)snprintf(out + at, LIMIT_REMEDY_LINE_MAX - at, "%s%s: %s",
				       i == 0 ? "" : "; ", remedies[i].place, remedies[i].text);
	return out;
}
