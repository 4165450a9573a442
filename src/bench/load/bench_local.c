/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_local.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "diag/doctor.h"
#include "diag/limits_json.h"
#include "diag/process.h"
#include "os/sock_diag.h"

/* Percent of a limit from which on it counts as used up: programs keep a few
 * descriptors back. */
#define USED_UP_PERCENT 98

/* --- addresses --- */

static bool is_same_host(const struct sockaddr *left, const struct net_addr *right)
{
	if (left == NULL || left->sa_family != right->sa.sa_family)
		return false;
	if (left->sa_family == AF_INET)
		return ((const struct sockaddr_in *)left)->sin_addr.s_addr ==
		       right->in.sin_addr.s_addr;
	return left->sa_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)left)->sin6_addr, &right->in6.sin6_addr,
		      sizeof(right->in6.sin6_addr)) == 0;
}

bool bench_local_is(const struct net_addr *remote)
{
	struct ifaddrs *list = NULL;
	bool is_found = net_addr_is_loopback(remote);

	if (is_found || getifaddrs(&list) < 0)
		return is_found;
	for (const struct ifaddrs *at = list; at != NULL && !is_found; at = at->ifa_next)
		is_found = is_same_host(at->ifa_addr, remote);
	freeifaddrs(list);
	return is_found;
}

/* --- the process --- */

/* The first that caps and is used up; NULL: none. */
static const struct limit *used_up(const struct limits *limits)
{
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *limit = &limits->rows[limits->order[i]];

		if (limit->state == LIMIT_KNOWN && limit_kind(limit->id) == LIMIT_CAPS &&
		    limit_percent(limit) >= USED_UP_PERCENT)
			return limit;
	}
	return NULL;
}

bool bench_local_read(const struct net_addr *remote, uint64_t wanted,
		      struct bench_evidence *evidence, json_t **out_limits)
{
	pid_t pid = process_find_listener(NULL, remote);
	struct process process;
	struct os_limits os;
	struct limits limits;

	if (pid == 0 || process_read(NULL, pid, &process) < 0)
		return false;
	os_limits_read(&(struct os_source){.pid = pid}, &os);
	struct limits_input input;

	doctor_process_input(&process, &os, &input);
	limits_build(&input, &limits);
	const struct limit *limit = used_up(&limits);

	snprintf(evidence->process, sizeof(evidence->process), "%s, pid %d,", process.name,
		 (int)pid);
	if (limit != NULL) {
		snprintf(evidence->limit, sizeof(evidence->limit), "%s", limit_label(limit->id));
		evidence->limit_used = limit->used;
		evidence->limit_value = limit->value;
	}
	*out_limits = limits_json(&input, &limits, wanted);
	return true;
}

/* --- what listens instead --- */

/* Enough to recognise the right one. */
#define PORTS_SHOWN 4

struct port_list {
	const struct net_addr *remote;
	size_t count;
	uint16_t ports[PORTS_SHOWN + 1]; /* the nearest to the wrong one first; a spare */
};

static bool takes(const struct sock_listener *listener, const struct net_addr *remote)
{
	const struct net_addr *own = &listener->address;

	if (!net_addr_is_wildcard(own))
		return is_same_host(&own->sa, remote);
	return own->sa.sa_family == remote->sa.sa_family ||
	       (own->sa.sa_family == AF_INET6 && !listener->is_v6_only);
}

static int distance(const struct port_list *list, uint16_t port)
{
	return abs((int)net_addr_port(list->remote) - (int)port);
}

static void on_listener(void *arg, const struct sock_listener *listener)
{
	struct port_list *list = arg;
	uint16_t port = net_addr_port(&listener->address);
	size_t at = MIN(list->count, PORTS_SHOWN);

	if (!takes(listener, list->remote))
		return;
	for (size_t i = 0; i < at; i++)
		if (list->ports[i] == port)
			return; /* several sockets, one port */
	list->count++;
	for (; at > 0 && distance(list, list->ports[at - 1]) > distance(list, port); at--)
		list->ports[at] = list->ports[at - 1];
	list->ports[at] = port;
}

/* False: it cannot be seen. */
static bool ports_read(struct port_list *list)
{
	int diag;

	if (sock_diag_open(NULL, &diag) < 0)
		return false;
	int r = sock_diag_listeners(diag, on_listener, list);

	close(diag);
	return r == 0;
}

/* " 127.0.0.1:8080 does listen" */
static void ports_format(const struct port_list *list, char *out, size_t size)
{
	struct net_addr addr = *list->remote;
	char text[NET_ADDR_TEXT_MAX];
	size_t len = 0;

	if (list->count == 0)
		snprintf(out, size, " no other port listens there");
	for (size_t i = 0; i < MIN(list->count, PORTS_SHOWN); i++) {
		net_addr_set_port(&addr, list->ports[i]);
		len += (size_t)snprintf(out + len, size - len, "%s%s", i == 0 ? " " : ", ",
					net_addr_format(&addr, text, sizeof(text)));
	}
	if (list->count > 0)
		snprintf(out + len, size - len, "%s",
			 list->count == 1            ? " does listen"
			 : list->count > PORTS_SHOWN ? " and others do listen"
						     : " do listen");
}

void bench_local_listening(const struct net_addr *remote, char *out, size_t size)
{
	struct port_list list = {.remote = remote};
	char address[NET_ADDR_TEXT_MAX], others[PORTS_SHOWN * NET_ADDR_TEXT_MAX + 64] = "";

	if (bench_local_is(remote) && ports_read(&list))
		ports_format(&list, others, sizeof(others));
	snprintf(out, size, "nothing listens on %s (connection refused): is that the right port?%s",
		 net_addr_format(remote, address, sizeof(address)), others);
}
