/* SPDX-License-Identifier: Apache-2.0
 * server_backends.h - the files of back ends, which are read again when they change: secrets,
 * headers, authorities.
 *
 * Layer: server. In the main thread. */
#pragma once

#include <stddef.h>

struct ruleset;
struct server;
struct backend_watch;

/* Of the back ends of one ruleset. */
struct backend_watches {
	struct backend_watch *items; /* stay where they are */
	size_t count;
};

/* Their files are looked at from now on. 0 or -ENOMEM, and then none is. */
int backend_watches_begin(struct server *server, const struct ruleset *ruleset,
			  struct backend_watches *out_watches);

/* They are not any more. Zeroed is fine. */
void backend_watches_end(struct server *server, struct backend_watches *watches);
