/* SPDX-License-Identifier: Apache-2.0 */
#include "route/event_waits.h"

#include "base/check.h"
#include "base/counter.h"

/* Of this thread; one more than its number, 0: it has none yet. */
static unsigned shard_number(void)
{
	static unsigned next;
	static _Thread_local unsigned mine;

	if (mine == 0)
		mine = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % EVENT_WAITS_SHARDS + 1;
	return mine - 1;
}

static struct event_waits_shard *shard_lock(struct event_waits *waits, unsigned number)
{
	CHECK(number < EVENT_WAITS_SHARDS);
	struct event_waits_shard *shard = &waits->shards[number];

	pthread_mutex_lock(&shard->mutex);
	if (shard->events.next == NULL)
		list_init(&shard->events);
	return shard;
}

void event_waits_add(struct event_waits *waits, struct event_wait *wait, uint64_t time_ns,
		     bool is_restored)
{
	*wait = (struct event_wait){
		.time_ns = time_ns, .shard = (uint8_t)shard_number(), .is_restored = is_restored};
	struct event_waits_shard *shard = shard_lock(waits, wait->shard);

	list_append(&shard->events, &wait->node);
	if (is_restored && (shard->restored++ == 0 || time_ns < shard->restored_oldest_ns))
		shard->restored_oldest_ns = time_ns;
	pthread_mutex_unlock(&shard->mutex);
}

void event_waits_remove(struct event_waits *waits, struct event_wait *wait)
{
	struct event_waits_shard *shard = shard_lock(waits, wait->shard);

	list_remove(&wait->node);
	CHECK(!wait->is_restored || shard->restored > 0);
	shard->restored -= wait->is_restored;
	pthread_mutex_unlock(&shard->mutex);
}

static uint64_t older(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns == 0 || (b_ns != 0 && b_ns < a_ns) ? b_ns : a_ns;
}

uint64_t event_waits_oldest_ns(struct event_waits *waits)
{
	uint64_t oldest_ns = 0;

	for (unsigned i = 0; i < EVENT_WAITS_SHARDS; i++) {
		struct event_waits_shard *shard = shard_lock(waits, i);

		if (!list_is_empty(&shard->events))
			oldest_ns = older(
				oldest_ns,
				CONTAINER_OF(shard->events.next, struct event_wait, node)->time_ns);
		if (shard->restored > 0)
			oldest_ns = older(oldest_ns, shard->restored_oldest_ns);
		pthread_mutex_unlock(&shard->mutex);
	}
	return oldest_ns;
}
