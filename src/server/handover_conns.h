/* SPDX-License-Identifier: Apache-2.0
 * handover_conns.h - a worker's connections in a handover: out of the old process, into the new.
 *
 * Layer: server. In the worker's thread; none of its loop's turns is under way. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct handover_channel;
struct server;
struct worker;

struct handover_exporting {
	struct server *server;
	struct handover_channel *channel;
	bool can_give; /* sockets can be taken out of the loop (loop_engine_can_hand_over) */
	uint64_t deadline_ns;
	/* This worker stands still, and waits until all do: a client that comes to another one may
	 * take over one that is here. False: it is called off. */
	bool (*wait_for_all)(void *arg);
	/* So many more are gone, or stay. */
	void (*count)(void *arg, uint64_t gone, uint64_t stay);
	void *arg;
};

/* The old one's number for a connection. */
static inline uint64_t handover_mark(uint64_t worker_index, uint64_t conn_index)
{
	return worker_index << 40 | conn_index;
}

/* Stops accepting, freezes every connection, and sends those that can go; they are in
 * worker->still. 0, or a negative errno with *out_what, static text: what was being done. Either
 * way handover_conns_go_on follows. */
int handover_conns_export(struct worker *worker, const struct handover_exporting *exporting,
			  const char **out_what);

/* Those that are left go on; so do the doors, if they are this process's still. */
void handover_conns_go_on(struct worker *worker, bool has_doors);
