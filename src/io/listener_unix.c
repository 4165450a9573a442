/* SPDX-License-Identifier: Apache-2.0 */
#include "io/listener_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	CHECK(len < sizeof(address.sun_path));
	memcpy(address.sun_path, path, len + 1);
	return address;
}

/* Somebody listens: 0. Nobody does: -ECONNREFUSED. */
static int try_connect(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	int r = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;

	close(fd);
	return r;
}

pid_t listener_unix_holder(const char *path)
{
	struct sockaddr_un address = address_of(path);
	struct ucred who = {0};
	socklen_t len = sizeof(who);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		who.pid = 0;
	close(fd);
	return who.pid;
}

/* *out_is_stale: a socket is there on which nobody listens. */
static int path_check(const char *path, bool *out_is_stale)
{
	struct stat facts;

	*out_is_stale = false;
	if (lstat(path, &facts) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(facts.st_mode))
		return -EEXIST;
	*out_is_stale = try_connect(path) == -ECONNREFUSED;
	return *out_is_stale ? 0 : -EADDRINUSE;
}

/* The folder must be there, and be ours to write to. */
static int folder_check(const char *path)
{
	char folder[PATH_MAX];
	const char *name = strrchr(path, '/');
	size_t len = name == path ? 1 : (size_t)(name - path);

	CHECK(name != NULL && len < sizeof(folder));
	memcpy(folder, path, len);
	folder[len] = 0;
	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int listener_unix_check(const struct listener_unix *unix_socket)
{
	bool is_stale;
	int r = path_check(unix_socket->path, &is_stale);

	return r < 0 ? r : folder_check(unix_socket->path);
}

/* While it does not listen nobody can connect. */
static int dress_and_listen(int fd, struct listener_unix *unix_socket)
{
	struct stat facts;

	if (lstat(unix_socket->path, &facts) < 0)
		return -errno;
	unix_socket->device = facts.st_dev;
	unix_socket->inode = facts.st_ino;
	if (chmod(unix_socket->path, unix_socket->mode) < 0 ||
	    lchown(unix_socket->path, unix_socket->uid, unix_socket->gid) < 0 ||
	    listen(fd, INT_MAX) < 0) {
		int r = -errno;

		listener_unix_remove(unix_socket);
		return r;
	}
	return fd;
}

int listener_unix_bind(struct listener_unix *unix_socket)
{
	struct sockaddr_un address = address_of(unix_socket->path);
	bool is_stale;
	int r = path_check(unix_socket->path, &is_stale);

	if (r < 0)
		return r;
	if (is_stale && unlink(unix_socket->path) < 0)
		return -errno;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0
		    ? -errno
		    : dress_and_listen(fd, unix_socket);
	if (r < 0)
		close(fd);
	return r;
}

int listener_unix_adopt(struct listener_unix *unix_socket)
{
	struct stat facts;

	if (lstat(unix_socket->path, &facts) < 0)
		return -errno;
	if (!S_ISSOCK(facts.st_mode))
		return -ENOTSOCK;
	unix_socket->device = facts.st_dev;
	unix_socket->inode = facts.st_ino;
	return 0;
}

static bool is_ours(const struct listener_unix *unix_socket)
{
	struct stat facts;

	return lstat(unix_socket->path, &facts) == 0 && facts.st_dev == unix_socket->device &&
	       facts.st_ino == unix_socket->inode;
}

int listener_unix_dress(const struct listener_unix *unix_socket)
{
	if (!is_ours(unix_socket))
		return -ENOENT;
	return chmod(unix_socket->path, unix_socket->mode) < 0 ||
			       lchown(unix_socket->path, unix_socket->uid, unix_socket->gid) < 0
		       ? -errno
		       : 0;
}

bool listener_unix_is_gone(const struct listener_unix *unix_socket)
{
	return unix_socket->inode != 0 && !is_ours(unix_socket);
}

void listener_unix_remove(const struct listener_unix *unix_socket)
{
	if (is_ours(unix_socket))
		unlink(unix_socket->path);
}
