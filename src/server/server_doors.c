/* SPDX-License-Identifier: Apache-2.0
 * server_doors.c - taking the addresses and sockets that the gateway listens on. */
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
#include "server/handover_sockets.h"
#include "server/server.h"

/* --- owners --- */

static bool owner_fail(const struct server_door *door, const char *what, const char *name,
		       struct server_error *out_error)
{
	snprintf(out_error->text, sizeof(out_error->text),
		 "%s: its owner: there is no %s %.100s on this machine; make it, or write another",
		 door->option, what, name);
	return false;
}

/* "USER:GROUP", either may be left out. */
bool server_door_owner(struct server_door *door, struct server_error *out_error)
{
	char user[CONFIG_TEXT_MAX];
	char *group;

	door->unix_socket.uid = (uid_t)-1;
	door->unix_socket.gid = (gid_t)-1;
	snprintf(user, sizeof(user), "%s", door->owner.text);
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

struct server_door *server_door_create(const struct config_listener *listener, const char *option)
{
	struct server_door *door = calloc(1, sizeof(*door));

	if (door == NULL)
		return NULL;
	*door = (struct server_door){
		.place = listener->address,
		.is_ipv6_only = listener->ipv6_only == CONFIG_SWITCH_TRUE,
		.mode = (mode_t)listener->mode,
		.owner = listener->owner,
		.addr = listener->address.addr,
		.unix_socket = {.path = door->place.unix_path, .mode = (mode_t)listener->mode},
		.unix_fd = -1,
	};
	snprintf(door->option, sizeof(door->option), "%s", option);
	tls_holder_init(&door->contexts, NULL);
	return door;
}

void server_door_destroy(struct server_door **door)
{
	struct server_door *self = *door;

	*door = NULL;
	if (self == NULL)
		return;
	for (size_t i = 0; i < self->each_count; i++)
		if (self->each[i].fd >= 0)
			close(self->each[i].fd);
	server_tls_destroy(&self->tls);
	tls_holder_finish(&self->contexts);
	if (self->unix_fd >= 0 && !self->is_given_away)
		listener_unix_remove(&self->unix_socket);
	if (self->unix_fd >= 0)
		close(self->unix_fd);
	free(self->each);
	free(self);
}

void server_doors_wanted(const struct config *config, struct server_doors_wanted *out_wanted)
{
	const struct config_listener *listeners = config_listeners(config, &out_wanted->count);

	out_wanted->admin = (struct config_listener){.address.addr = config->admin.listen};
	for (size_t i = 0; i < out_wanted->count; i++) {
		struct server_door_wanted *one = &out_wanted->items[i];

		*one = (struct server_door_wanted){.listener = &listeners[i],
						   .tls = &listeners[i].tls};
		if (listeners == &config->listener)
			snprintf(one->option, sizeof(one->option), "server.listen");
		else
			snprintf(one->option, sizeof(one->option), "server.listeners[%zu].address",
				 i);
		snprintf(one->tls_path, sizeof(one->tls_path), "server.listeners[%zu].tls", i);
	}
	out_wanted->items[out_wanted->count++] = (struct server_door_wanted){
		.listener = &out_wanted->admin,
		.tls = &config->admin.tls,
		.option = "admin.listen",
		.tls_path = "admin.tls"};
}

static int door_make(const struct server_door_wanted *wanted, const struct config *config,
		     struct renewals *renewals, struct server_door **out_door,
		     struct server_error *out_error)
{
	struct server_door *door = server_door_create(wanted->listener, wanted->option);
	struct server_tls_error error;

	*out_door = door;
	if (door == NULL)
		return -ENOMEM;
	if (server_door_is_unix(door) && !server_door_owner(door, out_error))
		return -EINVAL;
	if (!config_has_tls(wanted->tls))
		return 0;
	door->tls = server_tls_create(config, wanted->tls, wanted->tls_path, renewals, &error);
	if (door->tls == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "%s", error.text);
		return -EINVAL;
	}
	server_tls_hold_in(door->tls, &door->contexts);
	return 0;
}

int server_doors_make(struct server_doors *doors, const struct config *config,
		      struct renewals *renewals, struct server_error *out_error)
{
	struct server_doors_wanted wanted;
	int r = 0;

	server_doors_wanted(config, &wanted);
	*doors = (struct server_doors){.items = calloc(wanted.count, sizeof(struct server_door *))};
	out_error->is_other_gateway = false;
	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	if (doors->items == NULL)
		return -ENOMEM;
	for (; r == 0 && doors->count < wanted.count; doors->count++)
		r = door_make(&wanted.items[doors->count], config, renewals,
			      &doors->items[doors->count], out_error);
	if (r == 0)
		server_doors_admin(doors)->is_admin = true;
	return r;
}

