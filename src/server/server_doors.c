/* SPDX-License-Identifier: Apache-2.0
 * server_doors.c - taking the addresses and sockets that the gateway listens on, and saying why one
 * cannot be had, in the same words for who only asks. */
#include "server/server_doors.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "diag/process.h"
#include "server/server.h"
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

static bool is_unix(const struct server_door *door)
{
	return door->listener->address.unix_path[0] != 0;
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
	pid_t pid = is_unix(door) ? listener_unix_holder(door->unix_socket.path)
				  : process_find_listener(NULL, &door->addr);
	char name[64];

	*out_is_gateway = false;
	out[0] = 0;
	if (pid == 0 || !name_read(pid, name, sizeof(name)))
		return;
	*out_is_gateway = strcmp(name, "gatehouse") == 0;
	snprintf(out, size, " by %s (pid %d)", name, (int)pid);
}

static void explain(const struct server_door *door, int error, struct server_error *out_error)
{
	char text[CONFIG_PLACE_TEXT_MAX], holder[128] = "";

	out_error->is_other_gateway = false;
	if (error == -EADDRINUSE)
		holder_describe(door, holder, sizeof(holder), &out_error->is_other_gateway);
	snprintf(out_error->text, sizeof(out_error->text), "%s: cannot listen on %s: %s%s; %s",
		 door->option, server_door_text(door, text), strerror(-error), holder,
		 is_unix(door) ? unix_remedy(error)
			       : port_remedy(error, net_addr_port(&door->addr)));
}

/* --- owners --- */

static bool owner_fail(const struct server_door *door, const char *what, const char *name,
		       struct server_error *out_error)
{
	snprintf(out_error->text, sizeof(out_error->text),
		 "%s: its owner: there is no %s %.100s on this machine; make it, or write another",
		 door->option, what, name);
	return false;
}

/* "USER:GROUP", either may be left out. False: there is none of that name. */
static bool owner_read(struct server_door *door, struct server_error *out_error)
{
	char user[CONFIG_TEXT_MAX];
	char *group;

	door->unix_socket.uid = (uid_t)-1;
	door->unix_socket.gid = (gid_t)-1;
	snprintf(user, sizeof(user), "%s", door->listener->owner.text);
	group = strchr(user, ':');
	if (group != NULL)
		*group++ = 0;
	if (user[0] != 0) {
		const struct passwd *entry = getpwnam(user);

		if (entry == NULL)
			return owner_fail(door, "user", user, out_error);
		door->unix_socket.uid = entry->pw_uid;
	}
	if (group != NULL && group[0] != 0) {
		const struct group *entry = getgrnam(group);

		if (entry == NULL)
			return owner_fail(door, "group", group, out_error);
		door->unix_socket.gid = entry->gr_gid;
	}
	return true;
}

/* --- making them --- */

static void door_init(struct server_door *door, const struct config_listener *listener,
		      const char *option)
{
	*door = (struct server_door){
		.listener = listener,
		.addr = listener->address.addr,
		.unix_socket = {.path = listener->address.unix_path,
				.mode = (mode_t)listener->mode},
		.unix_fd = -1,
	};
	snprintf(door->option, sizeof(door->option), "%s", option);
}

/* False: memory is out. */
static bool doors_alloc(struct server_doors *doors, const struct config *config)
{
	size_t count;
	const struct config_listener *listeners = config_listeners(config, &count);
	char option[64];

	doors->admin = (struct config_listener){.address.addr = config->admin.listen,
						.tls = config->admin.tls};
	doors->items = calloc(count + 1, sizeof(*doors->items));
	if (doors->items == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		snprintf(option, sizeof(option), "server.listeners[%zu].address", i);
		door_init(&doors->items[i], &listeners[i],
			  listeners == &config->listener ? "server.listen" : option);
	}
	door_init(&doors->items[count], &doors->admin, "admin.listen");
	doors->count = count + 1;
	return true;
}

