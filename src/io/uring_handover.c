/* SPDX-License-Identifier: Apache-2.0
 * uring_handover.c - streams that are frozen: what is in flight is called off, and direct
 * descriptors become ordinary ones and come from such.
 *
 * A descriptor is installed while the loop stands still: nobody may be told anything then. So
 * completions of others that come by are kept, in their order, for the next wait. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/uring.h"

/* liburing 2.3 lacks it; it came with Linux 6.8 (linux/io_uring.h). */
#define OP_FIXED_FD_INSTALL 54

/* --- frozen --- */

/* A poll takes no bytes, and to find one among all that wait takes the kernel a microsecond and
 * more: it stays until the stream goes on or is closed. */
void uring_tcp_freeze(struct tcp *tcp)
{
	uring_cancel_all(tcp, false);
}

/* --- to an ordinary descriptor --- */

enum { NOT_KNOWN, CAN_INSTALL, CANNOT_INSTALL };

/* Of the kernel; by any thread, so not by a ring that is a thread's own. */
int uring_can_hand_over(void)
{
	static int known; /* atomic */
	int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (answer == NOT_KNOWN) {
		struct io_uring_probe *probe = io_uring_get_probe();

		if (probe == NULL)
			return -ENOMEM;
		answer = io_uring_opcode_supported(probe, OP_FIXED_FD_INSTALL) ? CAN_INSTALL
									       : CANNOT_INSTALL;
		io_uring_free_probe(probe);
		__atomic_store_n(&known, answer, __ATOMIC_RELAXED);
	}
	return answer == CAN_INSTALL ? 0 : -EOPNOTSUPP;
}

/* What one call can bring fits in. */
static int kept_make_room(struct uring_loop *self)
{
	uint32_t entries = self->ring.cq.ring_entries;

	if (self->kept == NULL)
		self->kept = malloc(2 * (size_t)entries * sizeof(*self->kept));
	if (self->kept == NULL)
		return -ENOMEM;
	return self->kept_count <= entries ? 0 : -EBUSY;
}

/* What the poll of a frozen stream tells is told to nobody: it need not be kept. */
static bool is_for_frozen(const struct io_uring_cqe *cqe)
{
	const struct tcp *tcp = (const void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);

	return (cqe->user_data & TAG_MASK) == TAG_POLL && (tcp->flags & STREAM_FROZEN);
}

/* Takes what is in the completion queue: `answer` is filled in, the rest is kept. */
static void completions_sort(struct uring_loop *self, struct uring_answer *answer)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;

	io_uring_for_each_cqe(&self->ring, head, cqe)
	{
		count++;
		if (is_for_frozen(cqe)) {
			uring_dispatch(self, cqe);
			continue;
		}
		if (cqe->user_data != ((uintptr_t)answer | TAG_NONE)) {
			CHECK(self->kept_count < 2 * self->ring.cq.ring_entries);
			self->kept[self->kept_count++] = *cqe;
			continue;
		}
		self->in_flight--;
		answer->res = cqe->res;
		answer->is_there = true;
	}
	io_uring_cq_advance(&self->ring, count);
}

int uring_tcp_take_fd(struct tcp *tcp)
{
	struct uring_loop *self = uring_of(tcp->loop);
	struct uring_answer answer = {.is_there = false};
	int r = uring_can_hand_over();

	if (r == 0)
		r = kept_make_room(self);
	if (r < 0)
		return r;
	struct io_uring_sqe *sqe = uring_sqe(self, &answer, TAG_NONE);

	io_uring_prep_rw(OP_FIXED_FD_INSTALL, sqe, tcp->fd, NULL, 0, 0); /* with O_CLOEXEC */
	sqe->flags |= IOSQE_FIXED_FILE;
	/* Done inline, so as a rule nothing is waited for. */
	for (unsigned wait_for = 0; !answer.is_there; wait_for = 1) {
		r = io_uring_submit_and_wait(&self->ring, wait_for);
		CHECK(r >= 0 || r == -EBUSY || r == -EAGAIN || r == -EINTR);
		completions_sort(self, &answer);
	}
	return answer.res;
}

/* --- from an ordinary descriptor --- */

/* On a non-blocking socket io_uring answers EAGAIN instead of waiting. Whoever has it beside us
 * does not care. */
static int make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || ((flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0))
		return -errno;
	return 0;
}

int uring_tcp_import(struct tcp *tcp, int fd)
{
	struct uring_loop *self = uring_of(tcp->loop);

	if (self->socket_count == self->max_sockets)
		return -ENFILE;
	int r = make_blocking(fd);

	if (r < 0)
		return r;
	self->socket_count++;
	tcp->flags |= STREAM_IMPORTING;
	tcp->fd = fd;
	tcp->connect_fd = fd;
	struct io_uring_sqe *sqe = uring_tcp_sqe(tcp, TAG_SETUP);

	/* Replaces the descriptor in tcp->fd by a direct one. */
	io_uring_prep_files_update(sqe, &tcp->fd, 1, (int)IORING_FILE_INDEX_ALLOC);
	return 0;
}

void uring_imported(struct tcp *tcp, int res)
{
	close(tcp->connect_fd);
	tcp->flags &= ~(uint32_t)STREAM_IMPORTING;
	tcp->progress = 0;
	if (res < 0) {
		tcp->fd = -1;
		tcp->flags |= STREAM_START_FAILED;
		uring_slot_released(uring_of(tcp->loop));
		if (tcp->loop->import_error == 0)
			tcp->loop->import_error = res;
		loop_queue(tcp);
	} else if (!(tcp->flags & (STREAM_FROZEN | STREAM_CLOSING))) { /* it was thawed early */
		uring_tcp_thaw(tcp);
		loop_queue(tcp);
	}
}
