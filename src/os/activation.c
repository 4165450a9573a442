/* SPDX-License-Identifier: Apache-2.0 */
#include "os/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/units.h"

/* Where they begin (SD_LISTEN_FDS_START). */
#define FIRST_FD 3

static int __attribute__((format(printf, 2, 3)))
fail(struct activation_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* False: it is not there, or no number. */
static bool number_read(const char *name, uint64_t *out_value)
{
	const char *text = getenv(name);

	return text != NULL && units_parse_count(slice_from_text(text), out_value) == UNITS_OK;
}

/* --- one socket --- */

static bool option_is(int fd, int option, int value)
{
	int seen = -1;
	socklen_t len = sizeof(seen);

	return getsockopt(fd, SOL_SOCKET, option, &seen, &len) == 0 && seen == value;
}

/* False: it has a name in no file system, or a longer one than can be. */
static bool path_read(const struct sockaddr_un *addr, socklen_t len, char out[ACTIVATION_PATH_MAX])
{
	size_t most = len - offsetof(struct sockaddr_un, sun_path);
	size_t path_len = strnlen(addr->sun_path, most);

	if (path_len == 0 || path_len >= ACTIVATION_PATH_MAX)
		return false;
	memcpy(out, addr->sun_path, path_len);
	out[path_len] = 0;
	return true;
}

static int look(struct activation_socket *socket, struct activation_error *error)
{
	union {
		struct net_addr net;
		struct sockaddr_un un;
	} addr = {0};
	socklen_t len = sizeof(addr);

	if (fcntl(socket->fd, F_SETFD, FD_CLOEXEC) < 0)
		return fail(error, "LISTEN_FDS: there is no descriptor %d (%s)", socket->fd,
			    strerror(errno));
	if (getsockname(socket->fd, &addr.net.sa, &len) < 0 ||
	    !option_is(socket->fd, SO_TYPE, SOCK_STREAM) ||
	    !option_is(socket->fd, SO_ACCEPTCONN, 1))
		return fail(error,
			    "LISTEN_FDS: descriptor %d (%s) is no stream socket that listens; "
			    "write ListenStream=, and not Accept=yes",
			    socket->fd, socket->name);
	switch (addr.net.sa.sa_family) {
	case AF_INET:
	case AF_INET6:
		socket->addr = addr.net;
		return 0;
	case AF_UNIX:
		socket->addr.sa.sa_family = AF_UNIX;
		if (path_read(&addr.un, len, socket->path))
			return 0;
		break;
	default:
		break;
	}
	return fail(error,
		    "LISTEN_FDS: descriptor %d (%s) listens neither on an address of IP nor on a "
		    "path",
		    socket->fd, socket->name);
}

/* --- all --- */

/* The next name of "a:b". */
static void name_take(struct slice *names, char out[ACTIVATION_NAME_MAX])
{
	struct slice name;

	out[0] = 0;
	if (slice_next(names, ':', &name))
		snprintf(out, ACTIVATION_NAME_MAX, "%.*s", SLICE_ARG(name));
}

int activation_read(struct activation *out_activation, struct activation_error *out_error)
{
	const char *names_text = getenv("LISTEN_FDNAMES"), *count_text = getenv("LISTEN_FDS");
	struct slice names = {0};
	uint64_t pid, count;

	*out_activation = (struct activation){0};
	if (count_text == NULL || (number_read("LISTEN_PID", &pid) && pid != (uint64_t)getpid()))
		return 0;
	if (!number_read("LISTEN_PID", &pid))
		return fail(out_error, "LISTEN_FDS is set, and LISTEN_PID is no number: both are "
				       "the service manager's to set");
	if (!number_read("LISTEN_FDS", &count) || count > ACTIVATION_MAX)
		return fail(out_error, "LISTEN_FDS: %.32s is not in 0..%d sockets", count_text,
			    ACTIVATION_MAX);
	if (names_text != NULL)
		names = slice_from_text(names_text);
	for (uint64_t i = 0; i < count; i++) {
		struct activation_socket *socket = &out_activation->items[i];

		socket->fd = FIRST_FD + (int)i;
		name_take(&names, socket->name);
		out_activation->count++;
		int r = look(socket, out_error);

		if (r < 0)
			return r;
	}
	return 0;
}

void activation_finish(struct activation *activation)
{
	for (size_t i = 0; i < activation->count; i++)
		if (activation->items[i].fd >= 0)
			close(activation->items[i].fd);
	activation->count = 0;
}
