/* SPDX-License-Identifier: Apache-2.0
 * bare_echo.c - the floor: the shortest server that returns bytes, for comparison.
 *
 * Usage: bare_echo epoll|io_uring PORT
 *
 * Answers the opening handshake, so that the same tester can be pointed at it
 * (gatehouse bench --raw-echo), and from then on sends back whatever comes, without
 * looking at it: no frames, no limits, no timers, no counters. What it costs is what
 * the kernel costs. Runs until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "proto/ws_handshake.h"

#define SOCKETS      20000
#define BUFFER_COUNT 64
#define BUFFER_SIZE  65536

static bool is_open[SOCKETS]; /* the handshake is behind it */

static int listen_on(uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 65535) < 0) {
		perror("bare_echo: cannot listen");
		exit(1);
	}
	return fd;
}

/* The tester's request comes in one piece; its answer is written to `out`. */
static size_t handshake(const uint8_t *data, size_t len, char *out, size_t size)
{
	static const char name[] = "\r\nSec-WebSocket-Key: ";
	const uint8_t *key = memmem(data, len, name, sizeof(name) - 1);

	CHECK(key != NULL);
	return ws_response_write(out, size, slice_of(key + sizeof(name) - 1, WS_KEY_LEN),
				 &(struct ws_response){0});
}

/* --- epoll --- */

/* A full socket is rare under a closed loop of a few messages: wait for it. */
static void send_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* the peer is gone: receiving will tell */
		if (n < 0) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};

			poll(&wait, 1, -1);
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
}

/* True if more may be there: a short receive has emptied the socket. */
static bool epoll_answer(int fd)
{
	static uint8_t buffer[BUFFER_SIZE];
	char answer[256];
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		close(fd);
		return false;
	}
	const uint8_t *reply = buffer;
	size_t len = (size_t)n;

	if (!is_open[fd]) {
		is_open[fd] = true;
		len = handshake(buffer, len, answer, sizeof(answer));
		reply = (uint8_t *)answer;
	}
	send_all(fd, reply, len);
	return n == BUFFER_SIZE;
}

static void epoll_run(int listener)
{
	static struct epoll_event events[512];
	int epoll_fd = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, ARRAY_LEN(events), -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd != listener) {
				while (epoll_answer(events[i].data.fd))
					;
				continue;
			}
			int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

			if (fd < 0 || fd >= SOCKETS)
				continue;
			is_open[fd] = false;
			event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.fd = fd};
			epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
		}
	}
}

/* --- io_uring --- */

enum tag { TAG_ACCEPT, TAG_RECV, TAG_SEND, TAG_CLOSE };

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static uint8_t *buffers;

/* user_data: tag, socket, and for a send the buffer it gives back (or none: -1). */
static struct io_uring_sqe *get_sqe(enum tag tag, int socket, int buffer)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	while (sqe == NULL) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	sqe->user_data = (uint64_t)(uint32_t)(buffer + 1) << 32 | (uint64_t)socket << 2 | tag;
	return sqe;
}

static void buffer_add(int id)
{
	io_uring_buf_ring_add(buffer_ring, buffers + (size_t)id * BUFFER_SIZE, BUFFER_SIZE,
			      (unsigned short)id, io_uring_buf_ring_mask(BUFFER_COUNT), 0);
	io_uring_buf_ring_advance(buffer_ring, 1);
}

static void recv_arm(int socket)
{
	struct io_uring_sqe *sqe = get_sqe(TAG_RECV, socket, -1);

	io_uring_prep_recv_multishot(sqe, socket, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
}

static void accept_arm(int listener)
{
	io_uring_prep_multishot_accept_direct(get_sqe(TAG_ACCEPT, 0, -1), listener, NULL, NULL, 0);
}

static void on_recv(int socket, const struct io_uring_cqe *cqe)
{
	static char answers[SOCKETS][256];

	if (cqe->res == -ENOBUFS) {
		recv_arm(socket);
		return;
	}
	if (cqe->res <= 0) {
		io_uring_prep_close_direct(get_sqe(TAG_CLOSE, socket, -1), (unsigned)socket);
		return;
	}
	int id = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	uint8_t *data = buffers + (size_t)id * BUFFER_SIZE;
	size_t len = (size_t)cqe->res;

	if (!is_open[socket]) {
		is_open[socket] = true;
		len = handshake(data, len, answers[socket], sizeof(answers[socket]));
		buffer_add(id);
		data = (uint8_t *)answers[socket];
		id = -1;
	}
	struct io_uring_sqe *sqe = get_sqe(TAG_SEND, socket, id);

	io_uring_prep_send(sqe, socket, data, len, MSG_NOSIGNAL | MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE;
	if (!(cqe->flags & IORING_CQE_F_MORE))
		recv_arm(socket);
}

static void on_completion(int listener, const struct io_uring_cqe *cqe)
{
	int socket = (int)((cqe->user_data & UINT32_MAX) >> 2);
	int buffer = (int)(cqe->user_data >> 32) - 1;

	switch ((enum tag)(cqe->user_data & 3)) {
	case TAG_ACCEPT:
		if (cqe->res >= 0) {
			is_open[cqe->res] = false;
			recv_arm(cqe->res);
		}
		if (!(cqe->flags & IORING_CQE_F_MORE))
			accept_arm(listener);
		break;
	case TAG_RECV:
		on_recv(socket, cqe);
		break;
	case TAG_SEND:
		if (buffer >= 0)
			buffer_add(buffer);
		break;
	case TAG_CLOSE:
		break;
	}
}

static void uring_setup(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE,
		.cq_entries = 8192,
	};
	struct rlimit limit;

	buffers = mmap(NULL, (size_t)BUFFER_COUNT * BUFFER_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	buffer_ring = mmap(NULL, BUFFER_COUNT * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)buffer_ring,
		.ring_entries = BUFFER_COUNT,
	};
	getrlimit(RLIMIT_NOFILE, &limit);
	CHECK(buffers != MAP_FAILED && buffer_ring != MAP_FAILED);
	CHECK(io_uring_queue_init_params(1024, &ring, &params) == 0);
	CHECK(io_uring_register_files_sparse(&ring,
					     (unsigned)MIN(limit.rlim_cur, (rlim_t)SOCKETS)) == 0);
	CHECK(io_uring_register_buf_ring(&ring, &registration, 0) == 0);
	io_uring_buf_ring_init(buffer_ring);
	for (int id = 0; id < BUFFER_COUNT; id++)
		buffer_add(id);
}

static void uring_run(int listener)
{
	uring_setup();
	accept_arm(listener);
	for (;;) {
		struct io_uring_cqe *cqe;
		unsigned head, count = 0;

		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			on_completion(listener, cqe);
			count++;
		}
		io_uring_cq_advance(&ring, count);
	}
}

int main(int argc, char **argv)
{
	struct rlimit limit;

	if (argc != 3 || strtoul(argv[2], NULL, 10) == 0) {
		fprintf(stderr, "usage: bare_echo epoll|io_uring PORT\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	int listener = listen_on((uint16_t)strtoul(argv[2], NULL, 10));

	if (strcmp(argv[1], "epoll") == 0)
		epoll_run(listener);
	else
		uring_run(listener);
}
