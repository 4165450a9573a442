/* SPDX-License-Identifier: Apache-2.0
 * server_ports.c - the addresses that the gateway listens on: taking them, and saying why one
 * cannot be had, in the same words for who only asks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "diag/process.h"
#include "server/server_private.h"

static const char *bind_remedy(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "stop what listens there (ss -ltnp shows it), or choose another port";
	case -EADDRNOTAVAIL:
		return "this machine does not have that address (ip addr lists those it has)";
	case -EACCES:
		return "ports below 1024 need CAP_NET_BIND_SERVICE: choose another port";
	case -EMFILE:
		return "the descriptor limit is reached: raise it (ulimit -n, LimitNOFILE=)";
	case -EAFNOSUPPORT:
		return "this machine has no IPv6: choose an IPv4 address";
	default:
		return "choose another address";
	}
}

/* Of a process; false: it has gone. No more is read of it: it may have a million sockets. */
static bool name_read(pid_t pid, char *out, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, out, size - 1);

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return false;
	out[len] = 0;
	out[strcspn(out, "\n")] = 0;
	return true;
}

/* " by gatehouse (pid 17)"; "" if nobody is found, or it is not ours to see. */
static void holder_describe(const struct net_addr *addr, char *out, size_t size,
			    bool *out_is_gateway)
{
	pid_t pid = process_find_listener(NULL, addr);
	char name[64];

	*out_is_gateway = false;
	out[0] = 0;
	if (pid == 0 || !name_read(pid, name, sizeof(name)))
		return;
	*out_is_gateway = strcmp(name, "gatehouse") == 0;
	snprintf(out, size, " by %s (pid %d)", name, (int)pid);
}

static void bind_explain(const char *option, const struct net_addr *addr, int error,
			 struct server_error *out_error)
{
	char text[NET_ADDR_TEXT_MAX], holder[128] = "";

	out_error->is_other_gateway = false;
	if (error == -EADDRINUSE)
		holder_describe(addr, holder, sizeof(holder), &out_error->is_other_gateway);
	snprintf(out_error->text, sizeof(out_error->text), "%s: cannot listen on %s: %s%s; %s",
		 option, net_addr_format(addr, text, sizeof(text)), strerror(-error), holder,
		 bind_remedy(error));
}

int server_bind(const char *option, struct net_addr *addr, bool is_first,
		struct server_error *out_error)
{
	int fd = listener_bind(addr, is_first);

	if (fd < 0)
		bind_explain(option, addr, fd, out_error);
	return fd;
}

int server_port_check(const struct config *config, enum server_port port,
		      struct server_error *out_error)
{
	const struct net_addr *addr = port == SERVER_PORT_ADMIN ? &config->admin.listen
								: &config->server.listen;
	int r = listener_check(addr);

	if (r < 0)
		bind_explain(port == SERVER_PORT_ADMIN ? "admin.listen" : "server.listen", addr, r,
			     out_error);
	return r;
}
