/* SPDX-License-Identifier: Apache-2.0
 * block_road.c - {"run": who says it, "blocks": changes, "digest": what all come to}; the last two
 * may be missing. Two nodes that hear that they have not the same tell each other all, and the
 * later of two changes holds; so they come to have the same, whatever was lost on the way. */
#include "server/block_road.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/hex.h"
#include "fleet/block_json.h"
#include "fleet/client.h"

#define SUBJECT   "gatehouse.blocks"
#define LOOK_NS   (250 * NS_PER_MS) /* whether there is a broker anew */
#define DIGEST_NS (10 * NS_PER_S)
/* After a broker was found: others may find it a moment later. */
#define EAGER_NS        (5 * NS_PER_S)
#define EAGER_DIGEST_NS (1 * NS_PER_S)
#define SHARE_NS        (NS_PER_S / 2) /* from one time that all are told to the next, at least */
#define MESSAGE_MAX     40             /* [blocks] in one message: at most about 100 KB */

static uint64_t wall_ms(void)
{
	return clock_wall_ns() / NS_PER_MS;
}

/* --- to the others --- */

/* Takes the reference; NULL: there are none. What is lost, the next digest makes up for. */
static void publish(struct block_road *road, json_t *blocks, bool has_digest)
{
	json_t *message = json_pack("{s:s, s:o*}", "run", road->fleet->origin, "blocks", blocks);

	if (message != NULL && has_digest)
		json_object_set_new(
			message, "digest",
			json_sprintf("%016" PRIx64, blocks_digest(road->blocks, wall_ms())));
	char *text = message == NULL ? NULL : json_dumps(message, JSON_COMPACT);

	json_decref(message);
	if (text != NULL)
		bus_publish_now(road->fleet->bus,
				&(struct bus_message){.subject = SLICE_LITERAL(SUBJECT),
						      .body = slice_from_text(text)});
	free(text);
}

static void tell_digest(struct block_road *road)
{
	road->told_ns = loop_now(road->home->loop);
	publish(road, NULL, true);
}

static void tell_all(struct block_road *road)
{
	struct block *page = malloc(MESSAGE_MAX * sizeof(*page));
	uint64_t after = 0;
	bool is_end = page == NULL;

	road->shared_ns = loop_now(road->home->loop);
	while (!is_end) {
		size_t count = blocks_list(road->blocks, after, wall_ms(), true, page, MESSAGE_MAX,
					   &is_end);
		json_t *list = json_array();

		for (size_t i = 0; i < count; i++)
			json_array_append_new(list, block_json_write(&page[i]));
		if (count > 0)
			after = page[count - 1].id;
		publish(road, list, is_end);
	}
	free(page);
}

void block_road_tell(struct block_road *road, const struct block *block)
{
	if (road->home == NULL || !road->fleet->is_clustered)
		return;
	json_t *list = json_array();

	json_array_append_new(list, block_json_write(block));
	publish(road, list, false);
}

static void on_timer(struct timer *timer)
{
	struct block_road *road = CONTAINER_OF(timer, struct block_road, timer);
	uint64_t connects = __atomic_load_n(&road->fleet->connects, __ATOMIC_ACQUIRE);
	uint64_t now_ns = loop_now(road->home->loop);
	bool is_new = connects != road->connects;

	if (is_new)
		road->connected_ns = now_ns;
	road->connects = connects;
	if (is_new ||
	    now_ns - road->told_ns >=
		    (now_ns - road->connected_ns < EAGER_NS ? EAGER_DIGEST_NS : DIGEST_NS))
		tell_digest(road);
	loop_timer_start(road->home->loop, timer, LOOK_NS);
}

/* --- from the others --- */

static void warn_full(struct block_road *road)
{
	uint64_t suppressed;

	if (log_gate_pass(&road->full_gate, loop_now(road->home->loop), &suppressed))
		log_warn("a block of another node is not taken: admin.blocks_max are there; raise "
			 "it on all nodes",
			 F_UINT("suppressed", suppressed));
}

/* True: somebody may have to go. */
static bool take_one(struct block_road *road, const json_t *json)
{
	struct block block;

	if (!block_json_read(json, &block))
		return false; /* somebody else's noise */
	enum block_result result = blocks_put(road->blocks, &block, wall_ms());

	if (result == BLOCK_FULL)
		warn_full(road);
	return result == BLOCK_CHANGED && !block.is_removed;
}

static void take_blocks(struct block_road *road, const json_t *list)
{
	bool is_news = false;
	const json_t *json;
	size_t i;

	json_array_foreach(list, i, json) is_news |= take_one(road, json);
	if (is_news && block_sweep_start(&road->sweeper, NULL, NULL, NULL) < 0)
		log_warn("clients that are blocked stay until they come again: out of memory");
}

static void compare(struct block_road *road, const char *digest)
{
	uint64_t theirs;

	if (digest == NULL || !hex_read(slice_from_text(digest), &theirs) ||
	    theirs == blocks_digest(road->blocks, wall_ms()) ||
	    loop_now(road->home->loop) - road->shared_ns < SHARE_NS)
		return;
	tell_all(road);
}

static void on_message(struct bus_subscription *subscription, const struct bus_message *message)
{
	struct block_road *road = CONTAINER_OF(subscription, struct block_road, subscription);
	json_t *json = json_loadb((const char *)message->body.data, message->body.len,
				  JSON_REJECT_DUPLICATES, NULL);
	const char *run = json_string_value(json_object_get(json, "run"));

	if (run != NULL && strcmp(run, road->fleet->origin) != 0) {
		take_blocks(road, json_object_get(json, "blocks"));
		compare(road, json_string_value(json_object_get(json, "digest")));
	}
	json_decref(json);
}

/* --- life --- */

void block_road_init(struct block_road *road, struct blocks *blocks, struct directory *directory,
		     struct fleet *fleet)
{
	*road = (struct block_road){.blocks = blocks, .fleet = fleet};
	block_sweeper_init(&road->sweeper, blocks, directory);
}

void block_road_open(struct block_road *road, struct fleet_home *home)
{
	road->sweeper.home = home;
	/* Those that another process let in while it handed over. */
	if (blocks_are_any(road->blocks))
		(void)block_sweep_start(&road->sweeper, NULL, NULL, NULL);
	if (!road->fleet->is_clustered)
		return;
	if (bus_subscribe(road->fleet->bus, &road->subscription, home->loop, SLICE_LITERAL(SUBJECT),
			  on_message) < 0) {
		log_warn("blocks of other nodes are not heard of: out of memory");
		return;
	}
	road->home = home;
	home->clients++;
	road->shared_ns = loop_now(home->loop) - SHARE_NS;
	loop_timer_init(&road->timer, on_timer);
	on_timer(&road->timer);
}

static void on_closed(struct bus_subscription *subscription)
{
	struct block_road *road = CONTAINER_OF(subscription, struct block_road, subscription);
	struct fleet_home *home = road->home;

	road->home = NULL;
	home->clients--;
	home->on_gone(home);
}

void block_road_close(struct block_road *road)
{
	if (road->home == NULL || !loop_timer_is_running(&road->timer))
		return;
	loop_timer_stop(road->home->loop, &road->timer);
	bus_unsubscribe(&road->subscription, on_closed);
}
