/* SPDX-License-Identifier: Apache-2.0 */
#include "server/block_sweep.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "fleet/client.h"
#include "session/directory.h"

/* What one turn of the loop looks at. */
#define TURN_LOOKS_MAX 1024

struct sweep {
	struct list_node node;
	struct block_sweeper *sweeper;
	struct loop_task task;
	struct directory_cursor cursor;
	bool is_of_all;
	struct block block; /* else */
	uint64_t now_ms;    /* of this turn */
	uint64_t found;
	void (*on_done)(void *arg, uint64_t found);
	void *arg;
	size_t count; /* of this turn */
	struct {
		struct presence *presence; /* a reference */
		unsigned seconds;
	} hits[TURN_LOOKS_MAX];
};

/* --- in the thread of a client's worker --- */

struct closing {
	struct presence_task task;
	unsigned seconds;
};

static void run_closing(struct presence_task *task, struct session *session)
{
	struct closing *closing = CONTAINER_OF(task, struct closing, task);

	if (session != NULL)
		session->ops->blocked(session, closing->seconds);
	free(closing);
}

/* --- the walk --- */

static bool is_blocked(struct sweep *sweep, const struct presence *presence,
		       struct block *out_block)
{
	struct net_ip remote = presence_remote(presence);
	const char *route = presence_route_name(presence);

	if (sweep->is_of_all)
		return blocks_find(sweep->sweeper->blocks, route, presence->client_id, &remote,
				   sweep->now_ms, out_block);
	if (!block_has(&sweep->block.target, route, presence->client_id, &remote))
		return false;
	*out_block = sweep->block;
	return true;
}

/* Under the lock of the directory's shard. */
static bool visit(struct presence *presence, void *arg)
{
	struct sweep *sweep = arg;
	struct block block;

	if (!is_blocked(sweep, presence, &block))
		return true;
	sweep->hits[sweep->count].presence = presence_ref(presence);
	sweep->hits[sweep->count].seconds = block_seconds_left(&block, sweep->now_ms);
	sweep->count++;
	return true;
}

/* Without memory it stays, and is refused when it comes again. */
static void close_one(struct sweep *sweep, struct presence *presence, unsigned seconds)
{
	struct closing *closing = malloc(sizeof(*closing));

	if (closing == NULL)
		return;
	*closing = (struct closing){.task = {.run = run_closing}, .seconds = seconds};
	if (presence_post(presence, &closing->task))
		sweep->found++;
	else
		free(closing); /* its worker has ended, and it with it */
}

static void close_hits(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->count; i++) {
		close_one(sweep, sweep->hits[i].presence, sweep->hits[i].seconds);
		presence_unref(&sweep->hits[i].presence);
	}
	sweep->count = 0;
}

static void begin_next(struct block_sweeper *sweeper);

static void end(struct sweep *sweep)
{
	struct block_sweeper *sweeper = sweep->sweeper;

	list_remove(&sweep->node);
	if (sweep->on_done != NULL)
		sweep->on_done(sweep->arg, sweep->found);
	free(sweep);
	begin_next(sweeper);
	sweeper->home->questions--;
	sweeper->home->on_gone(sweeper->home);
}

static void run_turn(struct loop_task *task)
{
	struct sweep *sweep = CONTAINER_OF(task, struct sweep, task);

	sweep->now_ms = clock_wall_ns() / NS_PER_MS;
	bool is_end = directory_scan(sweep->sweeper->directory, &sweep->cursor, TURN_LOOKS_MAX,
				     visit, sweep);

	close_hits(sweep);
	if (is_end)
		end(sweep);
	else
		loop_post(sweep->sweeper->home->loop, &sweep->task);
}

static void begin_next(struct block_sweeper *sweeper)
{
	if (!list_is_empty(&sweeper->sweeps))
		loop_post(sweeper->home->loop,
			  &CONTAINER_OF(sweeper->sweeps.next, struct sweep, node)->task);
}

void block_sweeper_init(struct block_sweeper *sweeper, struct blocks *blocks,
			struct directory *directory)
{
	*sweeper = (struct block_sweeper){.blocks = blocks, .directory = directory};
	list_init(&sweeper->sweeps);
}

/* One that waits finds all that is blocked by the time it begins. */
static bool one_waits(const struct block_sweeper *sweeper)
{
	const struct list_node *first = sweeper->sweeps.next;

	for (const struct list_node *at = first->next;
	     first != &sweeper->sweeps && at != &sweeper->sweeps; at = at->next)
		if (CONTAINER_OF(at, const struct sweep, node)->is_of_all)
			return true;
	return false;
}

int block_sweep_start(struct block_sweeper *sweeper, const struct block *block,
		      void (*on_done)(void *arg, uint64_t found), void *arg)
{
	CHECK(sweeper->home != NULL);
	if (block == NULL && on_done == NULL && one_waits(sweeper))
		return 0;
	struct sweep *sweep = malloc(sizeof(*sweep));

	if (sweep == NULL)
		return -ENOMEM;
	*sweep = (struct sweep){
		.sweeper = sweeper,
		.task = {.run = run_turn},
		.cursor = DIRECTORY_START,
		.is_of_all = block == NULL,
		.on_done = on_done,
		.arg = arg,
	};
	if (block != NULL)
		sweep->block = *block;
	bool is_first = list_is_empty(&sweeper->sweeps);

	list_append(&sweeper->sweeps, &sweep->node);
	sweeper->home->questions++;
	if (is_first)
		begin_next(sweeper);
	return 0;
}
