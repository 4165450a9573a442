/* SPDX-License-Identifier: Apache-2.0
 * limit_rows.c - limits_build: one function for each row that is worked out, one line for
 * each that is only shown. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/saturate.h"
#include "diag/limit_rows.h"

/* --- descriptors --- */

static void build_nofile(const struct limits_input *input, struct limit *row)
{
	bool is_ring = input->engine == LOOP_ENGINE_IO_URING;

	limit_row_take(row, &input->os->nofile_soft);
	if (row->state == LIMIT_UNKNOWN)
		return;
	row->connections = input->nofile_connections;
	if (is_ring) {
		limit_row_use(row, input->fullest_ring);
		limit_note(row, "io_uring: per ring; %" PRIu64 " worker%s with one each",
			   input->workers, input->workers == 1 ? "" : "s");
		snprintf(row->cost, sizeof(row->cost), "1 slot in the ring of its worker");
		return;
	}
	limit_row_take_used(row, &input->os->open_files);
	snprintf(row->cost, sizeof(row->cost), "1 descriptor");
	if (input->config != NULL)
		limit_note(row, "less what %" PRIu64 " worker%s, admin and handshakes need",
			   input->workers, input->workers == 1 ? "" : "s");
	else if (row->state == LIMIT_KNOWN)
		limit_note(row, "less %" PRIu64 " descriptors that are no sockets",
			   saturating_sub(row->value, input->nofile_connections));
}

static void build_nofile_hard(const struct limits_input *input, struct limit *row)
{
	const struct os_value *soft = &input->os->nofile_soft;

	if (!limit_row_take(row, &input->os->nofile_hard))
		return;
	if (soft->is_known && soft->value >= row->value)
		limit_note(row, "the soft limit is there already; beyond it privilege is needed");
	else
		limit_note(row, "the soft limit can be raised to it without privilege");
}

/* As much of fs.file-max as is not left to the rest of the machine. */
static uint64_t file_max_share(uint64_t file_max)
{
	return file_max - file_max / 16;
}

static void build_file_max(const struct limits_input *input, struct limit *row)
{
	if (!limit_row_take(row, &input->os->file_max) ||
	    !limit_row_take_used(row, &input->os->file_used))
		return;
	limit_row_allow_more(row, input, saturating_sub(file_max_share(row->value), row->used));
	snprintf(row->cost, sizeof(row->cost), "1 file");
	limit_note(row, "a sixteenth is left to others; root may pass this limit");
}

/* --- memory --- */

/* Of what is free: what payload may still take is not for connections. */
static uint64_t connections_in(const struct limits_input *input, uint64_t bytes)
{
	uint64_t kept = saturating_sub(input->payload_max, input->payload_used);

	return saturating_sub(bytes, kept) / input->cost.bytes;
}

static void cost_text(const struct limits_input *input, struct limit *row)
{
	const char *what = input->config != NULL && config_tls_bytes(input->config) > 0 ? ", by TLS"
											: "";

	snprintf(row->cost, sizeof(row->cost), "%" PRIu64 " bytes (%s%s)", input->cost.bytes,
		 input->cost.is_measured ? "measured" : "assumed", what);
}

static void build_cgroup_memory(const struct limits_input *input, struct limit *row)
{
	if (!limit_row_take(row, &input->os->cgroup_memory_max_bytes) ||
	    !limit_row_take_used(row, &input->os->cgroup_memory_used_bytes))
		return;
	limit_row_allow_more(row, input,
			     connections_in(input, saturating_sub(row->value, row->used)));
	cost_text(input, row);
}

/* What is available is what caps; the total is there to tell how much of it is used. */
static void build_memory(const struct limits_input *input, struct limit *row)
{
	const struct os_value *total = &input->os->memory_total_bytes;
	const struct os_value *available = &input->os->memory_available_bytes;

	if (!limit_row_take(row, available))
		return;
	limit_row_allow_more(row, input, connections_in(input, available->value));
	cost_text(input, row);
	if (!total->is_known) {
		limit_note(row, "the value is what is available: %s", total->problem);
		return;
	}
	row->value = total->value;
	limit_row_use(row, saturating_sub(total->value, available->value));
}

/* --- threads --- */

/* Threads there may be besides those of now. */
static uint64_t spare_threads(const struct limit *row)
{
	return saturating_sub(row->value, row->used);
}