/* "server.listeners[1].tls", "admin.tls" */
static void tls_path(const struct server_doors *doors, size_t index, char *out, size_t size)
{
	if (index == doors->count - 1)
		snprintf(out, size, "admin.tls");
	else
		snprintf(out, size, "server.listeners[%zu].tls", index);
}

int server_doors_make(struct server_doors *doors, const struct config *config,
		      struct renewals *renewals, struct server_error *out_error)
{
	struct server_tls_error error;
	char path[64];

	*doors = (struct server_doors){0};
	out_error->is_other_gateway = false;
	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	if (!doors_alloc(doors, config))
		return -ENOMEM;
	for (size_t i = 0; i < doors->count; i++) {
		struct server_door *door = &doors->items[i];

		if (is_unix(door) && !owner_read(door, out_error))
			return -EINVAL;
		if (!config_has_tls(&door->listener->tls))
			continue;
		tls_path(doors, i, path, sizeof(path));
		door->tls = server_tls_create(config, &door->listener->tls, path, renewals, &error);
		if (door->tls == NULL) {
			snprintf(out_error->text, sizeof(out_error->text), "%s", error.text);
			return -EINVAL;
		}
	}
	return 0;
}

void server_doors_finish(struct server_doors *doors)
{
	for (size_t i = 0; i < doors->count; i++) {
		struct server_door *door = &doors->items[i];

		server_tls_destroy(&door->tls);
		if (door->unix_fd >= 0) {
			listener_unix_remove(&door->unix_socket);
			close(door->unix_fd);
		}
	}
	free(doors->items);
	*doors = (struct server_doors){0};
}

/* The first worker's call makes it, the others get duplicates. */
static int unix_open(struct server_door *door)
{
	if (door->unix_fd < 0) {
		int fd = listener_unix_bind(&door->unix_socket);

		if (fd < 0)
			return fd;
		door->unix_fd = fd;
	}
	int copy = fcntl(door->unix_fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

int server_door_open(struct server_door *door, bool is_first, struct server_error *out_error)
{
	int fd = is_unix(door) ? unix_open(door)
			       : listener_bind_as(&door->addr, is_first,
						  door->listener->ipv6_only == CONFIG_SWITCH_TRUE);

	if (fd < 0)
		explain(door, fd, out_error);
	return fd;
}

char *server_door_text(const struct server_door *door, char out[CONFIG_PLACE_TEXT_MAX])
{
	if (is_unix(door))
		return config_place_format(&door->listener->address, out);
	return net_addr_format(&door->addr, out, CONFIG_PLACE_TEXT_MAX);
}

void server_doors_tick(struct server_doors *doors, uint64_t now_ns)
{
	for (size_t i = 0; i < doors->count; i++)
		if (doors->items[i].tls != NULL)
			server_tls_tick(doors->items[i].tls, now_ns);
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

	if (is_unix(door) && !owner_read(door, &error)) {
		asking->tell(asking->arg, &error, false);
		return;
	}
	int r = is_unix(door) ? listener_unix_check(&door->unix_socket)
			      : listener_check(&door->addr,
					       door->listener->ipv6_only == CONFIG_SWITCH_TRUE);

	if (r == 0)
		return;
	explain(door, r, &error);
	asking->tell(asking->arg, &error, error.is_other_gateway);
}

void server_doors_check(const struct config *config,
			void (*tell)(void *arg, const struct server_error *error, bool is_warning),
			void *arg)
{
	struct asking asking = {.tell = tell, .arg = arg};
	struct server_doors doors = {0};
	struct server_error error = {.text = "out of memory"};
	char path[64];

	if (!doors_alloc(&doors, config))
		tell(arg, &error, false);
	for (size_t i = 0; i < doors.count; i++) {
		struct server_door *door = &doors.items[i];

		place_check(door, &asking);
		tls_path(&doors, i, path, sizeof(path));
		if (config_has_tls(&door->listener->tls))
			server_tls_check(config, &door->listener->tls, path, on_tls, &asking);
	}
	server_doors_finish(&doors);
}
