/* SPDX-License-Identifier: Apache-2.0
 * listener.c - what listeners do the same way on both engines. */
#include "io/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop_private.h"
#include "io/tcp_handover.h"

/* [bytes] that the kernel takes from us and has not sent. Without this it takes
 * megabytes, and tells of a slow reader's progress only when a third of them is gone. */
#define UNSENT_MAX 16384

/* While starved: how often to look whether descriptors are to be had again. */
#define STARVED_RETRY_NS (100 * NS_PER_MS)

/* Said in either case: net.ipv6.bindv6only may have it otherwise. */
static void family_choose(int fd, const struct net_addr *addr, bool is_ipv6_only)
{
	int value = is_ipv6_only;

	if (addr->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof(value));
}

/* SO_REUSEPORT would let us share the port with another process of the same user
 * unseen: a bind without it fails if anybody listens there. */
int listener_check(const struct net_addr *addr, bool is_ipv6_only)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	family_choose(fd, addr, is_ipv6_only);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	int r = bind(fd, &addr->sa, net_addr_len(addr)) < 0 ? -errno : 0;

	close(fd);
	return r;
}

static int bind_and_listen(int fd, struct net_addr *addr, bool listens)
{
	static const int one = 1;
	static const int unsent = UNSENT_MAX;
	socklen_t len = sizeof(*addr);

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent)) < 0 ||
	    bind(fd, &addr->sa, net_addr_len(addr)) < 0 || (listens && listen(fd, INT_MAX) < 0) ||
	    getsockname(fd, &addr->sa, &len) < 0)
		return -errno;
	return fd;
}

int listener_bind(struct net_addr *addr, bool is_first)
{
	return listener_bind_as(addr, is_first, false);
}

static int bind_as(struct net_addr *addr, bool is_first, bool is_ipv6_only, bool listens)
{
	int r = is_first && net_addr_port(addr) != 0 ? listener_check(addr, is_ipv6_only) : 0;

	if (r < 0)
		return r;
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	family_choose(fd, addr, is_ipv6_only);
	r = bind_and_listen(fd, addr, listens);
	if (r < 0)
		close(fd);
	return r;
}

int listener_bind_as(struct net_addr *addr, bool is_first, bool is_ipv6_only)
{
	return bind_as(addr, is_first, is_ipv6_only, true);
}

int listener_bind_silent(struct net_addr *addr, bool is_first, bool is_ipv6_only)
{
	return bind_as(addr, is_first, is_ipv6_only, false);
}

