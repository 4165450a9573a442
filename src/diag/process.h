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

enum process_state {
	PROCESS_RUNS,
	PROCESS_IS_ZOMBIE, /* it has ended, its parent has not looked yet */
	PROCESS_IS_KERNEL, /* a thread of the kernel: no files, no memory of its own */
};

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
	enum process_state state;
	char name[64];
	char command[256];        /* with its arguments, cut, printable */
	bool has_descriptors;     /* false: they could not be read; the four below are 0 */
	uint64_t sockets;         /* descriptors that are sockets, listeners included */
	uint64_t listening;       /* of them, those that listen */
	uint64_t rings;           /* io_uring instances: their connections may take no descriptor */
	uint64_t others;          /* the rest of the descriptors */
	uint64_t established;     /* connections on the ports it listens on */
	size_t listener_count;    /* several sockets on one address (SO_REUSEPORT) are one:
				   * queues, backlogs and drops are added up */
	size_t listeners_omitted; /* those that found no place */
	struct process_listener listeners[PROCESS_LISTENERS_MAX];
	char problem[256]; /* "" or what could not be read, and why */
};

/* `root` is put before /proc, NULL: none. Returns 0; what is missing is said in problem.
 * -ESRCH: there is no such process; another errno: its stat cannot be read. */
int process_read(const char *root, pid_t pid, struct process *out_process);

/* Connections that it holds now, as far as its descriptors and ports tell. */
uint64_t process_connections(const struct process *process);

/* True: its connections are io_uring direct descriptors: each ring holds as many as the
 * soft nofile, and they are not among its descriptors. */
bool process_has_direct_sockets(const struct process *process);

/* The process that listens on `address` in our network namespace (any address of the
 * machine matches a wildcard listener; the most specific one counts, as in the kernel).
 * Where several share it, the one with most descriptors: a worker rather than its
 * master. 0: none found, or it is not ours to see. */
pid_t process_find_listener(const char *root, const struct net_addr *address);
