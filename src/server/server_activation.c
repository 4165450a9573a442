/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "io/tcp.h"
#include "os/activation.h"
#include "server/server.h"
#include "server/server_doors.h"

struct taking {
	struct server_doors_wanted wanted;
	struct handover_sockets *sockets;
	struct server_error *error;
	const char *taken[SERVER_DOORS_MAX]; /* the name of the socket of each; NULL: none */
};

static char *address_text(const struct activation_socket *socket, char out[CONFIG_PLACE_TEXT_MAX])
{
	if (socket->addr.sa.sa_family == AF_UNIX)
		snprintf(out, CONFIG_PLACE_TEXT_MAX, "unix:%s", socket->path);
	else
		net_addr_format(&socket->addr, out, CONFIG_PLACE_TEXT_MAX);
	return out;
}

/* "server.listen", "server.listeners[0]", "admin.listen": the option, without ".address". */
static bool has_name_of(const struct activation_socket *socket,
			const struct server_door_wanted *wanted)
{
	size_t len = strlen(wanted->option);
	static const char tail[] = ".address";
	size_t tail_len = strlen(tail);

	if (len > tail_len && strcmp(wanted->option + len - tail_len, tail) == 0)
		len -= tail_len;
	return strlen(socket->name) == len && strncmp(socket->name, wanted->option, len) == 0;
}

static bool has_address_of(const struct activation_socket *socket,
			   const struct server_door_wanted *wanted)
{
	char is[CONFIG_PLACE_TEXT_MAX], want[CONFIG_PLACE_TEXT_MAX];

	return strcmp(address_text(socket, is),
		      config_place_format(&wanted->listener->address, want)) == 0;
}

/* "server.listen 0.0.0.0:8080, admin.listen 127.0.0.1:8081" */
static void wanted_write(const struct taking *taking, char *out, size_t size)
{
	size_t len = 0;

	out[0] = 0;
	for (size_t i = 0; i < taking->wanted.count && len < size; i++) {
		const struct server_door_wanted *one = &taking->wanted.items[i];
		char text[CONFIG_PLACE_TEXT_MAX];

		len += (size_t)snprintf(out + len, size - len, "%s%s %s", i == 0 ? "" : ", ",
					one->option,
					config_place_format(&one->listener->address, text));
	}
}

static int fail_unknown(struct taking *taking, const struct activation_socket *socket)
{
	char address[CONFIG_PLACE_TEXT_MAX], wanted[1024];

	wanted_write(taking, wanted, sizeof(wanted));
	snprintf(taking->error->text, sizeof(taking->error->text),
		 "LISTEN_FDS: the socket %.64s (%s) is no listener's; there are %s; let a listener "
		 "have its address, or take its ListenStream= out of the socket unit",
		 socket->name, address_text(socket, address), wanted);
	return -EINVAL;
}

static int fail_address(struct taking *taking, const struct activation_socket *socket,
			const struct server_door_wanted *one)
{
	char is[CONFIG_PLACE_TEXT_MAX], want[CONFIG_PLACE_TEXT_MAX];

	snprintf(taking->error->text, sizeof(taking->error->text),
		 "LISTEN_FDS: the socket %.64s listens on %s, and %s is %s; make ListenStream= and "
		 "the option equal",
		 socket->name, address_text(socket, is), one->option,
		 config_place_format(&one->listener->address, want));
	return -EINVAL;
}

static int fail_twice(struct taking *taking, const struct activation_socket *socket, size_t index)
{
	snprintf(taking->error->text, sizeof(taking->error->text),
		 "LISTEN_FDS: the sockets %.64s and %.64s are both for %s; one is enough",
		 taking->taken[index], socket->name, taking->wanted.items[index].option);
	return -EINVAL;
}

/* -1: it is none's. */
static int find(const struct taking *taking, const struct activation_socket *socket)
{
	for (size_t i = 0; i < taking->wanted.count; i++)
		if (has_name_of(socket, &taking->wanted.items[i]))
			return (int)i;
	for (size_t i = 0; i < taking->wanted.count; i++)
		if (has_address_of(socket, &taking->wanted.items[i]))
			return (int)i;
	return -1;
}

static int take(struct taking *taking, struct activation_socket *socket)
{
	int index = find(taking, socket);

	if (index < 0)
		return fail_unknown(taking, socket);
	const struct server_door_wanted *one = &taking->wanted.items[index];

	if (!has_address_of(socket, one))
		return fail_address(taking, socket, one);
	if (taking->taken[index] != NULL)
		return fail_twice(taking, socket, (size_t)index);
	taking->taken[index] = socket->name;
	struct handover_socket *to = &taking->sockets->items[taking->sockets->count++];

	/* No file is noted: the path of a unix socket is the manager's to remove. */
	*to = (struct handover_socket){
		.is_admin = (size_t)index == taking->wanted.count - 1,
		.is_ipv6_only = one->listener->ipv6_only == CONFIG_SWITCH_TRUE,
		.fd = socket->fd,
	};
	config_place_format(&one->listener->address, to->place);
	socket->fd = -1;
	listener_take(to->fd);
	return 0;
}

int server_activation_take(const struct config *config, struct activation *activation,
			   struct handover_sockets *out_sockets, struct server_error *out_error)
{
	struct taking taking = {.sockets = out_sockets, .error = out_error};
	int r = 0;

	out_error->is_other_gateway = false;
	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	*out_sockets = (struct handover_sockets){
		.items = calloc(activation->count + 1, sizeof(*out_sockets->items))};
	if (out_sockets->items == NULL)
		return -ENOMEM;
	server_doors_wanted(config, &taking.wanted);
	for (size_t i = 0; r == 0 && i < activation->count; i++)
		r = take(&taking, &activation->items[i]);
	return r;
}

static bool is_shared(const struct handover_socket *socket)
{
	return !socket->is_admin && strncmp(socket->place, "unix:", 5) != 0;
}

int server_activation_share(struct handover_sockets *sockets, size_t workers)
{
	size_t count = sockets->count;
	struct handover_socket *items = realloc(sockets->items,
						(count * workers + 1) * sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	sockets->items = items;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 1; is_shared(&items[i]) && k < workers; k++) {
			int fd = fcntl(items[i].fd, F_DUPFD_CLOEXEC, 0);

			if (fd < 0)
				return -errno;
			items[sockets->count] = items[i];
			items[sockets->count++].fd = fd;
		}
	return 0;
}
