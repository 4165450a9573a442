/* SPDX-License-Identifier: Apache-2.0
 * process_find.c - who listens on an address. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "diag/process.h"
#include "diag/process_sockets.h"

enum match { MATCH_NONE, MATCH_WILDCARD, MATCH_EXACT };

/* An IPv4 address that came through an IPv6 socket is an IPv4 one. */
static struct net_addr unmapped(const struct net_addr *addr)
{
	struct net_addr v4 = {.in.sin_family = AF_INET};

	if (addr->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr))
		return *addr;
	v4.in.sin_port = addr->in6.sin6_port;
	memcpy(&v4.in.sin_addr, &addr->in6.sin6_addr.s6_addr[12], sizeof(v4.in.sin_addr));
	return v4;
}

static enum match match_v6(const struct sock_listener *listener, const struct net_addr *own,
			   const struct net_addr *wanted)
{
	if (IN6_IS_ADDR_UNSPECIFIED(&own->in6.sin6_addr)) {
		bool takes = wanted->sa.sa_family == AF_INET6 || !listener->is_v6_only;

		return takes ? MATCH_WILDCARD : MATCH_NONE;
	}
	if (wanted->sa.sa_family != AF_INET6)
		return MATCH_NONE;
	return IN6_ARE_ADDR_EQUAL(&own->in6.sin6_addr, &wanted->in6.sin6_addr) ? MATCH_EXACT
									       : MATCH_NONE;
}

static enum match match_of(const struct sock_listener *listener, const struct net_addr *address)
{
	struct net_addr own = unmapped(&listener->address);
	struct net_addr wanted = unmapped(address);

	if (net_addr_port(&own) != net_addr_port(&wanted))
		return MATCH_NONE;
	if (own.sa.sa_family == AF_INET6)
		return match_v6(listener, &own, &wanted);
	if (wanted.sa.sa_family != AF_INET)
		return MATCH_NONE;
	if (own.in.sin_addr.s_addr == htonl(INADDR_ANY))
		return MATCH_WILDCARD;
	return own.in.sin_addr.s_addr == wanted.in.sin_addr.s_addr ? MATCH_EXACT : MATCH_NONE;
}

/* Marks those that match best; returns how many. */
static size_t matches_mark(struct listener_table *table, const struct net_addr *address)
{
	enum match best = MATCH_WILDCARD;
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++)
		if (match_of(&table->entries[i].listener, address) == MATCH_EXACT)
			best = MATCH_EXACT;
	for (size_t i = 0; i < table->count; i++) {
		struct listener_entry *entry = &table->entries[i];

		entry->is_ours = match_of(&entry->listener, address) == best;
		count += entry->is_ours;
	}
	return count;
}

struct holder {
	struct listener_table *table;
	bool has_it;
	size_t descriptors;
};

static void on_descriptor(void *arg, enum process_descriptor kind, uint32_t inode)
{
	struct holder *holder = arg;
	const struct listener_entry *entry = kind == PROCESS_SOCKET
						     ? listener_table_find(holder->table, inode)
						     : NULL;

	holder->descriptors++;
	holder->has_it = holder->has_it || (entry != NULL && entry->is_ours);
}

static pid_t holder_find(const char *root, struct listener_table *table)
{
	char path[512];
	size_t most = 0;
	pid_t found = 0;

	snprintf(path, sizeof(path), "%s/proc", root == NULL ? "" : root);
	DIR *dir = opendir(path);

	if (dir == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		struct holder holder = {.table = table};
		uint64_t pid;

		if (units_parse_count(slice_from_text(entry->d_name), &pid) != UNITS_OK ||
		    process_descriptors_each(root, (pid_t)pid, on_descriptor, &holder) < 0)
			continue;
		if (holder.has_it && holder.descriptors > most) {
			most = holder.descriptors;
			found = (pid_t)pid;
		}
	}
	closedir(dir);
	return found;
}

pid_t process_find_listener(const char *root, const struct net_addr *address)
{
	struct listener_table table = {0};
	pid_t found = 0;
	int diag;

	if (sock_diag_open(NULL, &diag) < 0)
		return 0;
	if (listener_table_read(diag, &table) == 0 && matches_mark(&table, address) > 0)
		found = holder_find(root, &table);
	listener_table_finish(&table);
	close(diag);
	return found;
}
