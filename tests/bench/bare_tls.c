/* SPDX-License-Identifier: Apache-2.0
 * bare_tls.c - the floor under TLS: the shortest server that returns bytes through OpenSSL.
 *
 * Usage: bare_tls PORT CERT KEY
 *
 * One thread, epoll. Answers the opening handshake, so that the same tester can be pointed at it
 * (gatehouse bench --raw-echo), and from then on sends back whatever comes. What it costs is what
 * the kernel and OpenSSL cost, with OpenSSL used as sparingly as it lets itself be used: stateless
 * tickets, released buffers, and one pair of static buffers below all connections, so that each
 * has its SSL object and nothing else; one receive and one send for each readable event.
 *
 * At PORT + 1 what arrives, in clear, is sent to each connection of PORT, sealed for each: the
 * floor of a message to many. Runs until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "proto/ws_handshake.h"

#define SOCKETS   20100
#define TEXT_SIZE 131072
#define WIRE_SIZE 262144

enum kind { FREE, LISTENER, PUBLISHERS, CLIENT, PUBLISHER };

static struct peer {
	SSL *ssl;
	enum kind kind;
	bool is_open; /* the opening handshake is behind it */
} peers[SOCKETS];

/* Below all SSL objects: what the call under way may read, and what it has written. */
static uint8_t wire_in[WIRE_SIZE], wire_out[WIRE_SIZE];
static size_t in_at, in_len, out_len;
static uint8_t text[TEXT_SIZE];
static SSL_CTX *ctx;
static BIO *wire;
static int epoll_fd;

/* --- OpenSSL's wire --- */

static int wire_read(BIO *bio, char *data, int size)
{
	size_t len = MIN(in_len - in_at, (size_t)size);

	BIO_clear_retry_flags(bio);
	if (len == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(data, wire_in + in_at, len);
	in_at += len;
	return (int)len;
}

static int wire_write(BIO *bio, const char *data, int len)
{
	BIO_clear_retry_flags(bio);
	CHECK(out_len + (size_t)len <= sizeof(wire_out));
	memcpy(wire_out + out_len, data, (size_t)len);
	out_len += (size_t)len;
	return len;
}

static long wire_ctrl(BIO *bio, int command, long number, void *data)
{
	(void)bio;
	(void)number;
	(void)data;
	return command == BIO_CTRL_FLUSH;
}

static void tls_setup(const char *cert, const char *key)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");

	BIO_meth_set_read(method, wire_read);
	BIO_meth_set_write(method, wire_write);
	BIO_meth_set_ctrl(method, wire_ctrl);
	wire = BIO_new(method);
	CHECK(wire != NULL);
	BIO_set_init(wire, 1);
	ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
}

/* --- sockets --- */

static void watch(int fd, enum kind kind)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	peers[fd].kind = kind;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void listen_on(uint16_t port, enum kind kind)
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
		perror("bare_tls: cannot listen");
		exit(1);
	}
	watch(fd, kind);
}

static void drop(int fd)
{
	SSL_free(peers[fd].ssl);
	peers[fd] = (struct peer){0};
	close(fd);
	ERR_clear_error();
}

/* A full socket is rare under a closed loop of a few messages: wait for it. */
static void wire_flush(int fd)
{
	const uint8_t *data = wire_out;
	size_t len = out_len;

	out_len = 0;
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

static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (fd >= SOCKETS) {
		close(fd);
		return;
	}
	if (peers[listener].kind == PUBLISHERS) {
		watch(fd, PUBLISHER);
		return;
	}
	SSL *ssl = SSL_new(ctx);

	CHECK(ssl != NULL);
	BIO_up_ref(wire);
	BIO_up_ref(wire);
	SSL_set_bio(ssl, wire, wire);
	SSL_set_accept_state(ssl);
	peers[fd].ssl = ssl;
	watch(fd, CLIENT);
}

/* --- echo --- */

/* The tester's request comes in one piece. */
static size_t upgrade(size_t len, char *answer, size_t size)
{
	static const char name[] = "\r\nSec-WebSocket-Key: ";
	const uint8_t *key = memmem(text, len, name, sizeof(name) - 1);

	CHECK(key != NULL);
	return ws_response_write(answer, size, slice_of(key + sizeof(name) - 1, WS_KEY_LEN),
				 &(struct ws_response){0});
}

static void answer(int fd, size_t len)
{
	struct peer *peer = &peers[fd];
	char head[256];
	const void *reply = text;

	if (!peer->is_open) {
		peer->is_open = true;
		len = upgrade(len, head, sizeof(head));
		reply = head;
	}
	SSL_write(peer->ssl, reply, (int)len);
}

/* True if more may be there: a short receive has emptied the socket. */
static bool client_read(int fd)
{
	struct peer *peer = &peers[fd];
	ssize_t n = recv(fd, wire_in, sizeof(wire_in), 0);
	size_t len = 0;
	int r;

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		drop(fd);
		return false;
	}
	in_at = 0;
	in_len = (size_t)n;
	/* The handshake runs in here. */
	while (len < sizeof(text) &&
	       (r = SSL_read(peer->ssl, text + len, (int)(sizeof(text) - len))) > 0)
		len += (size_t)r;
	bool is_over = len < sizeof(text) && SSL_get_error(peer->ssl, r) != SSL_ERROR_WANT_READ;

	if (len > 0)
		answer(fd, len);
	wire_flush(fd);
	if (is_over)
		drop(fd);
	return !is_over && n == sizeof(wire_in);
}

/* --- to many --- */

static void publish(int fd)
{
	ssize_t n = recv(fd, text, sizeof(text), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(fd);
		return;
	}
	for (int i = 0; i < SOCKETS; i++) {
		if (peers[i].kind != CLIENT || !peers[i].is_open)
			continue;
		SSL_write(peers[i].ssl, text, (int)n);
		wire_flush(i);
	}
}

static void serve(int fd)
{
	switch (peers[fd].kind) {
	case LISTENER:
	case PUBLISHERS:
		accept_one(fd);
		break;
	case CLIENT:
		while (client_read(fd))
			;
		break;
	case PUBLISHER:
		publish(fd);
		break;
	case FREE:
		break;
	}
}

int main(int argc, char **argv)
{
	static struct epoll_event events[512];
	struct rlimit limit;

	if (argc != 4 || strtoul(argv[1], NULL, 10) == 0) {
		fprintf(stderr, "usage: bare_tls PORT CERT KEY\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);

	tls_setup(argv[2], argv[3]);
	epoll_fd = epoll_create1(0);
	listen_on(port, LISTENER);
	listen_on((uint16_t)(port + 1), PUBLISHERS);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, ARRAY_LEN(events), -1);

		for (int i = 0; i < count; i++)
			serve(events[i].data.fd);
	}
}
