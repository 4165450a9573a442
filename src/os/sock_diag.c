/* SPDX-License-Identifier: Apache-2.0 */
#include "os/sock_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

/* A dump comes in messages of at most 32 KiB (netlink_dump in the kernel). */
#define RECEIVE_BYTES 32768

/* --- the socket and its namespace --- */

struct opening {
	const char *netns;
	int fd; /* or a negative errno */
};

static int netlink_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

/* A thread of its own: a netlink socket stays in the namespace it was made in, and
 * nobody else is ever moved out of ours. */
static void *enter_and_open(void *arg)
{
	struct opening *opening = arg;
	int netns = open(opening->netns, O_RDONLY | O_CLOEXEC);

	if (netns < 0) {
		opening->fd = -errno;
		return NULL;
	}
	opening->fd = setns(netns, CLONE_NEWNET) < 0 ? -errno : netlink_open();
	close(netns);
	return NULL;
}

static bool is_our_own(const struct stat *netns)
{
	struct stat own;

	return stat("/proc/thread-self/ns/net", &own) == 0 && own.st_ino == netns->st_ino &&
	       own.st_dev == netns->st_dev;
}

int sock_diag_open(const char *netns, int *out_fd)
{
	struct opening opening = {.netns = netns};
	struct stat info;
	pthread_t thread;

	if (netns != NULL && stat(netns, &info) < 0)
		return -errno;
	if (netns == NULL || is_our_own(&info)) {
		opening.fd = netlink_open();
	} else {
		int r = pthread_create(&thread, NULL, enter_and_open, &opening);

		if (r != 0)
			return -r;
		pthread_join(thread, NULL);
	}
	if (opening.fd < 0)
		return opening.fd;
	*out_fd = opening.fd;
	return 0;
}

/* --- a dump --- */

typedef void socket_fn(void *arg, const struct inet_diag_msg *msg, size_t len);

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 diag;
};

static int dump_request(int fd, uint8_t family, uint32_t states, uint8_t extensions)
{
	struct request request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.diag = {.sdiag_family = family,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_ext = extensions,
			 .idiag_states = states},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t n;

	do
		n = sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel,
			   sizeof(kernel));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static ssize_t receive(int fd, void *to, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, to, size, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n > size ? -EMSGSIZE : n;
}

static int error_of(const struct nlmsghdr *head)
{
	const struct nlmsgerr *error = NLMSG_DATA(head);

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
		return -EBADMSG;
	return error->error;
}

/* One message of a dump; 1: there is more to come, 0: it was the last. */
static int message_read(const struct nlmsghdr *head, socket_fn *on_socket, void *arg)
{
	if (head->nlmsg_type == NLMSG_DONE)
		return 0;
	if (head->nlmsg_type == NLMSG_ERROR)
		return error_of(head);
	if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    head->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
		return -EBADMSG;
	on_socket(arg, NLMSG_DATA(head), NLMSG_PAYLOAD(head, 0));
	return 1;
}

/* NLMSG_NEXT without its wrap below zero if the last message is not padded. */
static const struct nlmsghdr *message_after(const struct nlmsghdr *head, size_t *left)
{
	size_t size = NLMSG_ALIGN(head->nlmsg_len);

	*left -= MIN(*left, size);
	return (const void *)((const char *)head + size);
}

static int dump(int fd, uint8_t family, uint32_t states, uint8_t extensions, socket_fn *on_socket,
		void *arg)
{
	union {
		struct nlmsghdr head;
		char bytes[RECEIVE_BYTES];
	} buffer;
	int r = dump_request(fd, family, states, extensions);

	if (r < 0)
		return r;
	for (;;) {
		ssize_t received = receive(fd, &buffer, sizeof(buffer));

		if (received <= 0)
			return received < 0 ? (int)received : -EBADMSG;
		size_t left = (size_t)received;

		for (const struct nlmsghdr *head = &buffer.head; NLMSG_OK(head, left);
		     head = message_after(head, &left)) {
			r = message_read(head, on_socket, arg);
			if (r <= 0)
				return r;
		}
	}
}

/* A machine without IPv6 has no sockets of it. */
static int dump_both(int fd, uint32_t states, uint8_t extensions, socket_fn *on_socket, void *arg)
{
	int r = dump(fd, AF_INET, states, extensions, on_socket, arg);

	return r < 0 ? r : dump(fd, AF_INET6, states, extensions, on_socket, arg);
}

/* --- listeners --- */

struct listener_dump {
	sock_listener_fn *on_listener;
	void *arg;
};

static struct net_addr address_of(const struct inet_diag_msg *msg)
{
	struct net_addr addr = {0};

	if (msg->idiag_family == AF_INET6) {
		addr.in6.sin6_family = AF_INET6;
		addr.in6.sin6_port = msg->id.idiag_sport;
		memcpy(&addr.in6.sin6_addr, msg->id.idiag_src, sizeof(addr.in6.sin6_addr));
	} else {
		addr.in.sin_family = AF_INET;
		addr.in.sin_port = msg->id.idiag_sport;
		memcpy(&addr.in.sin_addr, msg->id.idiag_src, sizeof(addr.in.sin_addr));
	}
	return addr;
}

static void attribute_read(const struct rtattr *attribute, struct sock_listener *listener)
{
	const void *data = RTA_DATA(attribute);
	size_t len = RTA_PAYLOAD(attribute);
	uint32_t memory[SK_MEMINFO_DROPS + 1];

	if (attribute->rta_type == INET_DIAG_SKMEMINFO && len >= sizeof(memory)) {
		memcpy(memory, data, sizeof(memory));
		listener->has_drops = true;
		listener->drops = memory[SK_MEMINFO_DROPS];
	} else if (attribute->rta_type == INET_DIAG_SKV6ONLY && len >= 1) {
		listener->is_v6_only = *(const uint8_t *)data != 0;
	}
}

static void on_listening_socket(void *arg, const struct inet_diag_msg *msg, size_t len)
{
	const struct listener_dump *to = arg;
	struct sock_listener listener = {
		.address = address_of(msg),
		.inode = msg->idiag_inode,
		.queue = msg->idiag_rqueue,
		.backlog = msg->idiag_wqueue,
	};
	int left = (int)len - (int)NLMSG_ALIGN(sizeof(*msg));

	for (const struct rtattr *attribute = (const void *)(msg + 1); RTA_OK(attribute, left);
	     attribute = RTA_NEXT(attribute, left))
		attribute_read(attribute, &listener);
	to->on_listener(to->arg, &listener);
}

int sock_diag_listeners(int fd, sock_listener_fn *on_listener, void *arg)
{
	struct listener_dump to = {on_listener, arg};

	return dump_both(fd, 1U << TCP_LISTEN, 1U << (INET_DIAG_SKMEMINFO - 1), on_listening_socket,
			 &to);
}

/* --- connections --- */

static void on_established(void *arg, const struct inet_diag_msg *msg, size_t len)
{
	struct sock_ports *ports = arg;

	(void)len;
	ports->established[ntohs(msg->id.idiag_sport)]++;
}

int sock_diag_established(int fd, struct sock_ports *ports)
{
	return dump_both(fd, 1U << TCP_ESTABLISHED, 0, on_established, ports);
}
