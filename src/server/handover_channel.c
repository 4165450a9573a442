/* SPDX-License-Identifier: Apache-2.0
 * handover_channel.c - a message is a head, which has the descriptors with it, and a body. A stream
 * and not packets, since the state of one connection may be larger than a packet can be. */
#include "server/handover_channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/state.h"

/* As it lies in the stream; both processes run on one machine. */
struct head {
	uint32_t magic;
	uint16_t kind;
	uint16_t fd_count;
	uint64_t body_len;
};

#define MAGIC UINT32_C(0x67486f76)

_Static_assert(sizeof(struct head) == 16, "no gaps");

/* For descriptors and for who sent them. */
union control {
	struct cmsghdr align;
	char data[CMSG_SPACE(HANDOVER_FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

int handover_pair(int out_fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out_fds) < 0 ? -errno : 0;
}

void handover_channel_init(struct handover_channel *channel, int fd, pid_t peer)
{
	int one = 1;

	*channel = (struct handover_channel){.fd = fd, .peer = peer, .peer_is_checked = peer != 0};
	pthread_mutex_init(&channel->sending, NULL);
	if (peer != 0)
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
}

void handover_channel_finish(struct handover_channel *channel)
{
	if (channel->fd < 0)
		return;
	close(channel->fd);
	channel->fd = -1;
	pthread_mutex_destroy(&channel->sending);
}

void handover_channel_move(struct handover_channel *from, struct handover_channel *to)
{
	int fd = from->fd;
	pid_t peer = from->peer;

	from->fd = -1;
	pthread_mutex_destroy(&from->sending);
	handover_channel_init(to, fd, peer);
}

void handover_channel_cut(struct handover_channel *channel)
{
	shutdown(channel->fd, SHUT_RDWR);
}

/* 0: it is ready, or has failed and will say so. */
static int await(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd pollfd = {.fd = fd, .events = events};
	int r;

	do {
		uint64_t now = clock_now_ns();
		uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
		uint64_t left_ms = (left + NS_PER_MS - 1) / NS_PER_MS;

		r = poll(&pollfd, 1, (int)MIN(left_ms, UINT64_C(3600000)));
	} while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : r == 0 ? -ETIMEDOUT : -errno;
}

/* --- sending --- */

/* One sendmsg of what is left; how many bytes it took, or a negative errno. */
static ssize_t send_some(struct handover_channel *channel, struct msghdr *message,
			 uint64_t deadline_ns)
{
	for (;;) {
		ssize_t sent = sendmsg(channel->fd, message, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0)
			return sent;
		if (errno == EINTR)
			continue;
		/* ETOOMANYREFS: so many are on the way that the other has to take some first. */
		if (errno == ETOOMANYREFS) {
			if (clock_now_ns() >= deadline_ns)
				return -ETIMEDOUT;
			usleep(1000);
			continue;
		}
		if (errno != EAGAIN)
			return -errno;
		int r = await(channel->fd, POLLOUT, deadline_ns);

		if (r < 0)
			return r;
	}
}

static int send_bytes(struct handover_channel *channel, struct slice rest, uint64_t deadline_ns)
{
	while (rest.len > 0) {
		struct iovec part = {(void *)(uintptr_t)rest.data, rest.len};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t sent = send_some(channel, &message, deadline_ns);

		if (sent < 0)
			return (int)sent;
		rest = slice_of(rest.data + sent, rest.len - (size_t)sent);
	}
	return 0;
}

/* The descriptors go with the first byte, so that whoever reads it has them all. */
static int send_head(struct handover_channel *channel, struct head *head, const int *fds,
		     uint64_t deadline_ns)
{
	union control control;
	struct iovec part = {head, sizeof(*head)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	size_t fds_size = head->fd_count * sizeof(fds[0]);

	if (head->fd_count > 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = control.data;
		message.msg_controllen = CMSG_SPACE(fds_size);
		struct cmsghdr *item = CMSG_FIRSTHDR(&message);

		item->cmsg_level = SOL_SOCKET;
		item->cmsg_type = SCM_RIGHTS;
		item->cmsg_len = CMSG_LEN(fds_size);
		memcpy(CMSG_DATA(item), fds, fds_size);
	}
	ssize_t sent = send_some(channel, &message, deadline_ns);

	if (sent < 0)
		return (int)sent;
	return send_bytes(channel, slice_of((uint8_t *)head + sent, sizeof(*head) - (size_t)sent),
			  deadline_ns);
}

int handover_send(struct handover_channel *channel, uint16_t kind, struct slice body,
		  const int *fds, size_t fd_count, uint64_t deadline_ns)
{
	struct head head = {
		.magic = MAGIC, .kind = kind, .fd_count = (uint16_t)fd_count, .body_len = body.len};

	CHECK(fd_count <= HANDOVER_FDS_MAX);
	if (body.len > HANDOVER_MESSAGE_MAX)
		return -EMSGSIZE;
	pthread_mutex_lock(&channel->sending);
	int r = send_head(channel, &head, fds, deadline_ns);

	if (r == 0)
		r = send_bytes(channel, body, deadline_ns);
	pthread_mutex_unlock(&channel->sending);
	return r;
}

/* --- receiving --- */

static void take_fds(const struct cmsghdr *item, struct handover_message *out)
{
	size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	CHECK(out->fd_count + count <= HANDOVER_FDS_MAX);
	memcpy(out->fds + out->fd_count, CMSG_DATA(item), count * sizeof(int));
	out->fd_count += count;
}

/* What came beside the bytes. 0, -EPERM: it is not from whom we hear, or -EMFILE. */
static int take_control(const struct handover_channel *channel, struct msghdr *message,
			struct handover_message *out)
{
	bool is_known = !channel->peer_is_checked;

	for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item != NULL;
	     item = CMSG_NXTHDR(message, item)) {
		struct ucred who;

		if (item->cmsg_level != SOL_SOCKET)
			continue;
		if (item->cmsg_type == SCM_RIGHTS)
			take_fds(item, out);
		if (item->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&who, CMSG_DATA(item), sizeof(who));
		is_known |= who.pid == channel->peer && who.uid == geteuid();
	}
	if (!is_known)
		return -EPERM;
	return message->msg_flags & MSG_CTRUNC ? -EMFILE : 0;
}

/* One recvmsg; as handover_receive. */
static ssize_t receive_some(struct handover_channel *channel, void *data, size_t len,
			    struct handover_message *out, uint64_t deadline_ns)
{
	union control control;
	struct iovec part = {data, len};
	struct msghdr message;
	ssize_t received;

	for (;;) {
		message = (struct msghdr){.msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = control.data,
					  .msg_controllen = sizeof(control)};
		received = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (received >= 0)
			break;
		if (errno == ECONNRESET)
			return 0;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
		int r = await(channel->fd, POLLIN, deadline_ns);

		if (r < 0)
			return r;
	}
	int r = received == 0 ? 0 : take_control(channel, &message, out);

	return r < 0 ? r : received;
}

/* All of it. 1, 0: the other has gone, or a negative errno. */
static int receive_bytes(struct handover_channel *channel, uint8_t *data, size_t len,
			 struct handover_message *out, uint64_t deadline_ns)
{
	for (size_t done = 0; done < len;) {
		ssize_t r = receive_some(channel, data + done, len - done, out, deadline_ns);

		/* In the middle of a message: the rest would be taken for a head. */
		if (r == -ETIMEDOUT && done > 0)
			return -EPROTO;
		if (r <= 0)
			return (int)r;
		done += (size_t)r;
	}
	return 1;
}

static int receive_body(struct handover_channel *channel, const struct head *head,
			struct handover_message *out, uint64_t deadline_ns)
{
	if (head->magic != MAGIC || head->body_len > HANDOVER_MESSAGE_MAX ||
	    head->fd_count != out->fd_count)
		return -EPROTO;
	out->kind = head->kind;
	if (head->body_len == 0)
		return 1;
	uint8_t *data = buf_reserve(&out->body, head->body_len, HANDOVER_MESSAGE_MAX);

	if (data == NULL)
		return -ENOMEM;
	int r = receive_bytes(channel, data, head->body_len, out, deadline_ns);

	out->body.len = head->body_len;
	return r == -ETIMEDOUT ? -EPROTO : r;
}

int handover_receive(struct handover_channel *channel, struct handover_message *out_message,
		     uint64_t deadline_ns)
{
	struct head head;

	*out_message = (struct handover_message){0};
	int r = receive_bytes(channel, (uint8_t *)&head, sizeof(head), out_message, deadline_ns);

	if (r == 1)
		r = receive_body(channel, &head, out_message, deadline_ns);
	if (r != 1)
		handover_message_finish(out_message);
	return r;
}

void handover_message_finish(struct handover_message *message)
{
	for (size_t i = 0; i < message->fd_count; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	state_wipe(&message->body);
	message->fd_count = 0;
}