static void list_destroy(struct server_door **items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		server_door_destroy(&items[i]);
	free(items);
}

void server_doors_finish(struct server_doors *doors)
{
	list_destroy(doors->items, doors->count);
	list_destroy(doors->leaving, doors->leaving_count);
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
	int fd;

	if (server_door_is_unix(door))
		fd = unix_open(door);
	else if (door->inherited != NULL)
		fd = listener_bind_silent(&door->addr, is_first, door->is_ipv6_only);
	else
		fd = listener_bind_as(&door->addr, is_first, door->is_ipv6_only);

	if (fd < 0)
		server_door_explain(door, fd, out_error);
	return fd;
}

/* In the thread of a worker that has let go of it. */
static void on_gone(struct worker_door *each)
{
	struct server_door *door = each->owner;

	__atomic_sub_fetch(&door->in_use, 1, __ATOMIC_RELEASE);
}

static void each_add(struct server_door *door, int fd)
{
	door->each[door->each_count++] = (struct worker_door){
		.fd = fd, .tls = &door->contexts, .on_gone = on_gone, .owner = door};
}

/* What the process before had there, so that none is left over whose queue has clients. */
static void inherit(struct server_door *door)
{
	struct handover_place place = server_door_place(door);
	int fd;

	while (!server_door_is_unix(door) &&
	       (fd = handover_sockets_take(door->inherited, &place)) >= 0)
		each_add(door, fd);
}

int server_door_take(struct server_door *door, size_t workers, bool is_first,
		     struct server_error *out_error)
{
	size_t inherited = door->inherited == NULL ? 0 : door->inherited->count;

	CHECK(door->each == NULL && workers > 0);
	door->each = calloc(workers + inherited, sizeof(*door->each));
	if (door->each == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "out of memory");
		return -ENOMEM;
	}
	inherit(door);
	while (door->each_count < workers) {
		int fd = server_door_open(door, is_first && door->each_count == 0, out_error);

		if (fd < 0)
			return fd; /* what was taken goes with the door */
		each_add(door, fd);
	}
	return 0;
}

/* --- those of the process before --- */

struct handover_place server_door_place(const struct server_door *door)
{
	return (struct handover_place){.address = &door->place,
				       .is_ipv6_only = door->is_ipv6_only,
				       .is_admin = door->is_admin};
}

void server_doors_activate(struct server_doors *doors, struct handover_sockets *sockets)
{
	for (size_t i = 0; i < doors->count; i++) {
		struct server_door *door = doors->items[i];
		struct handover_place place = server_door_place(door);

		if (handover_sockets_find(sockets, &place) == NULL)
			continue;
		if (server_door_is_unix(door))
			door->unix_fd = handover_sockets_take(sockets, &place);
		else
			door->inherited = sockets; /* one for each worker, so that none is bound */
	}
}

void server_doors_inherit(struct server_doors *doors, struct handover_sockets *sockets)
{
	for (size_t i = 0; i < doors->count; i++) {
		struct server_door *door = doors->items[i];
		struct handover_place place = server_door_place(door);
		const struct handover_socket *socket = handover_sockets_find(sockets, &place);
		socklen_t len = sizeof(door->addr);

		door->inherited = sockets;
		if (socket == NULL)
			continue;
		if (!server_door_is_unix(door)) {
			getsockname(socket->fd, &door->addr.sa, &len);
			continue;
		}
		door->unix_socket.device = socket->device;
		door->unix_socket.inode = socket->inode;
		door->unix_fd = handover_sockets_take(sockets, &place);
	}
}

char *server_door_text(const struct server_door *door, char out[CONFIG_PLACE_TEXT_MAX])
{
	if (server_door_is_unix(door))
		return config_place_format(&door->place, out);
	return net_addr_format(&door->addr, out, CONFIG_PLACE_TEXT_MAX);
}

void server_door_log(const struct server_door *door, const char *message)
{
	bool is_any = !server_door_is_unix(door) && door->addr.sa.sa_family == AF_INET6 &&
		      net_addr_is_wildcard(&door->addr);
	char text[CONFIG_PLACE_TEXT_MAX];
	struct log_field fields[3] = {F_TEXT("address", server_door_text(door, text)),
				      F_TEXT("tls", door->tls == NULL ? "no" : "yes")};

	fields[2] = F_TEXT("takes", door->is_ipv6_only ? "IPv6 only" : "IPv6 and IPv4");
	log_write(LOG_LEVEL_INFO, message, fields, is_any ? 3 : 2);
}

void server_doors_tick(struct server_doors *doors, uint64_t now_ns)
{
	for (size_t i = 0; i < doors->count; i++)
		if (doors->items[i]->tls != NULL)
			server_tls_tick(doors->items[i]->tls, now_ns);
}