int listener_take(int fd)
{
	static const int one = 1;
	static const int unsent = UNSENT_MAX;

	/* Of a socket with a path these say nothing. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	return listener_listen(fd);
}

int listener_listen(int fd)
{
	return listen(fd, INT_MAX) < 0 ? -errno : 0;
}

/* Lets a starved listener try again, if the reserve is there to fall back on. */
static void listener_feed(struct listener *listener)
{
	struct loop *loop = listener->loop;

	if (loop->starved == listener)
		loop->starved = NULL;
	listener->flags &= ~(uint32_t)LISTENER_STARVED;
	loop_timer_stop(loop, &listener->retry);
	loop->engine->listener_update(listener);
}

void loop_reserve_refill(struct loop *loop)
{
	if (loop->reserve_fd < 0)
		loop->reserve_fd = loop_reserve_open();
	if (loop->reserve_fd >= 0 && loop->starved != NULL)
		listener_feed(loop->starved);
}

void listener_refuse(struct listener *listener, const struct tcp_accepted *accepted)
{
	struct loop *loop = listener->loop;

	loop->engine->accepted_close(loop, accepted->fd);
	if (accepted->is_reserve)
		loop_reserve_refill(loop);
}

static void on_retry(struct timer *timer)
{
	struct listener *listener = CONTAINER_OF(timer, struct listener, retry);

	if (listener->flags & LISTENER_CLOSING) {
		listener->loop->engine->listener_close(listener);
		return;
	}
	loop_reserve_refill(listener->loop);
	if (!(listener->flags & LISTENER_STARVED))
		return;
	if (listener->loop->reserve_fd >= 0)
		listener_feed(listener);
	else
		loop_timer_start(listener->loop, &listener->retry, STARVED_RETRY_NS);
}

/* epoll's must not block; on one that does not, io_uring answers EAGAIN instead of waiting. It is
 * the socket's and not the descriptor's: whoever shares it with another process may say so only
 * when that one does not accept any more. */
static int blocking_set(struct listener *listener)
{
	int flags = fcntl(listener->fd, F_GETFL);
	int wanted = (flags & ~O_NONBLOCK) |
		     (listener->loop->engine->socket_flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);

	if (flags < 0 || (wanted != flags && fcntl(listener->fd, F_SETFL, wanted) < 0))
		return -errno;
	return 0;
}

static int open_with(struct listener *listener, struct loop *loop, int fd, uint32_t flags)
{
	listener->loop = loop;
	listener->fd = fd;
	listener->flags = flags;
	listener->slots = NULL;
	listener->accepting = 0;
	list_init(&listener->waiting);
	loop_timer_init(&listener->retry, on_retry);
	int r = flags & LISTENER_PAUSED ? 0 : blocking_set(listener);

	if (r == 0)
		r = loop->engine->listener_open(listener);
	if (r < 0)
		close(fd);
	return r;
}

int listener_open(struct listener *listener, struct loop *loop, int fd)
{
	return open_with(listener, loop, fd, 0);
}

int listener_open_paused(struct listener *listener, struct loop *loop, int fd)
{
	return open_with(listener, loop, fd, LISTENER_PAUSED);
}

void listener_pause(struct listener *listener)
{
	if (listener->flags & (LISTENER_PAUSED | LISTENER_CLOSING))
		return;
	listener->flags |= LISTENER_PAUSED;
	listener->loop->engine->listener_update(listener);
	if (listener->accepting == 0)
		return;
	listener->flags |= LISTENER_SETTLING;
	listener->loop->unsettled++;
	list_append(&listener->loop->pausing, &listener->waiting);
}

void listener_resume(struct listener *listener)
{
	if (!(listener->flags & LISTENER_PAUSED) || (listener->flags & LISTENER_CLOSING))
		return;
	loop_listener_settled(listener);
	listener->flags &= ~(uint32_t)LISTENER_PAUSED;
	int r = blocking_set(listener);

	CHECK(r == 0);
	listener->loop->engine->listener_update(listener);
}

bool listener_is_paused(const struct listener *listener)
{
	return (listener->flags & (LISTENER_PAUSED | LISTENER_SETTLING)) == LISTENER_PAUSED;
}

int listener_take_fd(const struct listener *listener)
{
	int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

bool listener_is_starvation(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS;
}

void listener_starve(struct listener *listener, int error)
{
	listener->flags |= LISTENER_STARVED;
	listener->loop->starved = listener;
	loop_timer_start(listener->loop, &listener->retry, STARVED_RETRY_NS);
	if (error != 0)
		listener->on_accept_error(listener, error);
	listener->loop->engine->listener_update(listener);
}

/* A smaller backlog would not do: with no room left the kernel drops the last segment of a
 * handshake as well, and its client, who takes itself for connected, is reset by the close. So only
 * the first ones are dropped. Accepted sockets inherit the program; it lets all of theirs pass. */
void listener_ignore_new(struct listener *listener)
{
	/* What the kernel shows of a segment begins with the TCP header (RFC 9293, section 3.1). */
	struct sock_filter drop_syn[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(drop_syn), .filter = drop_syn};

	/* Of a socket with a path, whose file is gone by now, nobody takes it. */
	setsockopt(listener->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

bool listener_has_waiting(const struct listener *listener)
{
	struct pollfd fd = {.fd = listener->fd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

void listener_close(struct listener *listener)
{
	if (listener->flags & LISTENER_CLOSING)
		return;
	loop_listener_settled(listener);
	listener->flags |= LISTENER_CLOSING;
	loop_timer_stop(listener->loop, &listener->retry);
	if (listener->loop->starved == listener)
		listener->loop->starved = NULL;
	listener->loop->engine->listener_close(listener);
}
