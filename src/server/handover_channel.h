/* SPDX-License-Identifier: Apache-2.0
 * handover_channel.h - what two processes of the gateway say to each other in a handover: messages
 * of a kind, with bytes and descriptors, over a pair of sockets that has no name.
 *
 * Layer: server. Blocks until a deadline: for the main thread, and for workers that stand still.
 * Any thread may send, one receives. Nobody but the two has an end of the pair: it is made by the
 * old process, and the new one inherits its end. Each side checks who holds the other
 * (docs/decisions/0021-one-process-hands-over-to-the-next.md). */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* The kernel takes 253 in one message. */
#define HANDOVER_FDS_MAX 250

/* [bytes] Of one message; a longer one comes from somebody who is not us. */
#define HANDOVER_MESSAGE_MAX (256 * 1024 * 1024)

struct handover_channel {
	int fd;
	pthread_mutex_t sending;
	pid_t peer; /* who spoke first; checked on each message while `peer_is_checked` */
	bool peer_is_checked;
};

struct handover_message {
	uint16_t kind;
	struct buf body;
	int fds[HANDOVER_FDS_MAX]; /* those not taken out (-1) are closed by _finish */
	size_t fd_count;
};

/* Both with close-on-exec. 0 or a negative errno. */
int handover_pair(int out_fds[2]);

/* Takes over `fd`. `peer`: only what this process sends is heard, as the kernel tells it; 0:
 * anybody's, because there is nobody else. */
void handover_channel_init(struct handover_channel *channel, int fd, pid_t peer);
void handover_channel_finish(struct handover_channel *channel);

/* `to` is it from now on, and `from` is none. Nobody uses it meanwhile. */
void handover_channel_move(struct handover_channel *from, struct handover_channel *to);

/* Any thread that sends or receives comes back at once, with an error. */
void handover_channel_cut(struct handover_channel *channel);

/* The descriptors stay the caller's. 0, or a negative errno: -ETIMEDOUT at the deadline, -EPIPE if
 * the other has gone. After an error nothing more can be sent. */
int handover_send(struct handover_channel *channel, uint16_t kind, struct slice body,
		  const int *fds, size_t fd_count, uint64_t deadline_ns);

/* The next message, the caller's to finish. 1; 0: the other has gone; or a negative errno:
 * -ETIMEDOUT, -EPERM (it is from another process), -EPROTO (it is no message of ours), -EMFILE
 * (descriptors got lost on the way, for want of room in our table), -ENOMEM. Only
 * -ETIMEDOUT leaves the channel as it was, and only if nothing of a message had come. */
int handover_receive(struct handover_channel *channel, struct handover_message *out_message,
		     uint64_t deadline_ns);
void handover_message_finish(struct handover_message *message);
