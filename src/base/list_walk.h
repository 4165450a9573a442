/* SPDX-License-Identifier: Apache-2.0
 * list_walk.h - going through a list over several turns, while its members come and go.
 *
 * Layer: base. What comes meanwhile is found if it comes at the end, what goes is left out:
 * whoever takes a node out of the list calls list_walks_pass for it first. */
#pragma once

#include "base/list.h"

struct list_walk {
	struct list_node node;  /* in the list of walks */
	struct list_node *next; /* of the list; its head: at the end */
};

static inline void list_walk_start(struct list_walk *walk, struct list_node *walks,
				   struct list_node *list)
{
	walk->next = list->next;
	list_append(walks, &walk->node);
}

static inline void list_walk_stop(struct list_walk *walk)
{
	list_remove(&walk->node);
}

/* `node` is about to leave its list. */
static inline void list_walks_pass(struct list_node *walks, const struct list_node *node)
{
	for (struct list_node *at = walks->next; at != walks; at = at->next) {
		struct list_walk *walk = (struct list_walk *)(void *)at;

		if (walk->next == node)
			walk->next = node->next;
	}
}
