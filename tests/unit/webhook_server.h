/* SPDX-License-Identifier: Apache-2.0
 * webhook_server.h - a back end for tests: answers each request as a script says, with raw
 * bytes, on a thread for each connection.
 *
 * Step number i of the script answers the server's request number i; the last one also all
 * that follow. */
#pragma once

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum server_after {
	SERVER_KEEP,  /* read the next request */
	SERVER_CLOSE, /* FIN */
	SERVER_RESET, /* RST */
	SERVER_HANG,  /* say nothing more until the client goes */
	SERVER_FLOOD, /* send zeros until the client goes, at most 100 MiB */
	SERVER_GATE,  /* wait for server_open_gate, then answer as below, and keep */
};

struct server_step {
	const char *bytes;
	enum server_after after;
	size_t len; /* of bytes; 0: up to their NUL */
};

#define SERVER_OK         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SERVER_LOG_MAX    16
#define SERVER_PEERS_MAX  1100
#define SERVER_FLOOD_SIZE (100 << 20)

struct server_request {
	char head[4096];
	uint8_t body[4096]; /* its begin */
	size_t body_len;
	uint64_t at_ns;
};

struct server {
	int listen_fd;
	uint16_t port;
	const struct server_step *steps;
	size_t step_count;
	pthread_t thread;
	bool is_listening;

	pthread_mutex_t mutex;    /* guards the rest */
	pthread_cond_t changed;   /* for the one who waits for it: a thousand who wait at the */
	pthread_cond_t gate_open; /* gate are not woken by each other */
	bool is_gate_open;
	unsigned connections;
	unsigned requests;
	unsigned active; /* requests read and not answered */
	unsigned active_max;
	unsigned gone; /* connections that ended */
	uint64_t flooded_bytes;
	struct server_request log[SERVER_LOG_MAX];
	int fds[SERVER_PEERS_MAX]; /* -1: closed */
	pthread_t threads[SERVER_PEERS_MAX];
};

struct server_peer {
	struct server *server;
	unsigned index;
	int fd;
};

static inline void server_lock(struct server *server)
{
	pthread_mutex_lock(&server->mutex);
}

