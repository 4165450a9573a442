/* SPDX-License-Identifier: Apache-2.0
 * process.h - any running server as its kernel sees it.
 *
 * Layer: diag. Blocks on /proc and on netlink. Sources: proc(5), sock_diag(7). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/net_addr.h"

#define PROCESS_LISTENERS_MAX 64

struct process_listener {
	struct net_addr address;
	uint32_t queue;   /* connections that wait to be accepted now */
	uint32_t backlog; /* at most */
	bool has_drops;
	uint64_t drops;       /* lost at this socket since it listens */
	uint64_t established; /* connections on its port now, in this network namespace */
};

struct process {
	pid_t pid;
	char name[64];
	char command[256];     /* with its arguments, cut, printable */
	uint64_t sockets;      /* descriptors that are sockets */
	uint64_t rings;        /* io_uring instances: their connections take no descriptor */
	uint64_t others;       /* the rest of the descriptors */
	size_t listener_count; /* several sockets on one address (SO_REUSEPORT) are one:
				* queues, backlogs and drops are added up */
	struct process_listener listeners[PROCESS_LISTENERS_MAX];
	char problem[256]; /* "" or what could not be read, and why */
};

/* Returns 0; or -ESRCH: there is none, -EACCES: it is not ours and its descriptors
 * cannot be read. What is missing for other reasons is said in problem. */
int process_read(const char *root, pid_t pid, struct process *out_process);

/* The process that listens on `address` in this network namespace (any address of the
 * machine matches a wildcard listener); 0: none found, or it is not ours to see. */
pid_t process_find_listener(const char *root, const struct net_addr *address);
