/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/conn_walk.h"

#include "conn/conn.h"

void conn_walk_start(struct conn_walk *walk, struct conn_home *home)
{
	walk->home = home;
	list_walk_start(&walk->walk, &home->walks, &home->conns);
}

struct conn *conn_walk_next(struct conn_walk *walk)
{
	struct list_node *node = walk->walk.next;

	if (node == &walk->home->conns)
		return NULL;
	walk->walk.next = node->next;
	return CONTAINER_OF(node, struct conn, node);
}

void conn_walk_stop(struct conn_walk *walk)
{
	list_walk_stop(&walk->walk);
}
