/* SPDX-License-Identifier: Apache-2.0
 * server_addresses.h - where the connections of each address are counted
 * (server.max_connections_per_ip), also if that is switched on or off, or counts another part of
 * IPv6 addresses, under open connections.
 *
 * Layer: server. In the main thread, but for server_addresses_fullest. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct address_limit;
struct server;

enum addresses_state {
	ADDRESSES_STABLE,
	ADDRESSES_QUIET,  /* nobody is refused; workers end the turn in which somebody was */
	ADDRESSES_MOVING, /* workers count their connections in the next table */
};

struct server_addresses {
	struct address_limit *now;  /* NULL: none. Under the server's mutex */
	struct address_limit *next; /* MOVING */
	enum addresses_state state;
	uint64_t waiting; /* atomic: workers that have not told */
	/* What the configuration wants. */
	uint64_t max; /* 0: no limit */
	unsigned ipv6_bits;
};

/* Before the workers. False: memory is out. */
bool server_addresses_init(struct server_addresses *addresses, uint64_t max, unsigned ipv6_bits);

/* When no worker runs. */
void server_addresses_finish(struct server_addresses *addresses);

/* From now on, or soon: where the table has to be another, when all workers have counted. */
void server_addresses_set(struct server *server, uint64_t max, unsigned ipv6_bits);

/* Waits until that is done, but not for long: with very many connections it goes on by the ticks.
 */
void server_addresses_await(struct server *server);

/* Now and then: goes on with it. */
void server_addresses_tick(struct server *server);

/* From any thread: connections of the address that has most; 0: addresses have no limit. */
uint64_t server_addresses_fullest(struct server *server);