static void build_pids(const struct limits_input *input, struct limit *row)
{
	if (!limit_row_take(row, &input->os->pids_max) ||
	    !limit_row_take_used(row, &input->os->pids_used))
		return;
	if (input->engine != LOOP_ENGINE_IO_URING || input->workers == 0) {
		limit_note(row, "more connections need no more threads");
		return;
	}
	/* While planning the admin thread is still to come, like the workers. */
	uint64_t workers = input->is_running ? input->workers + spare_threads(row)
					     : saturating_sub(spare_threads(row), 1);
	uint64_t per_ring = input->nofile_connections / input->workers;

	row->connections = saturating_mul(workers, per_ring);
	snprintf(row->cost, sizeof(row->cost), "1 worker for each %" PRIu64, per_ring);
	limit_note(row, "io_uring: more workers hold more connections");
}

/* --- network --- */

/* Where the module is not loaded the counter is missing, in some kernels not the
 * maximum; built into the kernel, it counts only once a firewall rule needs it. */
static void build_conntrack(const struct limits_input *input, struct limit *row)
{
	const struct os_limits *os = input->os;

	if (os->conntrack_used.is_absent && os->somaxconn.is_known) {
		memcpy(row->source, os->conntrack_used.source, sizeof(row->source));
		limit_row_off(row, "connection tracking is not loaded");
		return;
	}
	if (!limit_row_take(row, &os->conntrack_max) ||
	    !limit_row_take_used(row, &os->conntrack_used))
		return;
	if (row->used == 0) {
		limit_row_off(row, "connection tracking is there, but counts no flow");
		return;
	}
	limit_row_allow_more(row, input, saturating_sub(row->value, row->used));
	snprintf(row->cost, sizeof(row->cost), "1 flow");
	limit_note(row, "beyond it packets of new connections are dropped: they time out");
}

static void build_ports(const struct limits_input *input, struct limit *row)
{
	const struct os_value *low = &input->os->port_low;
	const struct os_value *high = &input->os->port_high;

	if (!limit_row_take(row, low) || !limit_row_take(row, high))
		return;
	row->value = high->value < low->value ? 0 : high->value - low->value + 1;
	limit_note(row,
		   "%" PRIu64 " to %" PRIu64 ", for each source address, destination address and "
		   "destination port: limits clients and proxies that connect from this machine, "
		   "not the connections that a server accepts",
		   low->value, high->value);
}

static void build_syn_cookies(const struct limits_input *input, struct limit *row)
{
	static const char *const meanings[] = {
		"off: in a burst, connections beyond the SYN backlog are lost",
		"on: in a burst, connections beyond the SYN backlog still get through",
		"always used",
	};

	if (limit_row_take(row, &input->os->syn_cookies) && row->value < ARRAY_LEN(meanings))
		limit_note(row, "%s", meanings[row->value]);
}

/* --- io_uring --- */

static void build_io_uring(const struct limits_input *input, struct limit *row)
{
	const struct os_value *sysctl = &input->os->io_uring_disabled;

	memcpy(row->source, sysctl->source, sizeof(row->source));
	if (input->config == NULL) {
		limit_row_off(row, "what a foreign program may use of it is not known");
		return;
	}
	row->value = input->can_io_uring;
	limit_note(row, "engine: %s (%s)", loop_engine_name(input->engine),
		   input->engine_reason != NULL ? input->engine_reason : "no reason given");
	if (sysctl->is_known)
		limit_note(row, "kernel.io_uring_disabled is %" PRIu64, sysctl->value);
	else
		limit_note(row, "kernel.io_uring_disabled unknown: %s", sysctl->problem);
}

/* --- rows that are only shown --- */

#define FACT(name) offsetof(struct os_limits, name)
#define NO_FACT    SIZE_MAX

static const struct {
	enum limit_id id;
	size_t value;
	size_t used;
	const char *note;
} shown[] = {
	{LIMIT_ID_NR_OPEN, FACT(nr_open), NO_FACT,
	 "the most that a hard limit on descriptors can be set to"},
	{LIMIT_ID_SOMAXCONN, FACT(somaxconn), NO_FACT,
	 "caps the queue of each listening socket: connections that wait to be accepted; beyond it "
	 "SYNs are dropped in a burst, and clients try again after 1, 3, 7 s"},
	{LIMIT_ID_SYN_BACKLOG, FACT(syn_backlog), NO_FACT,
	 "half-open connections; beyond it SYNs are dropped, or answered with SYN cookies"},
	{LIMIT_ID_TCP_MEM, FACT(tcp_mem_max_bytes), FACT(tcp_mem_used_bytes),
	 "all TCP buffers of the machine; at it data is dropped and sockets are refused memory; "
	 "idle connections hold none"},
	{LIMIT_ID_LISTEN_OVERFLOWS, FACT(listen_overflows), NO_FACT,
	 "connections lost because a listener's queue was full, since the machine started"},
	{LIMIT_ID_LISTEN_DROPS, FACT(listen_drops), NO_FACT,
	 "connections lost at listeners for any reason, since the machine started"},
	{LIMIT_ID_MEMLOCK, FACT(memlock_bytes), NO_FACT,
	 "from Linux 5.12 on rings are charged to the cgroup's memory, before to this"},
};

