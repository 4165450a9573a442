/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/limits.h"

#include <limits.h>

#include "base/check.h"
#include "base/saturate.h"

/* --- names --- */

static const struct {
	const char *label;
	const char *unit;
	const char *help;
	enum limit_scope scope;
	enum limit_kind kind;
} table[LIMIT_ID_COUNT] = {
#define LIMIT_ROW(NAME, label, scope, kind, unit, help) \
	{label, unit, help, LIMIT_##scope, LIMIT_##kind},
	LIMIT_TABLE(LIMIT_ROW)};

const char *limit_label(enum limit_id id)
{
	return table[id].label;
}

const char *limit_unit(enum limit_id id)
{
	return table[id].unit;
}

enum limit_kind limit_kind(enum limit_id id)
{
	return table[id].kind;
}

const char *limit_scope_name(enum limit_id id)
{
	static const char *const names[] = {
		[LIMIT_GATEWAY] = "gateway",     [LIMIT_PROCESS] = "process",
		[LIMIT_CONTAINER] = "container", [LIMIT_MACHINE] = "machine",
		[LIMIT_NETWORK] = "network",
	};

	return names[table[id].scope];
}

const char *limit_kind_name(enum limit_id id)
{
	static const char *const names[] = {
		[LIMIT_CAPS] = "caps",
		[LIMIT_PACES] = "paces",
		[LIMIT_COUNTS] = "counts",
		[LIMIT_STATES] = "states",
	};

	return names[table[id].kind];
}

void limits_print_reference(FILE *to)
{
	fputs("| limit | scope | kind | what it is |\n| --- | --- | --- | --- |\n", to);
	for (unsigned id = 0; id < LIMIT_ID_COUNT; id++)
		fprintf(to, "| `%s` | %s | %s | %s |\n", limit_label(id), limit_scope_name(id),
			limit_kind_name(id), table[id].help);
}

const char *limit_state_name(enum limit_state state)
{
	static const char *const names[] = {
		[LIMIT_KNOWN] = "known",
		[LIMIT_UNLIMITED] = "unlimited",
		[LIMIT_UNKNOWN] = "unknown",
		[LIMIT_OFF] = "off",
	};

	return names[state];
}

/* --- questions --- */

/* Of those that cap; auto max_connections only repeats another one. */
static const struct limit *capping(const struct limits *limits, unsigned which)
{
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &limits->rows[limits->order[i]];

		if (row->connections == LIMIT_NO_CAP)
			return NULL;
		if (limits->is_auto && row->id == LIMIT_ID_MAX_CONNECTIONS)
			continue;
		if (which-- == 0)
			return row;
	}
	return NULL;
}

const struct limit *limits_binding(const struct limits *limits)
{
	return capping(limits, 0);
}

const struct limit *limits_next(const struct limits *limits)
{
	return capping(limits, 1);
}

uint64_t limits_allowed(const struct limits *limits)
{
	uint64_t allowed = LIMIT_NO_CAP;

	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++)
		if (i != LIMIT_ID_MAX_CONNECTIONS)
			allowed = MIN(allowed, limits->rows[i].connections);
	return allowed;
}

const char *limit_origin(const struct limit *limit)
{
	return limit->set_by[0] != 0 ? limit->set_by : limit->source;
}

unsigned limit_percent(const struct limit *limit)
{
	if (limit->state != LIMIT_KNOWN || !limit->has_used || limit->value == 0)
		return 0;
	double percent = (double)limit->used * 100 / (double)limit->value;

	return percent < UINT_MAX ? (unsigned)percent : UINT_MAX;
}

/* --- memory for payload --- */

/* If nothing is known of the machine's memory. */
#define FREE_ASSUMED_BYTES (UINT64_C(1) << 32)

/* Less is of no use: one message may have 1 MiB. */
#define SHARE_MIN_BYTES (UINT64_C(1) << 21)

static uint64_t free_bytes(const struct os_limits *os)
{
	const struct os_value *max = &os->cgroup_memory_max_bytes;
	const struct os_value *used = &os->cgroup_memory_used_bytes;
	uint64_t bytes = FREE_ASSUMED_BYTES;

	if (os->memory_available_bytes.is_known)
		bytes = os->memory_available_bytes.value;
	if (max->is_known && max->value != OS_UNLIMITED && used->is_known)
		bytes = MIN(bytes, saturating_sub(max->value, used->value));
	return bytes;
}

uint64_t limit_payload_share(const struct os_limits *os, const struct limit_cost *cost,
			     uint64_t promised)
{
	uint64_t bytes = free_bytes(os);
	uint64_t left = saturating_sub(bytes, saturating_mul(promised, cost->bytes));

	return MAX(MIN(bytes / 4, left / 2), SHARE_MIN_BYTES);
}

/* --- what a connection costs --- */

/* Of what is measured. */
#define COST_MIN_BYTES 1024
#define COST_MAX_BYTES (256 * 1024)

/* A socket's inode and directory entry (sock_inode_cache and dentry of slabinfo(5)): the
 * kernel counts them as reclaimable, with those of files, of which there is no telling
 * them apart. */
#define COST_INODE_BYTES 1024

static bool is_cost_known(const struct os_limits *os)
{
	return os->resident_anon_bytes.is_known && os->slab_bytes.is_known &&
	       os->tcp_sockets.is_known;
}

/* Growth per unit of `by`; negative where memory has shrunk. */
static double growth(const struct os_value *before, const struct os_value *now, double by)
{
	return ((double)now->value - (double)before->value) / by;
}

struct limit_cost limit_cost_measure(const struct os_limits *before, const struct os_limits *now,
				     uint64_t connections)
{
	struct limit_cost assumed = {.bytes = LIMIT_COST_ASSUMED_BYTES};

	if (connections < LIMIT_COST_MIN_CONNECTIONS || !is_cost_known(before) ||
	    !is_cost_known(now) || now->tcp_sockets.value <= before->tcp_sockets.value)
		return assumed;
	uint64_t sockets = now->tcp_sockets.value - before->tcp_sockets.value;

	/* A few sockets do not explain the slab of a whole machine. */
	if (sockets < LIMIT_COST_MIN_CONNECTIONS)
		return assumed;
	double bytes = growth(&before->slab_bytes, &now->slab_bytes, (double)sockets) +
		       growth(&before->resident_anon_bytes, &now->resident_anon_bytes,
			      (double)connections);

	if (!(bytes >= COST_MIN_BYTES && bytes <= COST_MAX_BYTES))
		return assumed;
	return (struct limit_cost){.bytes = (uint64_t)bytes + COST_INODE_BYTES,
				   .is_measured = true};
}
