/* SPDX-License-Identifier: Apache-2.0
 * tcp_tls_unit.h - sealed streams on a real loop, with OpenSSL at the other end of the socket. */
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "io/loop_private.h"
#include "io/tcp_tls.h"
#include "io_unit.h"
#include "tls/tls_peer.h"
#include "tls/tls_stream.h"
#include "tls/tls_ticket_keys.h"
#include "tls_files.h"

static struct tls_files ec;

static inline int setup(void **state)
{
	(void)state;
	tls_files_make(&ec, "one.example", "DNS:one.example", false);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	tls_files_remove(&ec);
	return 0;
}

/* --- the other end --- */

struct peer {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	unsigned records; /* that came, since it was set to 0 */
	int alert;        /* that came; -1: none */
	size_t got;       /* [bytes] of text */
	uint8_t *text;
	bool has_end; /* close_notify came */
	bool has_cut; /* the stream ended without */
};

static inline void on_message(int is_written, int version, int content, const void *data,
			      size_t len, SSL *ssl, void *arg)
{
	struct peer *peer = arg;

	(void)version;
	(void)ssl;
	if (is_written)
		return;
	if (content == SSL3_RT_HEADER)
		peer->records++;
	if (content == SSL3_RT_ALERT && len == 2)
		peer->alert = ((const uint8_t *)data)[1];
}

#define TEXT_MAX (4u << 20)

static inline void peer_init(struct peer *peer, int fd, int version)
{
	*peer = (struct peer){.fd = fd, .alert = -1, .text = malloc(TEXT_MAX)};
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	peer->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(peer->ctx, version);
	SSL_CTX_set_max_proto_version(peer->ctx, version);
	SSL_CTX_set_security_level(peer->ctx, 0); /* it may speak what is too old */
	peer->ssl = SSL_new(peer->ctx);
	SSL_set_fd(peer->ssl, fd);
	SSL_set_tlsext_host_name(peer->ssl, "one.example");
	SSL_set_msg_callback(peer->ssl, on_message);
	SSL_set_msg_callback_arg(peer->ssl, peer);
	SSL_set_connect_state(peer->ssl);
}

/* Frees it; its socket is closed as it is. */
static inline void peer_finish(struct peer *peer)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->ctx);
	free(peer->text);
	close(peer->fd);
	ERR_clear_error();
}

/* Shakes hands and reads what is there. True: the handshake is done. */
static inline bool peer_go(struct peer *peer)
{
	int r = SSL_do_handshake(peer->ssl);

	ERR_clear_error();
	while (r == 1 && peer->got < TEXT_MAX) {
		size_t len;

		if (SSL_read_ex(peer->ssl, peer->text + peer->got, TEXT_MAX - peer->got, &len) ==
		    1) {
			peer->got += len;
			continue;
		}
		int error = SSL_get_error(peer->ssl, 0);

		peer->has_end |= error == SSL_ERROR_ZERO_RETURN;
		peer->has_cut |= error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL;
		ERR_clear_error();
		break;
	}
	return SSL_is_init_finished(peer->ssl) == 1;
}

static inline void peer_say(struct peer *peer, const void *data, size_t len)
{
	assert_int_equal(SSL_write(peer->ssl, data, (int)len), (int)len);
}

/* --- ours --- */

/* Writes back what comes. */
static inline void echo(struct stream *stream, const uint8_t *data, size_t len)
{
	assert_int_equal(tcp_write(&stream->tcp, data, len), 0);
}

static inline void on_secured(struct tcp *tcp)
{
	stream_told(tcp)->connects++;
}

static const struct tcp_handler sealed_handler __attribute__((unused)) = {
	.on_connect = stream_on_connect,
	.on_secured = on_secured,
	.on_recv = stream_on_recv,
	.on_eof = stream_on_eof,
	.on_error = stream_on_error,
	.on_drain = stream_on_drain,
	.on_closed = stream_on_closed,
};

static inline struct tls_stats *stats_of(struct io_fixture *f)
{
	return f->loop->tls;
}

/* A sealed stream and its peer, whose handshake has not begun. */
static inline struct stream *sealed_pair(struct io_fixture *f, struct tls_context *context,
					 int version, struct seen *seen, struct peer *peer)
{
	struct acceptor acceptor;
	struct stream *stream = stream_new(seen);

	acceptor_open(f, &acceptor, LOOPBACK);
	peer_init(peer, peer_connect(&acceptor.addr), version);
	RUN_UNTIL(f, acceptor.count == 1);
	assert_int_equal(tcp_adopt_sealed(&stream->tcp, f->loop, &acceptor.accepted[0],
					  &sealed_handler, context),
			 0);
	acceptor_close(f, &acceptor);
	return stream;
}

static inline struct stream *secured_pair(struct io_fixture *f, struct tls_context *context,
					  int version, struct seen *seen, struct peer *peer)
{
	struct stream *stream = sealed_pair(f, context, version, seen, peer);

	SPIN_UNTIL(f, peer_go(peer) && seen->connects == 1);
	return stream;
}
