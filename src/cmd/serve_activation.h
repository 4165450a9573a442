/* SPDX-License-Identifier: Apache-2.0
 * serve_activation.h - serve's sockets, where the service manager has opened them.
 *
 * Layer: cmd. In the main thread, at the start. */
#pragma once

#include "server/server_activation.h"

/* Takes those that LISTEN_FDS tells of. False: they do not fit the configuration, and the log says
 * why. handover_sockets_finish in either case. */
bool serve_activation_take(const struct config *config, struct handover_sockets *out_sockets);
