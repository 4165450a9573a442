/* SPDX-License-Identifier: Apache-2.0
 * uring_listener.c - accepting into direct descriptors, never more than there are.
 *
 * A multishot accept would be one operation for all connections, but has only one
 * place for the peers' addresses. So single accepts are kept in flight, several at
 * once: as many connections can be taken by one turn of the loop. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/uring.h"

/* From 8 to 32 no difference was to be measured; 64 cost more. */
#define ACCEPTS_MAX 16
#define ALL_ACCEPTS (UINT64_MAX >> (64 - ACCEPTS_MAX))

/* liburing 2.3 lacks these; both came with Linux 6.10 (linux/io_uring.h). */
#define ACCEPT_POLL_FIRST (1u << 2)
#define FEAT_SINCE_6_10   (1u << 14) /* IORING_FEAT_RECVSEND_BUNDLE */

#define CANCEL_RETRY_NS (10 * NS_PER_MS)

/* The kernel writes `remote` and `len` while the accept is in flight. */
struct accept_slot {
	struct listener *listener;
	struct net_addr remote;
	socklen_t len;
};

static uint64_t bit_of(const struct accept_slot *slot)
{
	return UINT64_C(1) << (slot - slot->listener->slots);
}

static uint32_t free_descriptors(const struct uring_loop *self)
{
	return self->max_sockets - self->socket_count;
}

/* The kernel drops a connection that it accepted and has no direct descriptor for, so
 * each accept keeps its own from the start. The last ones are not kept in advance:
 * other listeners and tcp_connect need them too. */
static bool may_arm(const struct listener *listener)
{
	uint32_t free_count = free_descriptors(uring_of(listener->loop));

	if (listener->accepting == 0)
		return free_count > 0;
	return listener->accepting != ALL_ACCEPTS && free_count > ACCEPTS_MAX;
}

static void accept_arm(struct listener *listener)
{
	struct uring_loop *self = uring_of(listener->loop);
	struct accept_slot *slot = &listener->slots[__builtin_ctzll(~listener->accepting)];
	struct io_uring_sqe *sqe = uring_sqe(self, slot, TAG_ACCEPT);

	slot->remote.sa.sa_family = AF_UNSPEC;
	slot->len = sizeof(slot->remote);
	/* io_uring_prep_accept_direct of liburing 2.3 would turn ALLOC into "no direct
	 * descriptor". */
	io_uring_prep_accept(sqe, listener->fd, &slot->remote.sa, &slot->len, 0);
	sqe->file_index = IORING_FILE_INDEX_ALLOC;
	/* An accept that finds nobody waiting has made a socket and a file in vain: more
	 * than a tenth of a handshake. */
	if (self->ring.features & FEAT_SINCE_6_10)
		sqe->ioprio = ACCEPT_POLL_FIRST;
	self->socket_count++;
	listener->accepting |= bit_of(slot);
}

/* An accept that has seen a connection and is about to take it cannot be cancelled;
 * if another accept is faster, it waits on. So cancel until all of them are done. */
static void accepts_cancel(struct listener *listener)
{
	for (size_t i = 0; i < ACCEPTS_MAX; i++)
		if (listener->accepting & bit_of(&listener->slots[i]))
			uring_cancel(listener->loop, &listener->slots[i], TAG_ACCEPT);
}

/* What is in flight when a listener starves stays there: it fails too, or it brings
 * a connection after all. */
void uring_listener_update(struct listener *listener)
{
	if (listener->flags & LISTENER_PAUSED) {
		accepts_cancel(listener);
		return;
	}
	if (listener->flags & (LISTENER_STARVED | LISTENER_CLOSING))
		return;
	while (may_arm(listener))
		accept_arm(listener);
	if (listener->accepting == 0 && list_is_empty(&listener->waiting))
		list_append(&uring_of(listener->loop)->full_waiting, &listener->waiting);
}

int uring_listener_open(struct listener *listener)
{
	listener->slots = calloc(ACCEPTS_MAX, sizeof(*listener->slots));
	if (listener->slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ACCEPTS_MAX; i++)
		listener->slots[i].listener = listener;
	uring_listener_update(listener);
	return 0;
}

static void close_if_idle(struct listener *listener)
{
	if (listener->accepting != 0)
		return;
	loop_timer_stop(listener->loop, &listener->retry);
	close(listener->fd);
	free(listener->slots);
	loop_listener_closed(listener);
}

void uring_listener_close(struct listener *listener)
{
	list_remove(&listener->waiting);
	accepts_cancel(listener);
	loop_timer_start(listener->loop, &listener->retry, CANCEL_RETRY_NS);
	close_if_idle(listener);
}

static void accepted(struct accept_slot *slot, int fd)
{
	struct listener *listener = slot->listener;
	/* Nothing is left for the next connection. */
	bool is_last = listener->accepting == bit_of(slot) &&
		       free_descriptors(uring_of(listener->loop)) == 0;

	listener->on_accept(
		listener,
		&(struct tcp_accepted){.fd = fd, .is_reserve = is_last, .remote = slot->remote});
}

static void accept_failed(struct listener *listener, int error)
{
	uring_slot_released(uring_of(listener->loop));
	if ((listener->flags & (LISTENER_CLOSING | LISTENER_PAUSED)) || error == -ECANCELED)
		return;
	if (!listener_is_starvation(error))
		listener->on_accept_error(listener, error);
	else if (!(listener->flags & LISTENER_STARVED)) /* else another accept told it */
		listener_starve(listener, error);
}

void uring_accept_done(struct accept_slot *slot, int res)
{
	struct listener *listener = slot->listener;

	if (res >= 0)
		accepted(slot, res);
	else
		accept_failed(listener, res);
	/* Only now, so that a listener_close in a callback waits for us. */
	listener->accepting &= ~bit_of(slot);
	if (listener->accepting == 0)
		loop_listener_settled(listener);
	if (listener->flags & LISTENER_CLOSING)
		close_if_idle(listener);
	else
		uring_listener_update(listener);
}

void uring_accepted_close(struct loop *loop, int fd)
{
	struct io_uring_sqe *sqe = uring_sqe(uring_of(loop), NULL, TAG_NONE);

	io_uring_prep_close_direct(sqe, (unsigned)fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	uring_slot_released(uring_of(loop));
}
