/* SPDX-License-Identifier: Apache-2.0
 * test_conn_tls.c - what a connection makes of TLS: it opens by it, answers whoever speaks HTTP,
 * and lets an alert arrive before it ends. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "conn_unit.h"
#include "io/tcp_tls.h"
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

/* The client, in memory. */
struct far {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	char text[65536];
	size_t len;
};

static void far_init(struct far *far)
{
	*far = (struct far){.ctx = SSL_CTX_new(TLS_client_method()),
			    .in = BIO_new(BIO_s_mem()),
			    .out = BIO_new(BIO_s_mem())};
	far->ssl = SSL_new(far->ctx);
	BIO_set_mem_eof_return(far->in, -1);
	SSL_set_bio(far->ssl, far->in, far->out);
	SSL_set_connect_state(far->ssl);
}

static void far_finish(struct far *far)
{
	SSL_free(far->ssl);
	SSL_CTX_free(far->ctx);
	ERR_clear_error();
}

/* What each has said arrives at the other, until both are silent. */
static void far_talk(struct far *far, struct world *world)
{
	for (;;) {
		char *said;
		long len;
		int n;

		BIO_write(far->in, world->io.sent.data, (int)world->io.sent.len);
		world->io.sent.len = 0;
		if (SSL_do_handshake(far->ssl) == 1)
			while ((n = SSL_read(far->ssl, far->text + far->len,
					     (int)(sizeof(far->text) - 1 - far->len))) > 0)
				far->len += (size_t)n;
		ERR_clear_error();
		len = BIO_get_mem_data(far->out, &said);
		if (len <= 0)
			return;
		world_recv(world, said, (size_t)len);
		(void)BIO_reset(far->out);
	}
}

static void world_accept_tls(struct world *world, struct tls_context *context)
{
	struct tcp_accepted accepted = {.fd = -1};
	struct pool_walk walk;

	assert_null(net_addr_parse(SLICE_LITERAL("127.0.0.1:4000"), &accepted.remote));
	assert_true(conns_accept(&world->home, &accepted, context, 1));
	pool_walk_start(&walk, &world->home.conn_pool);
	world->conn = pool_walk_next(&walk);
	pool_walk_stop(&walk);
}

static void test_opens(void **state)
{
	static const char request[] = "GET /echo/a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
				      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	static const char frame[] = "\x81\x85\0\0\0\0hello";
	static struct world world;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct far far;

	(void)state;
	world_init(&world);
	world_accept_tls(&world, context);
	far_init(&far);
	far_talk(&far, &world);
	assert_true(SSL_is_init_finished(far.ssl));
	assert_non_null(tcp_tls_facts(&world.conn->tcp));
	SSL_write(far.ssl, request, sizeof(request) - 1);
	far_talk(&far, &world);
	assert_int_equal(strncmp(far.text, "HTTP/1.1 101 ", 13), 0);
	assert_int_equal(world.conn->phase, CONN_OPEN);
	assert_null(tcp_tls_facts(&world.conn->tcp)); /* an idle one holds its keys only */
	far.len = 0;
	SSL_write(far.ssl, frame, sizeof(frame) - 1);
	far_talk(&far, &world);
	assert_int_equal(far.len, 7);
	assert_memory_equal(far.text, "\x81\x05hello", 7);

	/* A record that is none of its: our alert, then our end; it is given up when its end comes.
	 */
	world_recv(&world, "\x17\x03\x03\x00\x20--------------------------------", 37);
	assert_int_equal(world.conn->phase, CONN_LINGER);
	assert_true(world.io.has_fin && world.io.sent.len > 0);
	assert_int_equal(world.home.stats.connections_closed[CLOSE_TLS], 0);
	fake_tell(&world.io, &world.conn->tcp, FAKE_EOF);
	assert_true(world_is_gone(&world));
	assert_int_equal(world.home.stats.connections_closed[CLOSE_TLS], 1);
	far_finish(&far);
	world_finish(&world);
	tls_context_unref(&context);
}

static void test_plain_http_is_answered(void **state)
{
	static struct world world;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});

	(void)state;
	world_init(&world);
	world_accept_tls(&world, context);
	world_recv_text(&world, "GET /echo/a HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(buf_append(&world.io.sent, "", 1, SIZE_MAX), 0);
	assert_non_null(strstr((char *)world.io.sent.data, "HTTP/1.1 400 "));
	assert_non_null(strstr((char *)world.io.sent.data, "here TLS is spoken"));
	fake_tell(&world.io, &world.conn->tcp, FAKE_EOF);
	assert_true(world_is_gone(&world));
	assert_int_equal(world.io.loop.tls->failures[TLS_TROUBLE_PLAIN_HTTP], 1);
	world_finish(&world);
	tls_context_unref(&context);
}

/* The handshake's timer goes on below TLS: a hello and then nothing. */
static void test_late(void **state)
{
	static struct world world;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct far far;
	char *said;

	(void)state;
	world_init(&world);
	world_accept_tls(&world, context);
	far_init(&far);
	SSL_do_handshake(far.ssl);
	ERR_clear_error();
	long len = BIO_get_mem_data(far.out, &said);

	world_recv(&world, said, (size_t)len);
	assert_int_equal(world.io.loop.tls->shaking, 1);
	fake_pass(&world.io, 60000);
	fake_turn(&world.io);
	assert_true(world_is_gone(&world));
	assert_int_equal(world.io.loop.tls->failures[TLS_TROUBLE_TIMEOUT], 1);
	assert_int_equal(world.io.loop.tls->shaking, 0);
	assert_int_equal(world.home.stats.handshake_timeouts, 1);
	far_finish(&far);
	world_finish(&world);
	tls_context_unref(&context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_plain_http_is_answered),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
