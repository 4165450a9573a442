/* SPDX-License-Identifier: Apache-2.0
 * loop_still.c - a loop comes to a stand: what is under way at its streams and listeners is
 * cancelled and comes back, turn after turn, while nothing new is begun (loop_settle). */
#include <errno.h>

#include "base/clock.h"
#include "io/loop_private.h"
#include "io/tcp_handover.h"

/* An operation that is just about to do something cannot be cancelled, and may find that there is
 * nothing to do: then it waits on. */
#define CANCEL_AGAIN_NS (5 * NS_PER_MS)

static void cancel_again(struct loop *loop)
{
	struct list_node *next;

	for (struct tcp *tcp = loop->settling; tcp != NULL; tcp = tcp->next_queued)
		if (tcp->flags & STREAM_SETTLING)
			loop->engine->tcp_freeze(tcp);
	for (struct list_node *node = loop->pausing.next; node != &loop->pausing; node = next) {
		next = node->next;
		loop->engine->listener_update(CONTAINER_OF(node, struct listener, waiting));
	}
}

static void settle_turn(struct loop *loop, uint64_t timeout_ns)
{
	loop->is_in_turn = true;
	loop->engine->wait(loop, loop->queued != NULL ? 0 : timeout_ns);
	loop_turn_end(loop);
	loop->is_in_turn = false;
}

int loop_settle(struct loop *loop, uint64_t deadline_ns)
{
	uint64_t now = loop->engine->clock_ns(loop), asked_at = now;

	CHECK(!loop->is_in_turn);
	/* Timers are due again when it goes on, and a round begins with all that lies there then.
	 */
	loop->is_in_round = false;
	while (loop->unsettled > 0 && now < deadline_ns) {
		uint32_t before = loop->unsettled;

		settle_turn(loop, MIN(deadline_ns - now, CANCEL_AGAIN_NS));
		now = loop->engine->clock_ns(loop);
		if (loop->unsettled < before) /* they come back one by one */
			asked_at = now;
		if (now - asked_at < CANCEL_AGAIN_NS)
			continue;
		cancel_again(loop);
		asked_at = now;
	}
	int r = loop->unsettled > 0 ? -ETIMEDOUT : loop->import_error;

	loop->import_error = 0;
	return r;
}
