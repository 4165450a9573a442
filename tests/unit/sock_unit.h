/* SPDX-License-Identifier: Apache-2.0
 * sock_unit.h - plain listeners and clients, for tests that look at them from outside. */
#pragma once

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/net_addr.h"

/* Waits until the condition holds; the kernel finishes some things a moment later. */
#define WAIT_UNTIL(cond)                                                \
	do {                                                            \
		uint64_t until_ns = clock_now_ns() + GIVE_UP_NS;        \
                                                                        \
		while (!(cond)) {                                       \
			if (clock_now_ns() > until_ns)                  \
				fail_msg("never came true: %s", #cond); \
			poll(NULL, 0, 1);                               \
		}                                                       \
	} while (0)

static inline struct net_addr addr_of(const char *text)
{
	struct net_addr addr;

	assert_null(net_addr_parse(slice_from_text(text), &addr));
	return addr;
}

static inline struct net_addr local_addr(int fd)
{
	struct net_addr addr = {0};
	socklen_t len = sizeof(addr);

	assert_int_equal(getsockname(fd, &addr.sa, &len), 0);
	return addr;
}

static inline void option_set(int fd, int level, int name)
{
	int one = 1;

	assert_int_equal(setsockopt(fd, level, name, &one, sizeof(one)), 0);
}

/* `is_shared`: with SO_REUSEPORT. */
static inline int listen_on(const struct net_addr *addr, int backlog, bool is_shared)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (is_shared)
		option_set(fd, SOL_SOCKET, SO_REUSEPORT);
	assert_int_equal(bind(fd, &addr->sa, net_addr_len(addr)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static inline int listen_text(const char *text, int backlog)
{
	struct net_addr addr = addr_of(text);

	return listen_on(&addr, backlog, false);
}

/* Begins to connect and does not wait. */
static inline int connect_to(int listener)
{
	struct net_addr addr = local_addr(listener);
	int fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_true(connect(fd, &addr.sa, net_addr_len(&addr)) == 0 || errno == EINPROGRESS);
	return fd;
}

static inline uint32_t inode_of(int fd)
{
	struct stat info;

	assert_int_equal(fstat(fd, &info), 0);
	return (uint32_t)info.st_ino;
}
