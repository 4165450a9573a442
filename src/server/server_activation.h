/* SPDX-License-Identifier: Apache-2.0
 * server_activation.h - listeners whose sockets the service manager has opened (os/activation.h).
 *
 * Layer: server. In the main thread, at the start. A socket is a listener's by its name, which is
 * that of the option (server.listen, server.listeners[0], admin.listen), or else by its address.
 * Either way the addresses must be the same: what is configured is what is served. */
#pragma once

#include "server/handover_sockets.h"

struct activation;
struct server_error;

/* Takes them all. 0, or a negative errno with *out_error: one is no listener's, or another address
 * than that one's, or memory is out. handover_sockets_finish in either case. */
int server_activation_take(const struct config *config, struct activation *activation,
			   struct handover_sockets *out_sockets, struct server_error *out_error);

/* Beside a socket that is somebody else's no other can be bound: each of so many workers gets a
 * duplicate. 0, or a negative errno. */
int server_activation_share(struct handover_sockets *sockets, size_t workers);
