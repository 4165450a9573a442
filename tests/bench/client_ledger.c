/* SPDX-License-Identifier: Apache-2.0
 * client_ledger.c - where the user bytes of an idle client go.
 *
 * client_ledger [CLIENTS]: makes what a gateway keeps of so many idle clients, part by part, with
 * the gateway's own code, and looks after each part how much private memory the process has more;
 * then lets half of them go, evenly, as after a storm, and then the rest. What a whole
 * gateway adds to that (buffers, tables of its engine) is tools/memory_ledger.py's to measure. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "conn/conn.h"
#include "session/directory.h"

/* [bytes] */
static uint64_t private_memory(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	uint64_t kib = 0;

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Private_Dirty: %" SCNu64, &kib) == 1)
			break;
	fclose(file);
	return kib * 1024;
}

struct ledger {
	size_t clients;
	uint64_t at_start, before; /* [bytes] */
};

static void row(struct ledger *ledger, const char *what, size_t struct_size)
{
	uint64_t now = private_memory();

	printf("%-34s %8zu %10.1f %10.1f\n", what, struct_size,
	       ((double)now - (double)ledger->before) / (double)ledger->clients,
	       ((double)now - (double)ledger->at_start) / (double)ledger->clients);
	ledger->before = now;
}

static char route_name[] = "ws";
static const struct config_route config = {.name = route_name};
static struct ruleset ruleset = {.references = 1}; /* is never the last */
static const struct client_route route = {.config = &config, .ruleset = &ruleset};
static struct mailbox mailbox;

static struct presence *presence_of(size_t number)
{
	char id[32];

	snprintf(id, sizeof(id), "dev-%zu", number + 1);
	struct presence *presence = presence_create(&(struct presence_facts){
		.route = &route,
		.client_id = id,
		.remote = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}},
		.mailbox = &mailbox,
	});

	CHECK(presence != NULL);
	return presence;
}

struct world {
	struct pool pool;
	struct directory *directory;
	void **conns;
	struct presence **presences;
};

static void fill(struct world *world, struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->clients; i++) {
		world->conns[i] = pool_get(&world->pool);
		CHECK(world->conns[i] != NULL);
		memset(world->conns[i], 1, sizeof(struct conn));
	}
	row(ledger, "connection", sizeof(struct conn));
	for (size_t i = 0; i < ledger->clients; i++)
		world->presences[i] = presence_of(i);
	row(ledger, "presence, with id and address", sizeof(struct presence));
	for (size_t i = 0; i < ledger->clients; i++) {
		struct presence *older;

		CHECK(directory_enter(world->directory, world->presences[i], DIRECTORY_NEWEST,
				      &older) &&
		      older == NULL);
	}
	row(ledger, "directory", sizeof(void *));
}

/* Every other one, or those that are left. */
static void empty(struct world *world, const struct ledger *ledger, size_t step)
{
	for (size_t i = 0; i < ledger->clients; i += step) {
		if (world->conns[i] == NULL)
			continue;
		directory_leave(world->directory, world->presences[i]);
		presence_unref(&world->presences[i]);
		pool_put(&world->pool, world->conns[i]);
		world->conns[i] = NULL;
	}
}

static void connection_rows(void)
{
	static const struct {
		const char *name;
		size_t size;
	} rows[] = {
		{"stream", sizeof(struct tcp)},
		{"timer", sizeof(struct timer)},
		{"session", sizeof(struct session)},
	};
	size_t rest = sizeof(struct conn);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		printf("  %-32s %8zu\n", rows[i].name, rows[i].size);
		rest -= rows[i].size;
	}
	printf("  %-32s %8zu\n", "phase, times, flags", rest);
}

int main(int argc, char **argv)
{
	struct ledger ledger = {.clients = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000};
	struct world world = {.directory = directory_create()};

	CHECK(ledger.clients > 0 && world.directory != NULL);
	pool_init(&world.pool, sizeof(struct conn));
	mailbox_init(&mailbox);
	world.conns = calloc(ledger.clients, sizeof(*world.conns));
	world.presences = calloc(ledger.clients, sizeof(*world.presences));
	CHECK(world.conns != NULL && world.presences != NULL);
	/* The test's own tables are there before it counts. */
	memset(world.conns, 0xff, ledger.clients * sizeof(*world.conns));
	memset(world.presences, 0xff, ledger.clients * sizeof(*world.presences));
	printf("%-34s %8s %10s %10s\n", "bytes", "struct", "a client", "sum");
	connection_rows();
	ledger.at_start = ledger.before = private_memory();
	fill(&world, &ledger);
	empty(&world, &ledger, 2);
	row(&ledger, "half of them have gone", 0);
	empty(&world, &ledger, 1);
	row(&ledger, "all have gone", 0);
	printf("malloc: %zu bytes in use, %zu free\n", mallinfo2().uordblks, mallinfo2().fordblks);
	free(world.conns);
	free(world.presences);
	directory_destroy(&world.directory);
	pool_finish(&world.pool);
	mailbox_finish(&mailbox);
	return 0;
}
