/* SPDX-License-Identifier: Apache-2.0
 * tcp.c - what streams do the same way on both engines. */
#include "io/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/shared_bytes.h"
#include "io/seal.h"

/* glibc 2.36 lacks it (linux/in.h). */
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* [bytes] Shared bytes are copied behind others up to here: cheaper than one more send. */
#define COPY_MAX 16384
/* The same while the kernel has not taken what is before them: they may wait for long, in the
 * queues of many, and are worth more than the struct that refers to them. */
#define COPY_MAX_STUCK 512

const struct tcp_handler *tcp_handler(const struct tcp *tcp)
{
	return tcp->flags & STREAM_SEALED ? tcp->seal->owner : tcp->handler;
}

void tcp_init(struct tcp *tcp, struct loop *loop, int fd, const struct tcp_handler *handler)
{
	*tcp = (struct tcp){.loop = loop, .handler = handler, .fd = fd};
}

void tcp_adopt(struct tcp *tcp, struct loop *loop, const struct tcp_accepted *accepted,
	       const struct tcp_handler *handler)
{
	tcp_init(tcp, loop, accepted->fd, handler);
	tcp->flags = STREAM_READING | (accepted->is_reserve ? STREAM_RESERVE : 0);
	loop->engine->tcp_start(tcp);
}

/* The port is chosen at connect time, for the whole four-tuple: binding it earlier
 * would use it up for every destination. */
static int bind_local(int fd, const struct net_addr *local)
{
	int one = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, &local->sa, net_addr_len(local)) < 0 ? -errno : 0;
}

