/* SPDX-License-Identifier: Apache-2.0
 * seal_turn.c - whose handshake goes on, and how much of that one turn does.
 *
 * Two queues, each first in, first out: handshakes that are to begin (waiting), and those under way
 * that have heard something (shaking). They are served in turn, one of each, so that neither a
 * flood of newcomers nor peers who answer byte by byte hold up the others. A turn does a few steps:
 * each may be an operation with the private key, and all who have their handshake behind them wait
 * meanwhile. The first step is the place where the number under way and the rate are looked at. */
#include "io/seal.h"

#include "base/clock.h"

/* An operation with an RSA key of 2048 bits takes a millisecond, with an ECDSA key a tenth. */
#define STEPS_PER_TURN 4

/* --- what may begin --- */

/* [ns] until the next handshake may begin; UINT64_MAX: when another one has ended. */
static uint64_t begin_wait(const struct loop *loop)
{
	const struct tls_limits *limits = &loop->tls_limits;
	uint64_t ahead = loop->seals->begin_at;

	if (limits->handshakes_max > 0 && loop->tls->shaking >= limits->handshakes_max)
		return UINT64_MAX;
	if (limits->handshake_step_ns == 0)
		return 0;
	/* So many at once as come in a second (conn/accept_rate.h does the same for all). */
	uint64_t burst = NS_PER_S > limits->handshake_step_ns ? NS_PER_S - limits->handshake_step_ns
							      : 0;

	return ahead > loop->now + burst ? ahead - loop->now - burst : 0;
}

void seal_waited(struct loop *loop, const struct seal_shake *shake)
{
	struct seals *seals = loop->seals;
	uint64_t *waited = seals->is_full ? &loop->tls->waited_for_place
					  : &loop->tls->waited_for_rate;

	counter_set(&loop->tls->waiting, loop->tls->waiting - 1);
	if (shake->stopped != seals->stopped)
		counter_set(waited, *waited + 1);
}

static void begin_count(struct loop *loop, const struct seal_shake *shake)
{
	struct seals *seals = loop->seals;

	seal_waited(loop, shake);
	seals->begin_at = MAX(seals->begin_at, loop->now) + loop->tls_limits.handshake_step_ns;
}

void seals_on_begin(struct timer *timer)
{
	(void)timer; /* the turn goes on with seals_work */
}

void loop_tls_limit(struct loop *loop, const struct tls_limits *limits)
{
	loop->tls_limits = *limits;
}

/* --- the queues --- */

void seal_queue(struct tcp *tcp)
{
	struct seal *seal = tcp->seal;
	struct seals *seals = tcp->loop->seals;

	if (!list_is_empty(&seal->shake->node))
		return;
	if (seal->state == SEAL_SHAKING) {
		list_append(&seals->shaking, &seal->shake->node);
		return;
	}
	CHECK(seal->state == SEAL_SILENT);
	seal->state = SEAL_WAITING;
	seal->shake->stopped = seals->stopped;
	list_append(&seals->waiting, &seal->shake->node);
	counter_set(&tcp->loop->tls->waiting, tcp->loop->tls->waiting + 1);
}

/* Who does its step now; NULL: nobody can. */
static struct tcp *take(struct loop *loop)
{
	struct seals *seals = loop->seals;
	bool may_begin = !list_is_empty(&seals->waiting) && begin_wait(loop) == 0;

	if (!may_begin && list_is_empty(&seals->shaking))
		return NULL;
	seals->was_waiting = may_begin && (list_is_empty(&seals->shaking) || !seals->was_waiting);
	struct list_node *node = seals->was_waiting ? seals->waiting.next : seals->shaking.next;

	struct seal_shake *shake = CONTAINER_OF(node, struct seal_shake, node);

	list_remove(node);
	if (seals->was_waiting)
		begin_count(loop, shake);
	return shake->tcp;
}

bool seals_have_work(const struct loop *loop)
{
	const struct seals *seals = loop->seals;

	return seals != NULL && (!list_is_empty(&seals->shaking) ||
				 (!list_is_empty(&seals->waiting) && begin_wait(loop) == 0));
}

/* Those that a limit keeps waiting go on by themselves: at their time, or when one has ended. */
static void begin_later(struct loop *loop)
{
	struct seals *seals = loop->seals;
	uint64_t wait = list_is_empty(&seals->waiting) ? 0 : begin_wait(loop);

	if (wait == 0)
		return;
	seals->stopped++;
	seals->is_full = wait == UINT64_MAX;
	if (!seals->is_full)
		loop_timer_start(loop, &seals->begin, wait);
}

void seals_work(struct loop *loop)
{
	if (loop->seals == NULL)
		return;
	for (unsigned i = 0; i < STEPS_PER_TURN; i++) {
		struct tcp *tcp = take(loop);

		if (tcp == NULL)
			break;
		seal_step(tcp);
	}
	begin_later(loop);
}
