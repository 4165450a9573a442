/* SPDX-License-Identifier: Apache-2.0
 * activation.h - sockets that a service manager has opened for us: sd_listen_fds(3), without its
 * library.
 *
 * Layer: os. In the main thread, before anything else opens descriptors. */
#pragma once

#include <stddef.h>

#include "base/net_addr.h"

#define ACTIVATION_MAX      64
#define ACTIVATION_NAME_MAX 256
#define ACTIVATION_PATH_MAX 108 /* with the NUL */

struct activation_socket {
	char name[ACTIVATION_NAME_MAX]; /* FileDescriptorName=, else that of the unit; "": none */
	struct net_addr addr;           /* AF_UNIX: it has `path` instead */
	char path[ACTIVATION_PATH_MAX];
	int fd; /* -1: it was taken */
};

struct activation {
	struct activation_socket items[ACTIVATION_MAX];
	size_t count;
};

struct activation_error {
	char text[512];
};

/* Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and looks at what is there; the descriptors are
 * not inherited further. 0, also if there are none, or they are for another process; or a negative
 * errno with *out_error: one is no listening stream socket, or the variables do not fit each other.
 */
int activation_read(struct activation *out_activation, struct activation_error *out_error);

/* Closes those that were not taken. */
void activation_finish(struct activation *activation);
