/* SPDX-License-Identifier: Apache-2.0
 * listener_unix.h - listening sockets that have a path.
 *
 * Layer: io. File access: for start-up and the end, never for a worker. A path has one socket:
 * whoever has several loops gives each a duplicate of it (dup), and the loops take in turn who
 * comes. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct listener_unix {
	const char *path; /* absolute, at most 107 bytes */
	mode_t mode;
	uid_t uid; /* (uid_t)-1: as it is made */
	gid_t gid;
	/* Of the file that was made, so that another's is not removed. */
	dev_t device;
	ino_t inode;
};

/* Makes the socket and lets it listen: nobody can connect before it has its mode and owner. A
 * socket that nobody listens on any more is replaced. Returns the descriptor, or a negative errno:
 * -EADDRINUSE: somebody listens there; -EEXIST: what is there is no socket. */
int listener_unix_bind(struct listener_unix *unix_socket);

/* Whether listener_unix_bind would find the path free: 0 or a negative errno. */
int listener_unix_check(const struct listener_unix *unix_socket);

/* Who listens there, or let it listen; 0: nobody, or it is not ours to know. */
pid_t listener_unix_holder(const char *path);

/* The socket is one that another process made and handed over: takes note of its file, as if it had
 * been made here. 0, or a negative errno: nothing, or no socket, is there. */
int listener_unix_adopt(struct listener_unix *unix_socket);

/* Gives the file the mode and the owner that are wanted, if it is the one that was made. 0 or a
 * negative errno. */
int listener_unix_dress(const struct listener_unix *unix_socket);

/* Is the file that was made not there any more? Nobody can connect then. False for one that was
 * neither made nor adopted here: it is not ours to judge. */
bool listener_unix_is_gone(const struct listener_unix *unix_socket);

/* Takes the file away, if it is the one that was made. */
void listener_unix_remove(const struct listener_unix *unix_socket);
