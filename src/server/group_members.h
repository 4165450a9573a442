/* SPDX-License-Identifier: Apache-2.0
 * group_members.h - who is in a group on this node, a page at a time.
 *
 * Layer: server. Only the workers know, each its own; so one after the other is asked, and none
 * after the page is full. A worker goes through its members over several turns of its loop. */
#pragma once

#include "fleet/group/group_registry.h"
#include "server/server.h"
#include "session/presence.h"

/* The order is that of the workers, and in each that of joining, which does not change: whoever is
 * a member all the while is on one page. One of another process starts somewhere else. */
struct group_cursor {
	uint64_t worker;
	uint64_t seats; /* of it, that are behind us */
};

struct group_page {
	struct presence **members; /* lent; the references are the asker's */
	size_t count;
	bool is_end;
	struct group_cursor next;
};

/* `on_done` comes once, in the thread of `home`, never from inside the call. -ENOMEM: it does
 * not. `limit` > 0; the name is copied. */
int group_members_ask(struct server *server, struct loop *home, const char *group,
		      struct group_cursor from, size_t limit,
		      void (*on_done)(void *arg, const struct group_page *page), void *arg);