int tcp_connect(struct tcp *tcp, struct loop *loop, const struct net_addr *local,
		const struct net_addr *remote, const struct tcp_handler *handler)
{
	int fd = socket(remote->sa.sa_family,
			SOCK_STREAM | SOCK_CLOEXEC | loop->engine->socket_flags, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	int r = local == NULL ? 0 : bind_local(fd, local);

	if (r < 0) {
		close(fd);
		return r;
	}
	tcp_init(tcp, loop, -1, handler);
	tcp->flags = STREAM_CONNECTING;
	return loop->engine->tcp_connect(tcp, fd, remote);
}

void tcp_read_start(struct tcp *tcp)
{
	struct seal_shake *paused = seal_paused(tcp);

	if (paused != NULL)
		paused->wants_reading = true;
	if (paused != NULL || (tcp->flags & (STREAM_READING | STREAM_CLOSING | STREAM_EOF)))
		return;
	tcp->flags |= STREAM_READING;
	if (!(tcp->flags & STREAM_FROZEN))
		tcp->loop->engine->tcp_read_start(tcp);
}

void tcp_read_stop(struct tcp *tcp)
{
	struct seal_shake *paused = seal_paused(tcp);

	if (paused != NULL)
		paused->wants_reading = false;
	if (!(tcp->flags & STREAM_READING))
		return;
	tcp->flags &= ~(uint32_t)STREAM_READING;
	if (!(tcp->flags & STREAM_CLOSING))
		tcp->loop->engine->tcp_read_stop(tcp);
}

/* --- output --- */

/* What waits behind `sending` is a ring of buffers, of which `pending` is the last and
 * pending->next the first; `queued` of the last one is the sum of all. Only the last is
 * written to. */

static void pending_append(struct tcp *tcp, struct outbuf *outbuf)
{
	struct outbuf *last = tcp->pending;

	outbuf->queued = outbuf_unsent(outbuf).len;
	outbuf->next = outbuf;
	if (last != NULL) {
		outbuf->queued += last->queued;
		outbuf->next = last->next;
		last->next = outbuf;
	}
	tcp->pending = outbuf;
}

/* NULL: none is left. */
static struct outbuf *pending_pop(struct tcp *tcp)
{
	struct outbuf *last = tcp->pending;

	if (last == NULL)
		return NULL;
	struct outbuf *first = last->next;

	last->next = first->next;
	last->queued -= outbuf_unsent(first).len;
	if (first == last)
		tcp->pending = NULL;
	return first;
}

static struct outbuf *pending_grow(struct tcp *tcp, size_t extra)
{
	struct outbuf *last = tcp->pending;
	struct outbuf *before = last;
	size_t queued = last->queued;

	while (before->next != last)
		before = before->next;
	struct outbuf *first = last->next;
	struct outbuf *larger = outbuf_grow(&tcp->loop->outbufs, last, extra);

	if (larger == NULL)
		return NULL;
	larger->queued = queued;
	larger->next = first == last ? larger : first;
	if (before != last)
		before->next = larger;
	tcp->pending = larger;
	return larger;
}

static void check_writable(const struct tcp *tcp)
{
	CHECK(!(tcp->flags & (STREAM_CONNECTING | STREAM_SHUT_WANTED)));
	/* It would be lost, or sent twice. */
	CHECK(!(tcp->flags & STREAM_EXPORTED) || (tcp->flags & (STREAM_IMPORTED | STREAM_CLOSING)));
}

static void output_added(struct tcp *tcp)
{
	if (!(tcp->flags & (STREAM_CLOSING | STREAM_FAILED | STREAM_FROZEN)))
		loop_queue(tcp);
}

uint8_t *tcp_reserve(struct tcp *tcp, size_t len)
{
	struct outbuf *last = tcp->pending;

	check_writable(tcp);
	if (last == NULL || last->shared != NULL) {
		last = outbuf_get(&tcp->loop->outbufs, len);
		if (last != NULL)
			pending_append(tcp, last);
	} else if (last->cap - last->end < len) {
		last = pending_grow(tcp, len);
	}
	return last == NULL ? NULL : last->data + last->end;
}

void tcp_commit(struct tcp *tcp, size_t len)
{
	struct outbuf *last = tcp->pending;

	CHECK(last != NULL && last->shared == NULL && len <= last->cap - last->end);
	last->end += len;
	last->queued += len;
	if (last->queued == 0)
		outbuf_put(&tcp->loop->outbufs, pending_pop(tcp));
	else
		output_added(tcp);
}

int tcp_write(struct tcp *tcp, const void *data, size_t len)
{
	if (len == 0)
		return 0;
	uint8_t *to = tcp_reserve(tcp, len);

	if (to == NULL)
		return -ENOMEM;
	memcpy(to, data, len);
	tcp_commit(tcp, len);
	return 0;
}

int tcp_write_shared(struct tcp *tcp, struct shared_bytes *bytes)
{
	size_t copy_max = tcp->sending == NULL ? COPY_MAX : COPY_MAX_STUCK;

	if (bytes->len == 0 || (tcp->pending != NULL && bytes->len <= copy_max))
		return tcp_write(tcp, bytes->data, bytes->len);
	check_writable(tcp);
	struct outbuf *outbuf = outbuf_get_shared(&tcp->loop->outbufs, bytes);

	if (outbuf == NULL)
		return -ENOMEM;
	pending_append(tcp, outbuf);
	output_added(tcp);
	return 0;
}

static size_t pending_len(const struct tcp *tcp)
{
	return tcp->pending == NULL ? 0 : tcp->pending->queued;
}

static size_t outbuf_len(const struct outbuf *outbuf)
{
	return outbuf == NULL ? 0 : outbuf_unsent(outbuf).len;
}

size_t tcp_queued(const struct tcp *tcp)
{
	if (tcp->flags & STREAM_CONNECTING)
		return 0;
	return outbuf_len(tcp->sending) + pending_len(tcp) +
	       (tcp->flags & STREAM_SEALED ? outbuf_len(tcp->seal->raw) : 0);
}

size_t tcp_held(const struct tcp *tcp)
{
	const struct outbuf *last = tcp->pending;
	size_t held = tcp->sending == NULL ? 0 : outbuf_held(tcp->sending);

	if (tcp->flags & STREAM_SEALED)
		held += seal_held(tcp->seal);
	if ((tcp->flags & STREAM_CONNECTING) || last == NULL)
		return held;
	const struct outbuf *outbuf = last;

	do {
		outbuf = outbuf->next;
		held += outbuf_held(outbuf);
	} while (outbuf != last);
	return held;
}

void tcp_pending_consume(struct tcp *tcp, size_t len)
{
	while (tcp->pending != NULL) {
		struct outbuf *first = tcp->pending->next;
		size_t part = MIN(outbuf_unsent(first).len, len);

		first->start += part;
		tcp->pending->queued -= part;
		len -= part;
		if (outbuf_unsent(first).len > 0)
			break;
		outbuf_put(&tcp->loop->outbufs, pending_pop(tcp));
	}
	CHECK(len == 0);
}

void tcp_pending_drop(struct tcp *tcp)
{
	while (tcp->pending != NULL)
		outbuf_put(&tcp->loop->outbufs, pending_pop(tcp));
}

bool tcp_pending_send(struct tcp *tcp)
{
	if (pending_len(tcp) == 0)
		return false;
	tcp->sending = pending_pop(tcp);
	return true;
}

size_t tcp_output(struct tcp *tcp, const uint8_t **out_data)
{
	while (tcp->sending == NULL) {
		if (!(tcp->flags & STREAM_SEALED ? seal_output(tcp) : tcp_pending_send(tcp)))
			return 0;
		/* What was reserved and not committed may be empty. */
		if (outbuf_len(tcp->sending) == 0) {
			outbuf_put(&tcp->loop->outbufs, tcp->sending);
			tcp->sending = NULL;
		}
	}
	struct slice unsent = outbuf_unsent(tcp->sending);

	*out_data = unsent.data;
	return unsent.len;
}

static bool is_shaking(const struct tcp *tcp)
{
	return (tcp->flags & STREAM_SEALED) && tcp->seal->state <= SEAL_SHAKING;
}

static bool has_output(const struct tcp *tcp)
{
	return tcp->flags & STREAM_SEALED ? seal_has_output(tcp) : pending_len(tcp) > 0;
}

bool tcp_output_sent(struct tcp *tcp, size_t sent)
{
	CHECK(sent > 0 && sent <= outbuf_unsent(tcp->sending).len);
	tcp->progress++;
	tcp->sending->start += sent;
	if (outbuf_unsent(tcp->sending).len > 0)
		return true;
	outbuf_put(&tcp->loop->outbufs, tcp->sending);
	tcp->sending = NULL;
	if (has_output(tcp))
		return true;
	/* Of a handshake's bytes the owner knows nothing. */
	if (!(tcp->flags & STREAM_CLOSING) && tcp_queued(tcp) == 0 && !is_shaking(tcp))
		tcp_handler(tcp)->on_drain(tcp);
	return false;
}

void tcp_output_drop(struct tcp *tcp)
{
	outbuf_put(&tcp->loop->outbufs, tcp->sending);
	tcp->sending = NULL;
	tcp_pending_drop(tcp);
}

void tcp_received(struct tcp *tcp, uint8_t *data, size_t len)
{
	if (tcp->flags & STREAM_SEALED)
		seal_received(tcp, data, len);
	else
		tcp->handler->on_recv(tcp, data, len);
}

void tcp_fail(struct tcp *tcp, int error)
{
	if (tcp->flags & (STREAM_CLOSING | STREAM_FAILED))
		return;
	tcp->flags |= STREAM_FAILED;
	tcp_handler(tcp)->on_error(tcp, error);
}

void tcp_receive_ended(struct tcp *tcp, int error)
{
	if (tcp->flags & (STREAM_CLOSING | STREAM_EOF | STREAM_FAILED))
		return;
	tcp->flags |= STREAM_EOF;
	tcp->flags &= ~(uint32_t)STREAM_READING;
	if ((tcp->flags & STREAM_SEALED) && !seal_ended(tcp, error))
		return;
	if (error == 0)
		tcp_handler(tcp)->on_eof(tcp);
	else
		tcp_fail(tcp, error);
}

void tcp_shutdown(struct tcp *tcp)
{
	if (tcp->flags & (STREAM_SHUT_WANTED | STREAM_CLOSING))
		return;
	tcp->flags |= STREAM_SHUT_WANTED;
	loop_queue(tcp);
}

bool tcp_shutdown_is_due(const struct tcp *tcp)
{
	return (tcp->flags & (STREAM_SHUT_WANTED | STREAM_SHUT_DONE)) == STREAM_SHUT_WANTED &&
	       tcp_queued(tcp) == 0 && !((tcp->flags & STREAM_SEALED) && seal_owes_end(tcp));
}

void tcp_close(struct tcp *tcp)
{
	if (tcp->flags & STREAM_CLOSING)
		return;
	loop_settled(tcp);
	tcp->flags |= STREAM_CLOSING;
	tcp->flags &= ~(uint32_t)(STREAM_READING | STREAM_FROZEN);
	if (tcp->flags & STREAM_SEALED)
		seal_closing(tcp);
	loop_queue(tcp);
}

void tcp_closed(struct tcp *tcp)
{
	tcp_output_drop(tcp);
	if (tcp->flags & STREAM_SEALED)
		seal_finish(tcp);
	tcp->handler->on_closed(tcp);
}

bool tcp_is_closing(const struct tcp *tcp)
{
	return (tcp->flags & STREAM_CLOSING) != 0;
}
