/* SPDX-License-Identifier: Apache-2.0
 * test_tcp_tls.c - sealed streams on a real loop, with OpenSSL at the other end of the socket. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/shared_bytes.h"
#include "io/loop_private.h"
#include "io/tcp_tls.h"
#include "io_unit.h"
#include "tls/tls_ticket_keys.h"
#include "tls_files.h"

static struct tls_files ec;

static int setup(void **state)
{
	(void)state;
	tls_files_make(&ec, "one.example", "DNS:one.example", false);
	return 0;
}

static int teardown(void **state)
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

static void on_message(int is_written, int version, int content, const void *data, size_t len,
		       SSL *ssl, void *arg)
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

static void peer_init(struct peer *peer, int fd, int version)
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
static void peer_finish(struct peer *peer)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->ctx);
	free(peer->text);
	close(peer->fd);
	ERR_clear_error();
}

/* Shakes hands and reads what is there. True: the handshake is done. */
static bool peer_go(struct peer *peer)
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

static __attribute__((unused)) void peer_say(struct peer *peer, const void *data, size_t len)
{
	assert_int_equal(SSL_write(peer->ssl, data, (int)len), (int)len);
}

/* --- ours --- */

/* Writes back what comes. */
static void echo(struct stream *stream, const uint8_t *data, size_t len)
{
	assert_int_equal(tcp_write(&stream->tcp, data, len), 0);
}

static void on_secured(struct tcp *tcp)
{
	stream_told(tcp)->connects++;
}

static const struct tcp_handler sealed_handler = {
	.on_connect = stream_on_connect,
	.on_secured = on_secured,
	.on_recv = stream_on_recv,
	.on_eof = stream_on_eof,
	.on_error = stream_on_error,
	.on_drain = stream_on_drain,
	.on_closed = stream_on_closed,
};

static struct tls_stats *stats_of(struct io_fixture *f)
{
	return f->loop->tls;
}

/* A sealed stream and its peer, whose handshake has not begun. */
static struct stream *sealed_pair(struct io_fixture *f, struct tls_context *context, int version,
				  struct seen *seen, struct peer *peer)
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

static struct stream *secured_pair(struct io_fixture *f, struct tls_context *context, int version,
				   struct seen *seen, struct peer *peer)
{
	struct stream *stream = sealed_pair(f, context, version, seen, peer);

	SPIN_UNTIL(f, peer_go(peer) && seen->connects == 1);
	return stream;
}

/* --- whole connections --- */

static const struct {
	const char *name;
	int version;
	bool stays_attached;
} ways[] = {
	{"1.3 detached", TLS1_3_VERSION, false},
	{"1.3 attached", TLS1_3_VERSION, true},
	{"1.2 detached", TLS1_2_VERSION, false},
	{"1.2 attached", TLS1_2_VERSION, true},
};

static void test_echo(void **state)
{
	struct io_fixture *f = *state;
	static const size_t lens[] = {1, 64, 16384, 16385, 100000, 1000000};
	static uint8_t data[1000000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 11 + i / 251);
	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct tls_context *context = tls_files_server(
			&ec, (struct tls_server_options){.stays_attached = ways[w].stays_attached});
		struct seen seen;
		struct peer peer;
		struct stream *stream = secured_pair(f, context, ways[w].version, &seen, &peer);

		stream->on_recv = echo;
		for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
			size_t at = 0;

			peer.got = 0;
			seen.bytes = 0;
			/* The socket takes only so much at once. */
			SPIN_UNTIL(f, ({
					   int n = at < lens[i] ? SSL_write(peer.ssl, data + at,
									    (int)MIN(lens[i] - at,
										     16384u))
								: 0;
					   at += n > 0 ? (size_t)n : 0;
					   peer_go(&peer);
					   at == lens[i] && peer.got == lens[i];
				   }));
			ASSERT_ROW(memcmp(peer.text, data, lens[i]) == 0, ways[w].name);
			ASSERT_ROW(seen.bytes == lens[i], ways[w].name);
		}
		ASSERT_ROW(stats_of(f)->secured == 1 &&
				   stats_of(f)->attached == ways[w].stays_attached,
			   ways[w].name);
		stream_close_and_wait(f, stream);
		SPIN_UNTIL(f, (peer_go(&peer), peer.has_end || peer.has_cut));
		ASSERT_ROW(peer.has_end, ways[w].name);
		ASSERT_ROW(stats_of(f)->secured == 0 && stats_of(f)->attached == 0, ways[w].name);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
	assert_int_equal(stats_of(f)->handshakes_tls13, 2);
	assert_int_equal(stats_of(f)->handshakes_tls12, 2);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH(test_echo),
	};
	size_t count = io_keep_possible(tests, ARRAY_LEN(tests));

	return _cmocka_run_group_tests("tests", tests, count, setup, teardown);
}
