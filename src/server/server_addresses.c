/* SPDX-License-Identifier: Apache-2.0
 * server_addresses.c - from one table of addresses to another, in steps that all workers have taken
 * before the next one:
 *
 * STABLE -> QUIET: in the old table nobody is refused any more. So nobody inherits the place of an
 * older connection (admit.c) once every worker has ended its turn, and each place belongs to the
 * connection that took it. Left out if there was no table.
 * QUIET -> MOVING: each worker counts its connections in the next table, which refuses nobody yet.
 * MOVING -> STABLE: the old table is empty, and goes; the next one has its limit from now on.
 *
 * The main thread waits for that a moment, and then looks in now and then (server_addresses_tick).
 */
#include "server/server_addresses.h"

#include <time.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/log.h"
#include "server/server_private.h"

bool server_addresses_init(struct server_addresses *addresses, uint64_t max, unsigned ipv6_bits)
{
	*addresses = (struct server_addresses){.max = max, .ipv6_bits = ipv6_bits};
	if (max == 0)
		return true;
	addresses->now = address_limit_create(max, ipv6_bits);
	return addresses->now != NULL;
}

void server_addresses_finish(struct server_addresses *addresses)
{
	address_limit_destroy(&addresses->now);
	address_limit_destroy(&addresses->next);
}

/* --- what workers do --- */

static void told(struct server *server)
{
	pthread_mutex_lock(&server->mutex);
	__atomic_sub_fetch(&server->addresses.waiting, 1, __ATOMIC_RELEASE);
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

static void run_quiet(struct loop_task *task)
{
	told(CONTAINER_OF(task, struct slot, addresses_task)->server);
}

static void on_counted(void *arg)
{
	told(arg);
}

static void run_move(struct loop_task *task)
{
	struct slot *slot = CONTAINER_OF(task, struct slot, addresses_task);
	struct server *server = slot->server;

	change_over_addresses(&slot->worker->home, server->addresses.next, on_counted, server);
}

/* A worker that has ended has nobody to count. */
static void post(struct server *server, void (*run)(struct loop_task *task))
{
	pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; i < server->worker_count; i++) {
		struct slot *slot = &server->slots[i];

		if (!slot->is_listening || slot->has_ended)
			continue;
		slot->addresses_task.run = run;
		counter_add(&server->addresses.waiting, 1);
		loop_post(slot->worker->loop, &slot->addresses_task);
	}
	pthread_mutex_unlock(&server->mutex);
}

/* --- the steps --- */

static bool is_another_table(const struct server_addresses *addresses)
{
	bool has = addresses->now != NULL, wants = addresses->max != 0;

	return has != wants ||
	       (has && address_limit_ipv6_bits(addresses->now) != addresses->ipv6_bits);
}

/* True: there is another step. */
static bool begin(struct server *server)
{
	struct server_addresses *addresses = &server->addresses;

	if (!is_another_table(addresses)) {
		if (addresses->now != NULL)
			address_limit_set_max(addresses->now, addresses->max);
		return false;
	}
	addresses->state = ADDRESSES_QUIET;
	if (addresses->now != NULL) {
		address_limit_set_max(addresses->now, ADDRESS_LIMIT_NONE);
		post(server, run_quiet);
	}
	return true;
}

static bool move(struct server *server)
{
	struct server_addresses *addresses = &server->addresses;

	if (addresses->max != 0) {
		addresses->next = address_limit_create(ADDRESS_LIMIT_NONE, addresses->ipv6_bits);
		if (addresses->next == NULL) {
			log_warn("out of memory: connections of an address are not counted yet; it "
				 "is tried again");
			return false;
		}
	}
	addresses->state = ADDRESSES_MOVING;
	post(server, run_move);
	return true;
}

static bool end(struct server *server)
{
	struct server_addresses *addresses = &server->addresses;
	struct address_limit *old = addresses->now;

	pthread_mutex_lock(&server->mutex);
	addresses->now = addresses->next;
	addresses->next = NULL;
	pthread_mutex_unlock(&server->mutex);
	address_limit_destroy(&old);
	addresses->state = ADDRESSES_STABLE;
	return true; /* the limit, or what was wanted meanwhile */
}

void server_addresses_tick(struct server *server)
{
	static bool (*const steps[])(struct server * server) = {
		[ADDRESSES_STABLE] = begin, [ADDRESSES_QUIET] = move, [ADDRESSES_MOVING] = end};

	while (__atomic_load_n(&server->addresses.waiting, __ATOMIC_ACQUIRE) == 0)
		if (!steps[server->addresses.state](server))
			return;
}

/* For workers with ten thousand connections each it takes some ten milliseconds. */
#define AWAIT_S 1

void server_addresses_await(struct server *server)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += AWAIT_S;
	server_addresses_tick(server);
	/* Without memory for the next table there is nothing to wait for. */
	while (counter_read(&server->addresses.waiting) > 0 && r == 0) {
		pthread_mutex_lock(&server->mutex);
		while (counter_read(&server->addresses.waiting) > 0 && r == 0)
			r = pthread_cond_timedwait(&server->changed, &server->mutex, &until);
		pthread_mutex_unlock(&server->mutex);
		server_addresses_tick(server);
	}
}

void server_addresses_set(struct server *server, uint64_t max, unsigned ipv6_bits)
{
	server->addresses.max = max;
	server->addresses.ipv6_bits = ipv6_bits;
	server_addresses_tick(server);
}

uint64_t server_addresses_fullest(struct server *server)
{
	pthread_mutex_lock(&server->mutex);
	uint64_t most = server->addresses.now == NULL
				? 0
				: address_limit_fullest(server->addresses.now);

	pthread_mutex_unlock(&server->mutex);
	return most;
}
