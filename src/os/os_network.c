/* SPDX-License-Identifier: Apache-2.0
 * os_network.c - facts of the network namespace: queues, ports, memory of TCP, connection
 * tracking (os_limits_private.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "os/os_limits_private.h"

/* --- /proc/net/sockstat --- */

/* "TCP: inuse 3 orphan 0 tw 7 alloc 4 mem 2". `inuse` leaves out other network
 * namespaces and orphans, and sockstat6 would have to be added to it. `alloc` is the
 * whole machine's, of both families and orphans too, without TIME_WAIT, which is
 * another and smaller object: the sockets that slab memory is spent on. */
static void sockstat_read(const struct os_target *target, struct os_limits *limits)
{
	struct os_text text;

	os_text_read(&text, target, "/proc/%s/net/sockstat", target->process);
	os_text_value(&text, "TCP: inuse ", 6, 1, &limits->tcp_sockets);
	os_text_value(&text, "TCP: inuse ", 8, (uint64_t)sysconf(_SC_PAGESIZE),
		      &limits->tcp_mem_used_bytes);
	os_text_finish(&text);
}

/* --- /proc/net/netstat: a line of names, below it the line of their numbers --- */

/* Which word of the line `name` is; 0 (that is "TcpExt:"): it is not there. */
static unsigned column_find(const char *line, const char *name)
{
	size_t len = strlen(name);
	unsigned column = 0;

	while (*line != '\0' && *line != '\n') {
		size_t word = strcspn(line, " \n");

		if (word == len && strncmp(line, name, len) == 0)
			return column;
		line += word + (line[word] == ' ');
		column++;
	}
	return 0;
}

static void counter_read(const struct os_text *text, const char *name, struct os_value *out_value)
{
	const char *names = text->problem != NULL
				    ? NULL
				    : strstr((const char *)text->content.data, "TcpExt: ");
	unsigned column = names == NULL ? 0 : column_find(names, name);
	char problem[96];

	if (text->problem == NULL && column == 0) {
		snprintf(problem, sizeof(problem), "has no counter TcpExt %s", name);
		os_value_fail(out_value, text->path, 0, problem);
		return;
	}
	struct os_text numbers = *text;
	const char *second = names == NULL ? NULL : strchr(names, '\n');

	/* The line below is looked at as a text of its own. */
	if (second != NULL)
		numbers.content.data += second + 1 - (const char *)text->content.data;
	os_text_value(&numbers, "TcpExt: ", column - 1, 1, out_value);
}

static void netstat_read(const struct os_target *target, struct os_limits *limits)
{
	struct os_text text;

	os_text_read(&text, target, "/proc/%s/net/netstat", target->process);
	counter_read(&text, "ListenOverflows", &limits->listen_overflows);
	counter_read(&text, "ListenDrops", &limits->listen_drops);
	os_text_finish(&text);
}

/* --- /proc/sys/net: always that of our own network namespace --- */

static int namespace_read(const struct os_target *target, const char *process, char out[64])
{
	char path[OS_PATH_MAX];

	snprintf(path, sizeof(path), "%s/proc/%s/ns/net", target->root, process);
	ssize_t len = readlink(path, out, 63);

	if (len < 0)
		return -errno;
	out[len] = '\0';
	return 0;
}

/* Whether the process is in our network namespace; else *problem says why not. */
static bool is_our_namespace(const struct os_target *target, char *problem, size_t size)
{
	char ours[64];
	char theirs[64];

	if (strcmp(target->process, "self") == 0)
		return true;
	int r = namespace_read(target, target->process, theirs);

	if (r == 0)
		r = namespace_read(target, "self", ours);
	if (r == 0 && strcmp(ours, theirs) == 0)
		return true;
	if (r < 0)
		snprintf(problem, size,
			 "is of our network namespace, and whether process %s is in it cannot be "
			 "told: %s",
			 target->process, strerrordesc_np(-r));
	else
		snprintf(problem, size, "is of our network namespace, process %s is in another",
			 target->process);
	return false;
}

static void sysctls_read(const struct os_target *target, struct os_limits *limits)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const struct {
		struct os_value *value;
		const char *path;
		unsigned skip;
		uint64_t unit;
	} rows[] = {
		{&limits->somaxconn, "/proc/sys/net/core/somaxconn", 0, 1},
		{&limits->syn_backlog, "/proc/sys/net/ipv4/tcp_max_syn_backlog", 0, 1},
		{&limits->syn_cookies, "/proc/sys/net/ipv4/tcp_syncookies", 0, 1},
		{&limits->tcp_mem_max_bytes, "/proc/sys/net/ipv4/tcp_mem", 2, page},
		{&limits->conntrack_max, "/proc/sys/net/netfilter/nf_conntrack_max", 0, 1},
		{&limits->conntrack_used, "/proc/sys/net/netfilter/nf_conntrack_count", 0, 1},
		{&limits->port_low, "/proc/sys/net/ipv4/ip_local_port_range", 0, 1},
		{&limits->port_high, "/proc/sys/net/ipv4/ip_local_port_range", 1, 1},
	};
	char problem[192];
	bool is_ours = is_our_namespace(target, problem, sizeof(problem));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (is_ours)
			os_file_value(target, rows[i].path, rows[i].skip, rows[i].unit,
				      rows[i].value);
		else
			os_value_fail(rows[i].value, rows[i].path, 0, problem);
}

void os_network_read(const struct os_target *target, struct os_limits *limits)
{
	sockstat_read(target, limits);
	netstat_read(target, limits);
	sysctls_read(target, limits);
}
