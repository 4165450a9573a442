/* SPDX-License-Identifier: Apache-2.0
 * list.h - an intrusive, circular, doubly linked list.
 *
 * Layer: base. The head is a node too. A node is in at most one list; removing
 * leaves it linked to itself, so removing twice is harmless. */
#pragma once

#include <stdbool.h>

struct list_node {
	struct list_node *next;
	struct list_node *prev;
};

static inline void list_init(struct list_node *node)
{
	node->next = node;
	node->prev = node;
}

static inline bool list_is_empty(const struct list_node *head)
{
	return head->next == head;
}

/* Adds at the end of the list. */
static inline void list_append(struct list_node *head, struct list_node *node)
{
	node->next = head;
	node->prev = head->prev;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_remove(struct list_node *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Takes the first node off; there must be one. Not by list_remove: there an analyzer does not see
 * that it is the head which changes, and thinks that the node is still the first. */
static inline struct list_node *list_pop(struct list_node *head)
{
	struct list_node *node = head->next;

	head->next = node->next;
	head->next->prev = head;
	list_init(node);
	return node;
}

/* Moves everything from one head to another, which must be empty. */
static inline void list_move_all(struct list_node *from, struct list_node *into)
{
	if (list_is_empty(from))
		return;
	*into = *from;
	into->next->prev = into;
	into->prev->next = into;
	list_init(from);
}
