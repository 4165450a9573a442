/* SPDX-License-Identifier: Apache-2.0
 * epoll.h - what the files of the epoll engine share.
 *
 * Layer: io; only loop_epoll.c and epoll_*.c include it. */
#pragma once

#include <sys/epoll.h>

#include "io/loop_private.h"

#define EVENTS_PER_WAIT 512
#define RECEIVE_BUFFER  65536

struct epoll_loop {
	struct loop loop; /* first */
	int epoll_fd;
	uint32_t registered; /* descriptors that epoll_fd watches */
	/* A round: as many events as may have waited at its beginning are seen, then all are
	 * read that wait to be read then. */
	bool is_collecting;
	int64_t to_collect;
	struct hungry_mark to_read;
	uint8_t receive_buffer[RECEIVE_BUFFER];
	struct epoll_event events[EVENTS_PER_WAIT];
};

/* What an event's pointer points to, in its low bits. */
enum epoll_tag { TAG_TCP, TAG_LISTENER, TAG_WATCH, TAG_MASK = 3 };

static inline struct epoll_loop *epoll_of(struct loop *loop)
{
	return CONTAINER_OF(loop, struct epoll_loop, loop);
}

/* Watches `fd` for `object`, otherwise, or no more (EPOLL_CTL_*). 0 or a negative errno. */
int epoll_control(struct loop *loop, int op, int fd, uint32_t events, void *object,
		  enum epoll_tag tag);

/* A closed descriptor is still watched while there is another one of what it stands for: given to
 * another process, or, for a moment, in one that is being started and has not let go of ours yet.
 * So it is said. */
void epoll_close(struct loop *loop, int fd);

/* --- epoll_listener.c --- */

void epoll_accepted_close(struct loop *loop, int fd);
int epoll_listener_open(struct listener *listener);
void epoll_listener_update(struct listener *listener);
void epoll_listener_close(struct listener *listener);
void epoll_listener_event(struct listener *listener);
