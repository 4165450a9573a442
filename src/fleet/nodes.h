/* SPDX-License-Identifier: Apache-2.0
 * nodes.h - which nodes there are, by what each says of itself every two seconds,
 * and at once to one that is new.
 *
 * Layer: fleet. Belongs to one loop's thread; the embedded bus has this node alone. A node
 * that was not heard for six seconds is forgotten. Nothing is decided by this list: who is
 * connected where, the broker knows. It is for people, and for finding out that two nodes
 * have one name. */
#pragma once

#include <jansson.h>

#include "fleet/fleet.h"

/* [nodes] kept beside this one. */
#define NODES_MAX 1000

/* [bytes] */
#define NODE_CONSOLE_MAX 255

/* What a node tells, at this moment. */
struct node_facts {
	const char *status; /* as /health has it */
	uint64_t connections;
	uint64_t max_connections;
	uint64_t clients;
	char console[NODE_CONSOLE_MAX + 1]; /* address of its console; "": it is not told */
};

struct nodes;

struct nodes_options {
	struct fleet *fleet; /* with a bus; its deaf_nodes is kept */
	struct loop *loop;
	/* Any time, in the loop's thread. */
	void (*describe)(void *arg, struct node_facts *out_facts);
	/* Once, after nodes_close, from the loop: `nodes` is gone. */
	void (*on_closed)(void *arg);
	void *arg;
};

/* Returns 0 or a negative errno. */
int nodes_open(const struct nodes_options *options, struct nodes **out_nodes);

/* Tells the others that this one leaves, and clears the pointer. */
void nodes_close(struct nodes **nodes);

/* Likewise, but another process goes on as this node: nobody is told. */
void nodes_hand_over(struct nodes **nodes);

/* A list of objects, this node first. NULL: memory is out. */
json_t *nodes_json(const struct nodes *nodes);
