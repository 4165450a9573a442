/* SPDX-License-Identifier: Apache-2.0
 * uring_buffers.c - the ring of provided buffers that receives take their memory from. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "io/uring.h"

/* Newer than liburing 2.3 (Linux 6.12): receives consume a provided buffer bit by
 * bit, so small messages lie densely in few, large buffers. That the completions come
 * in the order of the bytes, which uring_buffer_take needs, holds from Linux 6.16 on:
 * earlier a multishot receive could overtake a single one that was done inline. */
#define BUF_RING_INCREMENTAL 2
#define CQE_BUFFER_MORE      (1u << 4)

#define INCREMENTAL_COUNT 8
#define INCREMENTAL_SIZE  65536

/* Older kernels hand out a whole buffer per receive: more of them, and not so small
 * that large messages come in crumbs. */
#define WHOLE_COUNT URING_BUFFERS_MAX
#define WHOLE_SIZE  65536

/* Pages that nothing touches cost nothing, so room for the larger layout does not
 * hurt the smaller one. */
#define BUFFERS_BYTES     MAX(INCREMENTAL_COUNT *INCREMENTAL_SIZE, WHOLE_COUNT *WHOLE_SIZE)
#define BUFFER_RING_BYTES (WHOLE_COUNT * sizeof(struct io_uring_buf))

static void give_back(struct uring_loop *self, uint32_t id)
{
	self->buffer_at[id] = 0;
	io_uring_buf_ring_add(self->buffer_ring, self->buffers + (size_t)id * self->buffer_size,
			      self->buffer_size, (unsigned short)id,
			      io_uring_buf_ring_mask(self->buffer_count), 0);
	io_uring_buf_ring_advance(self->buffer_ring, 1);
}

/* All but a quarter: that is for those who wait in the kernel, and have not been told yet
 * that there is something to read. */
uint32_t uring_buffers_room(const struct uring_loop *self, size_t bytes)
{
	uint32_t count = self->buffer_count - self->buffer_count / 4;

	return self->is_incremental ? (uint32_t)(count * self->buffer_size / bytes) : count;
}

static uint32_t buffer_id(const struct io_uring_cqe *cqe)
{
	return cqe->flags >> IORING_CQE_BUFFER_SHIFT;
}

uint8_t *uring_buffer_take(struct uring_loop *self, const struct io_uring_cqe *cqe)
{
	uint32_t id = buffer_id(cqe);
	size_t at = (size_t)id * self->buffer_size + self->buffer_at[id];

	if (cqe->res > 0)
		self->buffer_at[id] += (uint32_t)cqe->res;
	return self->buffers + at;
}

/* With the completion that says no more is coming into the buffer, all earlier ones are
 * dealt with. Linux 6.12 to 6.17 may name a buffer that an empty receive did not
 * consume. */
void uring_buffer_done(struct uring_loop *self, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & CQE_BUFFER_MORE) && (cqe->res > 0 || !self->is_incremental))
		give_back(self, buffer_id(cqe));
}

static int buffers_register(struct uring_loop *self, uint32_t count, uint32_t size, uint16_t flags)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)self->buffer_ring,
		.ring_entries = count,
		.bgid = URING_BUFFER_GROUP,
		.pad = flags, /* named `flags` since Linux 6.12 */
	};
	int r = io_uring_register_buf_ring(&self->ring, &registration, 0);

	if (r == 0) {
		self->buffer_count = count;
		self->buffer_size = size;
	}
	return r;
}

static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool kernel_is_at_least(unsigned major, unsigned minor)
{
	struct utsname name;
	unsigned have_major, have_minor;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &have_major, &have_minor) != 2)
		return false;
	return have_major > major || (have_major == major && have_minor >= minor);
}

int uring_buffers_init(struct uring_loop *self)
{
	self->buffers = map_memory(BUFFERS_BYTES);
	self->buffer_ring = map_memory(BUFFER_RING_BYTES);
	if (self->buffers == NULL || self->buffer_ring == NULL)
		return -ENOMEM;
	int r = -EINVAL;

	if (kernel_is_at_least(6, 16))
		r = buffers_register(self, INCREMENTAL_COUNT, INCREMENTAL_SIZE,
				     BUF_RING_INCREMENTAL);
	self->is_incremental = r == 0;
	/* Bytes go through all of them in turn, so a ring has their pages soon anyway: at the start
	 * no receive waits for one, and what a loop takes is seen before clients come. Before
	 * Linux 5.14, or without memory, they come one by one. */
	if (r == 0)
		(void)madvise(self->buffers, (size_t)INCREMENTAL_COUNT * INCREMENTAL_SIZE,
			      MADV_POPULATE_WRITE);
	if (r == -EINVAL)
		r = buffers_register(self, WHOLE_COUNT, WHOLE_SIZE, 0);
	if (r < 0)
		return r;
	io_uring_buf_ring_init(self->buffer_ring);
	for (uint32_t id = 0; id < self->buffer_count; id++)
		give_back(self, id);
	return 0;
}

void uring_buffers_finish(struct uring_loop *self)
{
	if (self->buffers != NULL)
		munmap(self->buffers, BUFFERS_BYTES);
	if (self->buffer_ring != NULL)
		munmap(self->buffer_ring, BUFFER_RING_BYTES);
}
