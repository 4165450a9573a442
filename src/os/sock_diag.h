/* SPDX-License-Identifier: Apache-2.0
 * sock_diag.h - the kernel's own list of TCP sockets: listeners, and how many
 * connections each port has.
 *
 * Layer: os. Blocks on netlink: for commands and the main or admin thread, never for
 * a worker. Sockets are counted while they are read, so that a million of them cost no
 * memory here. Source: sock_diag(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/net_addr.h"

struct sock_listener {
	struct net_addr address;
	uint32_t inode;   /* N of "socket:[N]" in /proc/PID/fd */
	uint32_t queue;   /* connections that wait to be accepted now */
	uint32_t backlog; /* at most so many */
	bool is_v6_only;  /* takes no IPv4 connection, though it is a wildcard */
	bool has_drops;
	uint32_t drops; /* lost at this socket since it listens */
};

typedef void sock_listener_fn(void *arg, const struct sock_listener *listener);

/* Established connections by local port, of all addresses. */
struct sock_ports {
	uint32_t established[UINT16_MAX + 1];
};

/* Opens a socket (close it with close(2)) that sees the network namespace of which
 * `netns` is the file, e.g. "/proc/1234/ns/net"; NULL: our own. Returns 0 or a negative
 * errno: -ENOENT, -EACCES (the file), -EPERM (to enter it), -EPROTONOSUPPORT (a kernel
 * without it). */
int sock_diag_open(const char *netns, int *out_fd);

/* Calls on_listener for each listening TCP socket, IPv4 and IPv6. Returns 0 or a
 * negative errno (-ENOENT: this kernel has no inet_diag). */
int sock_diag_listeners(int fd, sock_listener_fn *on_listener, void *arg);

/* Adds to *ports each established connection, IPv4 and IPv6. Same results. */
int sock_diag_established(int fd, struct sock_ports *ports);