static const struct os_value *fact_at(const struct os_limits *os, size_t offset)
{
	return (const struct os_value *)(const void *)((const char *)os + offset);
}

static void build_shown(const struct limits_input *input, struct limits *limits)
{
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		struct limit *row = &limits->rows[shown[i].id];

		if (limit_row_take(row, fact_at(input->os, shown[i].value)) &&
		    shown[i].used != NO_FACT)
			limit_row_take_used(row, fact_at(input->os, shown[i].used));
		if (row->state != LIMIT_UNKNOWN)
			limit_note(row, "%s", shown[i].note);
	}
}

/* --- all of them --- */

void limits_build(const struct limits_input *input, struct limits *out_limits)
{
	static void (*const builders[LIMIT_ID_COUNT])(const struct limits_input *,
						      struct limit *) = {
		[LIMIT_ID_MAX_CONNECTIONS_PER_IP] = limit_build_per_ip,
		[LIMIT_ID_ROUTE_CONNECTIONS] = limit_build_route_connections,
		[LIMIT_ID_ACCEPT_RATE] = limit_build_accept_rate,
		[LIMIT_ID_TLS_HANDSHAKES] = limit_build_tls_handshakes,
		[LIMIT_ID_TLS_HANDSHAKE_RATE] = limit_build_tls_handshake_rate,
		[LIMIT_ID_CERTIFICATE] = limit_build_certificate,
		[LIMIT_ID_TAKEOVER_RATE] = limit_build_takeover_rate,
		[LIMIT_ID_KEEP_ALIVE_MAX] = limit_build_keep_alive_max,
		[LIMIT_ID_COMPRESSION_MEMORY] = limit_build_compression_memory,
		[LIMIT_ID_REFUSE_BROWSERS_MAX] = limit_build_refuse_browsers_max,
		[LIMIT_ID_MESSAGE_RATE] = limit_build_message_rate,
		[LIMIT_ID_BYTE_RATE] = limit_build_byte_rate,
		[LIMIT_ID_AUTH_FAILURES] = limit_build_auth_failures,
		[LIMIT_ID_PASSWORD_QUEUE] = limit_build_password_queue,
		[LIMIT_ID_BACKEND_PENDING] = limit_build_backend_pending,
		[LIMIT_ID_TICKETS] = limit_build_tickets,
		[LIMIT_ID_BLOCKS] = limit_build_blocks,
		[LIMIT_ID_STREAMS] = limit_build_streams,
		[LIMIT_ID_PAYLOAD_MEMORY] = limit_build_payload_memory,
		[LIMIT_ID_NOFILE] = build_nofile,
		[LIMIT_ID_NOFILE_HARD] = build_nofile_hard,
		[LIMIT_ID_FILE_MAX] = build_file_max,
		[LIMIT_ID_CGROUP_MEMORY] = build_cgroup_memory,
		[LIMIT_ID_MEMORY] = build_memory,
		[LIMIT_ID_PIDS] = build_pids,
		[LIMIT_ID_CONNTRACK] = build_conntrack,
		[LIMIT_ID_EPHEMERAL_PORTS] = build_ports,
		[LIMIT_ID_SYN_COOKIES] = build_syn_cookies,
		[LIMIT_ID_IO_URING] = build_io_uring,
	};
	struct limits *limits = out_limits;

	*limits = (struct limits){
		.is_auto = input->config != NULL && input->config->server.max_connections == 0,
	};
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		limits->rows[i].id = i;
		limits->rows[i].connections = LIMIT_NO_CAP;
		if (builders[i] != NULL)
			builders[i](input, &limits->rows[i]);
	}
	build_shown(input, limits);
	limits_sort(limits);
	limit_build_max_connections(input, limits);
	limits_sort(limits);
}
