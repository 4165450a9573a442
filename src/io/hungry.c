/* SPDX-License-Identifier: Apache-2.0
 * hungry.c - streams that have bytes to be read, and whose turn it is.
 *
 * Two queues, each first in, first out: streams that just became readable (fresh), and
 * those that had their share and have more (rest). They are taken in turn, one of each
 * while both have some. So whoever speaks once is not behind all that those have to say
 * who always speak, and these are not behind a flood of newcomers: a stream is read
 * after at most one share of each stream before it in its queue, and as many of the
 * other one. docs/decisions/0013 has what happened without. */
#include "io/loop_private.h"

/* [bytes] What a stream may have read before the others had their turn: much, since
 * large reads are what makes it cheap, unless so many wait that their turns add up. */
#define SHARE_MAX   65536
#define SHARE_MIN   16384
#define ROUND_BYTES (8 * 1048576)

void hungry_init(struct loop *loop)
{
	loop->fresh.end = &loop->fresh.first;
	loop->rest.end = &loop->rest.first;
}

static void append(struct hungry_queue *queue, struct tcp *tcp)
{
	CHECK(!(tcp->flags & (STREAM_HUNGRY | STREAM_CLOSED)));
	tcp->flags |= STREAM_HUNGRY;
	tcp->next_hungry = NULL;
	*queue->end = tcp;
	queue->end = &tcp->next_hungry;
	queue->in++;
}

void hungry_add_fresh(struct tcp *tcp)
{
	append(&tcp->loop->fresh, tcp);
}

void hungry_add_rest(struct tcp *tcp)
{
	append(&tcp->loop->rest, tcp);
}

void hungry_put_back(struct tcp *tcp)
{
	struct hungry_queue *queue = &tcp->loop->rest;

	CHECK(!(tcp->flags & (STREAM_HUNGRY | STREAM_CLOSED)));
	tcp->flags |= STREAM_HUNGRY;
	tcp->next_hungry = queue->first;
	if (queue->first == NULL)
		queue->end = &tcp->next_hungry;
	queue->first = tcp;
	queue->out--;
}

static struct tcp *take(struct hungry_queue *queue)
{
	struct tcp *tcp = queue->first;

	CHECK(tcp != NULL);
	queue->first = tcp->next_hungry;
	if (queue->first == NULL)
		queue->end = &queue->first;
	queue->out++;
	tcp->next_hungry = NULL;
	tcp->flags &= ~(uint32_t)STREAM_HUNGRY;
	return tcp;
}

struct tcp *hungry_take(struct loop *loop)
{
	while (hungry_count(loop) > 0) {
		bool is_fresh = loop->rest.first == NULL ||
				(loop->fresh.first != NULL && !loop->was_fresh);
		struct tcp *tcp = take(is_fresh ? &loop->fresh : &loop->rest);

		if (tcp->flags & STREAM_CLOSING) { /* its close waited for this */
			loop_queue(tcp);
			continue;
		}
		loop->was_fresh = is_fresh;
		return tcp;
	}
	return NULL;
}

size_t hungry_count(const struct loop *loop)
{
	return (size_t)(loop->fresh.in - loop->fresh.out + loop->rest.in - loop->rest.out);
}

size_t hungry_share(const struct loop *loop)
{
	size_t share = ROUND_BYTES / MAX(hungry_count(loop), (size_t)1);

	return MIN(MAX(share, (size_t)SHARE_MIN), (size_t)SHARE_MAX);
}

struct hungry_mark hungry_mark(const struct loop *loop)
{
	return (struct hungry_mark){.fresh = loop->fresh.in, .rest = loop->rest.in};
}

bool hungry_is_past(const struct loop *loop, const struct hungry_mark *mark)
{
	return (int64_t)(loop->fresh.out - mark->fresh) >= 0 &&
	       (int64_t)(loop->rest.out - mark->rest) >= 0;
}
