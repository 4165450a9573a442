/* SPDX-License-Identifier: Apache-2.0
 * epoll_listener.c - accepting until there is nobody, or enough for one turn; and what becomes of
 * it where descriptors run out. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/epoll.h"

#define ACCEPTS_PER_EVENT 64

/* The next connection; its fd is -1 if there is none, and errno says why. */
static struct tcp_accepted accept_next(const struct listener *listener)
{
	struct tcp_accepted accepted = {.is_reserve = false};
	socklen_t len = sizeof(accepted.remote);

	/* Blocking or not is the socket's, not the descriptor's, and io_uring wants it blocking: so
	 * that it can be handed over, each call says for itself that it does not wait. */
	accepted.fd = accept4(listener->fd, &accepted.remote.sa, &len, SOCK_CLOEXEC);
	return accepted;
}

/* Out of descriptors: gives up the reserve for one connection, so that its client
 * is told, and stops until that one is closed. */
static void accept_on_reserve(struct listener *listener, int error)
{
	struct loop *loop = listener->loop;
	struct tcp_accepted accepted = {.fd = -1};

	if (loop->reserve_fd >= 0) {
		close(loop->reserve_fd);
		loop->reserve_fd = -1;
		accepted = accept_next(listener);
		accepted.is_reserve = true;
	}
	listener_starve(listener, error);
	if (accepted.fd >= 0)
		listener->on_accept(listener, &accepted);
}

void epoll_accepted_close(struct loop *loop, int fd)
{
	(void)loop;
	close(fd);
}

void epoll_listener_event(struct listener *listener)
{
	for (int i = 0; i < ACCEPTS_PER_EVENT && (listener->flags & LISTENER_ARMED); i++) {
		struct tcp_accepted accepted = accept_next(listener);

		if (accepted.fd >= 0) {
			listener->on_accept(listener, &accepted);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (listener_is_starvation(-errno)) {
			accept_on_reserve(listener, -errno);
			return;
		}
		/* Anything else is the fate of one connection (ECONNABORTED, EPROTO,
		 * ...; accept(2)): go on with the next. */
		listener->on_accept_error(listener, -errno);
	}
}

void epoll_listener_update(struct listener *listener)
{
	bool want = !(listener->flags & (LISTENER_STARVED | LISTENER_CLOSING | LISTENER_PAUSED));
	bool have = (listener->flags & LISTENER_ARMED) != 0;

	if (want == have)
		return;
	/* Level-triggered: what a batch leaves over comes with the next turn. */
	int r = epoll_control(listener->loop, EPOLL_CTL_MOD, listener->fd, want ? EPOLLIN : 0,
			      listener, TAG_LISTENER);

	CHECK(r == 0);
	listener->flags ^= LISTENER_ARMED;
}

int epoll_listener_open(struct listener *listener)
{
	int r = epoll_control(listener->loop, EPOLL_CTL_ADD, listener->fd, 0, listener,
			      TAG_LISTENER);

	if (r == 0)
		epoll_listener_update(listener);
	return r;
}

void epoll_listener_close(struct listener *listener)
{
	listener->flags &= ~(uint32_t)LISTENER_ARMED;
	epoll_close(listener->loop, listener->fd);
	loop_listener_closed(listener);
}
