/* SPDX-License-Identifier: Apache-2.0
 * server_doors_check.c - why an address or a socket cannot be had, in the same words for who takes
 * it and for who only asks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "diag/process.h"
#include "server/server.h"
#include "server/server_doors.h"
#include "tls/tls_check.h"

/* --- why not --- */

static const char *unix_remedy(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "stop what listens there (ss -lxp shows it), or choose another path";
	case -EEXIST:
		return "there is a file that is no socket: remove it, or choose another path";
	case -ENOENT:
		return "make its directory, or choose another path";
	case -EACCES:
		return "let the user of this process write to its directory, or choose another "
		       "path";
	case -EPERM:
		return "only root gives files away: remove the listener's owner, or start as root";
	case -EROFS:
		return "choose a path that can be written to, such as under /run";
	default:
		return "choose another path";
	}
}

static const char *port_remedy(int error, uint16_t port)
{
	switch (error) {
	case -EADDRINUSE:
		return port == 0 ? "no port is free: end what holds them (ss -tan), or widen "
				   "net.ipv4.ip_local_port_range"
				 : "stop what listens there (ss -ltnp shows it), or choose another "
				   "port";
	case -EADDRNOTAVAIL:
		return "this machine does not have that address (ip addr lists those it has)";
	case -EACCES:
		return port != 0 && port < 1024
			       ? "ports below 1024 need CAP_NET_BIND_SERVICE: choose another port"
			       : "what guards this machine forbids it (SELinux, AppArmor, "
				 "seccomp): "
				 "look at its log, or choose another port";
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
static void holder_describe(const struct server_door *door, char *out, size_t size,
			    bool *out_is_gateway)
{
	pid_t pid = server_door_is_unix(door) ? listener_unix_holder(door->unix_socket.path)
					      : process_find_listener(NULL, &door->addr);
	char name[64];

	*out_is_gateway = false;
	out[0] = 0;
	if (pid == 0 || !name_read(pid, name, sizeof(name)))
		return;
	/* The service manager keeps it for the gateway (server_activation.h). */
	*out_is_gateway = strcmp(name, "gatehouse") == 0 || strcmp(name, "systemd") == 0;
	snprintf(out, size, " by %s (pid %d)", name, (int)pid);
}

void server_door_explain(const struct server_door *door, int error, struct server_error *out_error)
{
	char text[CONFIG_PLACE_TEXT_MAX], holder[128] = "";

	out_error->is_other_gateway = false;
	if (error == -EADDRINUSE)
		holder_describe(door, holder, sizeof(holder), &out_error->is_other_gateway);
	snprintf(out_error->text, sizeof(out_error->text), "%s: cannot listen on %s: %s%s; %s",
		 door->option, server_door_text(door, text), strerror(-error), holder,
		 server_door_is_unix(door) ? unix_remedy(error)
					   : port_remedy(error, net_addr_port(&door->addr)));
}

/* --- asking only --- */

static int64_t first_end(const struct config_tls *tls, int64_t first)
{
	for (size_t i = 0; i < tls->certificates.count; i++) {
		int64_t one = tls_file_expires_at(tls->certificates.items[i].cert_file.text);

		if (one != 0 && (first == 0 || one < first))
			first = one;
	}
	return first;
}

int64_t server_doors_expire_at(const struct config *config)
{
	size_t count;
	const struct config_listener *listeners = config_listeners(config, &count);
	int64_t first = first_end(&config->admin.tls, 0);

	for (size_t i = 0; i < count; i++)
		first = first_end(&listeners[i].tls, first);
	return first;
}

struct asking {
	void (*tell)(void *arg, const struct server_error *error, bool is_warning);
	void *arg;
};

static void on_tls(void *arg, const char *text, bool is_mistake)
{
	const struct asking *asking = arg;
	struct server_error error = {0};

	snprintf(error.text, sizeof(error.text), "%s", text);
	asking->tell(asking->arg, &error, !is_mistake);
}

static void place_check(struct server_door *door, const struct asking *asking)
{
	struct server_error error = {0};

	if (server_door_is_unix(door) && !server_door_owner(door, &error)) {
		asking->tell(asking->arg, &error, false);
		return;
	}
	int r = server_door_is_unix(door) ? listener_unix_check(&door->unix_socket)
					  : listener_check(&door->addr, door->is_ipv6_only);

	if (r == 0)
		return;
	server_door_explain(door, r, &error);
	asking->tell(asking->arg, &error, error.is_other_gateway);
}

static bool is_inherited(struct server_door *door, bool is_admin,
			 const struct handover_sockets *sockets)
{
	door->is_admin = is_admin;
	struct handover_place place = server_door_place(door);

	return handover_sockets_find(sockets, &place) != NULL;
}

void server_doors_check_tls(const struct config *config,
			    void (*tell)(void *arg, const struct server_error *error,
					 bool is_warning),
			    void *arg)
{
	struct asking asking = {.tell = tell, .arg = arg};
	struct server_doors_wanted wanted;

	server_doors_wanted(config, &wanted);
	for (size_t i = 0; i < wanted.count; i++)
		if (config_has_tls(wanted.items[i].tls))
			server_tls_check(config, wanted.items[i].tls, wanted.items[i].tls_path,
					 on_tls, &asking);
}

void server_doors_check(const struct config *config, const struct handover_sockets *sockets,
			void (*tell)(void *arg, const struct server_error *error, bool is_warning),
			void *arg)
{
	struct asking asking = {.tell = tell, .arg = arg};
	struct server_doors_wanted wanted;
	struct server_error error = {.text = "out of memory"};

	server_doors_wanted(config, &wanted);
	for (size_t i = 0; i < wanted.count; i++) {
		const struct server_door_wanted *one = &wanted.items[i];
		struct server_door *door = server_door_create(one->listener, one->option);

		if (door == NULL)
			tell(arg, &error, false);
		else if (!is_inherited(door, i == wanted.count - 1, sockets))
			place_check(door, &asking);
		server_door_destroy(&door);
	}
	server_doors_check_tls(config, tell, arg);
}