static inline void server_unlock(struct server *server)
{
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

static inline bool server_read_request(int fd, struct server_request *request)
{
	size_t len = 0;
	char *end = NULL;

	while (end == NULL) {
		ssize_t n = recv(fd, request->head + len, sizeof(request->head) - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		request->head[len] = 0;
		end = strstr(request->head, "\r\n\r\n");
	}
	const char *length = strcasestr(request->head, "\r\ncontent-length:");
	size_t total = length != NULL ? strtoul(length + 17, NULL, 10) : 0;
	uint8_t spill[65536];

	end += 4;
	request->body_len = len - (size_t)(end - request->head);
	CHECK(request->body_len <= sizeof(request->body));
	memcpy(request->body, end, request->body_len);
	*end = 0;
	while (request->body_len < total) {
		ssize_t n = recv(fd, spill, MIN(sizeof(spill), total - request->body_len), 0);

		if (n <= 0)
			return false;
		if (request->body_len + (size_t)n <= sizeof(request->body))
			memcpy(request->body + request->body_len, spill, (size_t)n);
		request->body_len += (size_t)n;
	}
	request->at_ns = clock_now_ns();
	return true;
}

static inline void server_send(int fd, const void *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, (const char *)data + at, len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

static inline void server_flood(struct server_peer *peer)
{
	static const uint8_t zeros[65536];
	uint64_t sent = 0;
	ssize_t n = 0;

	while (sent < SERVER_FLOOD_SIZE &&
	       (n = send(peer->fd, zeros, sizeof(zeros), MSG_NOSIGNAL)) > 0)
		sent += (uint64_t)n;
	server_lock(peer->server);
	peer->server->flooded_bytes += sent;
	server_unlock(peer->server);
}

static inline bool server_after_answer(struct server_peer *peer, enum server_after after)
{
	struct linger hard = {.l_onoff = 1};
	char byte;

	switch (after) {
	case SERVER_KEEP:
	case SERVER_GATE:
		return true;
	case SERVER_RESET:
		setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		return false;
	case SERVER_HANG:
		while (recv(peer->fd, &byte, 1, 0) > 0)
			;
		return false;
	case SERVER_FLOOD:
		server_flood(peer);
		return false;
	case SERVER_CLOSE:
		break;
	}
	return false;
}

static inline bool server_answer(struct server_peer *peer, const struct server_request *request)
{
	struct server *server = peer->server;

	server_lock(server);
	unsigned number = server->requests++;
	const struct server_step *step = &server->steps[MIN(number, server->step_count - 1)];

	if (number < SERVER_LOG_MAX)
		server->log[number] = *request;
	server->active++;
	server->active_max = MAX(server->active_max, server->active);
	pthread_cond_broadcast(&server->changed);
	while (step->after == SERVER_GATE && !server->is_gate_open)
		pthread_cond_wait(&server->gate_open, &server->mutex);
	server->active--;
	server_unlock(server);
	server_send(peer->fd, step->bytes, step->len > 0 ? step->len : strlen(step->bytes));
	return server_after_answer(peer, step->after);
}

static inline void *server_peer_main(void *arg)
{
	struct server_peer *peer = arg;
	struct server *server = peer->server;
	struct server_request *request = malloc(sizeof(*request));

	while (server_read_request(peer->fd, request) && server_answer(peer, request))
		;
	server_lock(server);
	close(peer->fd);
	server->fds[peer->index] = -1;
	server->gone++;
	server_unlock(server);
	free(request);
	free(peer);
	return NULL;
}

static inline void *server_main(void *arg)
{
	struct server *server = arg;
	int one = 1;

	for (;;) {
		int fd = accept(server->listen_fd, NULL, NULL);

		if (fd < 0 && errno == EMFILE) { /* a test has taken them all, for a while */
			sched_yield();
			continue;
		}
		if (fd < 0)
			return NULL;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		struct server_peer *peer = malloc(sizeof(*peer));

		server_lock(server);
		CHECK(server->connections < SERVER_PEERS_MAX);
		*peer = (struct server_peer){server, server->connections, fd};
		server->fds[peer->index] = fd;
		server->connections++;
		CHECK(pthread_create(&server->threads[peer->index], NULL, server_peer_main, peer) ==
		      0);
		server_unlock(server);
	}
}

/* Has a port, but refuses connections until server_listen. */
static inline struct server *server_bind(const struct server_step *steps, size_t step_count)
{
	struct server *server = calloc(1, sizeof(*server));
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);

	server->steps = steps;
	server->step_count = step_count;
	pthread_mutex_init(&server->mutex, NULL);
	pthread_cond_init(&server->changed, NULL);
	pthread_cond_init(&server->gate_open, NULL);
	server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(server->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(getsockname(server->listen_fd, (struct sockaddr *)&addr, &len) == 0);
	server->port = ntohs(addr.sin_port);
	return server;
}

static inline void server_listen(struct server *server)
{
	CHECK(listen(server->listen_fd, 4096) == 0);
	CHECK(pthread_create(&server->thread, NULL, server_main, server) == 0);
	server->is_listening = true;
}

static inline struct server *server_start(const struct server_step *steps, size_t step_count)
{
	struct server *server = server_bind(steps, step_count);

	server_listen(server);
	return server;
}

static inline void server_open_gate(struct server *server)
{
	server_lock(server);
	server->is_gate_open = true;
	pthread_cond_broadcast(&server->gate_open);
	server_unlock(server);
}

static inline void server_stop(struct server *server)
{
	shutdown(server->listen_fd, SHUT_RDWR);
	if (server->is_listening)
		pthread_join(server->thread, NULL);
	server_open_gate(server);
	server_lock(server);
	for (unsigned i = 0; i < server->connections; i++)
		if (server->fds[i] >= 0)
			shutdown(server->fds[i], SHUT_RDWR);
	server_unlock(server);
	for (unsigned i = 0; i < server->connections; i++)
		pthread_join(server->threads[i], NULL);
	close(server->listen_fd);
	pthread_cond_destroy(&server->gate_open);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}

/* Waits until `member` of the server has reached `wanted`. */
#define SERVER_WAIT(server, member, wanted)                                                     \
	do {                                                                                    \
		struct timespec until_;                                                         \
		int r_ = 0;                                                                     \
		clock_gettime(CLOCK_REALTIME, &until_);                                         \
		until_.tv_sec += GIVE_UP_S;                                                     \
		pthread_mutex_lock(&(server)->mutex);                                           \
		while ((server)->member < (wanted) && r_ == 0)                                  \
			r_ = pthread_cond_timedwait(&(server)->changed, &(server)->mutex,       \
						    &until_);                                   \
		pthread_mutex_unlock(&(server)->mutex);                                         \
		if (r_ != 0)                                                                    \
			fail_msg("line %d: waited in vain: %s", __LINE__, #member " " #wanted); \
	} while (0)

#define SERVER_READ(server, member)                     \
	({                                              \
		pthread_mutex_lock(&(server)->mutex);   \
		__auto_type value_ = (server)->member;  \
		pthread_mutex_unlock(&(server)->mutex); \
		value_;                                 \
	})

/* The value of a header of request `number`, "" if it has none. */
static inline void server_header(struct server *server, unsigned number, const char *name,
				 char *out, size_t size)
{
	char wanted[64];

	CHECK(number < SERVER_LOG_MAX);
	snprintf(wanted, sizeof(wanted), "\r\n%s:", name);
	const char *at = strcasestr(server->log[number].head, wanted);

	out[0] = 0;
	if (at == NULL)
		return;
	at += strlen(wanted);
	at += strspn(at, " ");
	snprintf(out, size, "%.*s", (int)strcspn(at, "\r"), at);
}
