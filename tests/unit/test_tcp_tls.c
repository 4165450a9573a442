/* SPDX-License-Identifier: Apache-2.0
 * test_tcp_tls.c - sealed streams: what comes and leaves, how they end and fail. */
#include "base/shared_bytes.h"
#include "tcp_tls_unit.h"

/* What is to be sent finds no memory. */
static bool is_out_of_memory;

void *__real_payload_alloc(size_t size);
void *__wrap_payload_alloc(size_t size);

void *__wrap_payload_alloc(size_t size)
{
	return is_out_of_memory ? NULL : __real_payload_alloc(size);
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

/* --- what leaves --- */

static void test_a_turn_is_one_record(void **state)
{
	struct io_fixture *f = *state;

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct tls_context *context = tls_files_server(
			&ec, (struct tls_server_options){.stays_attached = ways[w].stays_attached});
		struct shared_bytes *shared = shared_bytes_create(600);
		struct seen seen;
		struct peer peer;
		struct stream *stream = secured_pair(f, context, ways[w].version, &seen, &peer);

		memset(shared->data, 's', 600);
		peer.records = 0;
		peer.got = 0;
		assert_int_equal(tcp_write(&stream->tcp, "one", 3), 0);
		assert_int_equal(tcp_write_shared(&stream->tcp, shared), 0);
		assert_int_equal(tcp_write(&stream->tcp, "three", 5), 0);
		assert_int_equal(tcp_write_shared(&stream->tcp, shared), 0);
		ASSERT_ROW(tcp_queued(&stream->tcp) == 1208, ways[w].name);
		SPIN_UNTIL(f, (peer_go(&peer), peer.got == 1208));
		ASSERT_ROW(peer.records == 1, ways[w].name);
		ASSERT_ROW(memcmp(peer.text, "onesss", 6) == 0, ways[w].name);
		ASSERT_ROW(memcmp(peer.text + 603, "threesss", 8) == 0, ways[w].name);
		ASSERT_ROW(tcp_queued(&stream->tcp) == 0 && tcp_held(&stream->tcp) == 0,
			   ways[w].name);
		stream_close_and_wait(f, stream);
		shared_bytes_unref(&shared);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
}

/* A reader that takes nothing: what waits is told, little of it is sealed, and all of it arrives.
 */
static void test_slow_reader(void **state)
{
	struct io_fixture *f = *state;
	enum { CHUNK = 65536, COUNT = 48 };
	static uint8_t chunk[CHUNK];

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct tls_context *context = tls_files_server(
			&ec, (struct tls_server_options){.stays_attached = ways[w].stays_attached});
		struct seen seen;
		struct peer peer;
		struct stream *stream = secured_pair(f, context, ways[w].version, &seen, &peer);

		peer.got = 0;
		for (size_t i = 0; i < COUNT; i++) {
			memset(chunk, (int)('a' + i % 26), sizeof(chunk));
			assert_int_equal(tcp_write(&stream->tcp, chunk, sizeof(chunk)), 0);
		}
		size_t all = tcp_queued(&stream->tcp);

		ASSERT_ROW(all == (size_t)CHUNK * COUNT, ways[w].name);
		io_run_for(f, 20 * NS_PER_MS); /* until the kernel takes no more */
		ASSERT_ROW(tcp_queued(&stream->tcp) <= all + 4 * CHUNK, ways[w].name);
		ASSERT_ROW(tcp_held(&stream->tcp) >= tcp_queued(&stream->tcp), ways[w].name);
		SPIN_UNTIL(f, (peer_go(&peer), peer.got == all));
		for (size_t i = 0; i < COUNT; i++)
			ASSERT_ROW(peer.text[i * CHUNK + 7] == 'a' + i % 26, ways[w].name);
		SPIN_UNTIL(f, tcp_queued(&stream->tcp) == 0);
		ASSERT_ROW(seen.drains > 0, ways[w].name);
		stream_close_and_wait(f, stream);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
}

/* What is written before the handshake leaves behind it. */
static void test_early_output_waits(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct seen seen;
	struct peer peer;
	struct stream *stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);

	assert_int_equal(tcp_write(&stream->tcp, "early", 5), 0);
	tcp_shutdown(&stream->tcp);
	SPIN_UNTIL(f, (peer_go(&peer), peer.has_end));
	assert_int_equal(peer.got, 5);
	assert_memory_equal(peer.text, "early", 5);
	assert_int_equal(seen.drains, 1);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* --- ends --- */

static void test_shutdown(void **state)
{
	struct io_fixture *f = *state;

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct tls_context *context = tls_files_server(
			&ec, (struct tls_server_options){.stays_attached = ways[w].stays_attached});
		struct seen seen;
		struct peer peer;
		struct stream *stream = secured_pair(f, context, ways[w].version, &seen, &peer);

		assert_int_equal(tcp_write(&stream->tcp, "last words", 10), 0);
		tcp_shutdown(&stream->tcp);
		SPIN_UNTIL(f, (peer_go(&peer), peer.has_end));
		ASSERT_ROW(peer.got == 10 && !peer.has_cut, ways[w].name);
		SPIN_UNTIL(f, peer_at_eof(peer.fd)); /* the FIN is behind it */
		/* Reading goes on. */
		peer_say(&peer, "answer", 6);
		RUN_UNTIL(f, seen.bytes == 6);
		assert_int_equal(SSL_shutdown(peer.ssl), 1);
		RUN_UNTIL(f, seen.eofs == 1);
		ASSERT_ROW(stats_of(f)->truncated == 0, ways[w].name);
		stream_close_and_wait(f, stream);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
}

/* The peer ends first; we may go on, then its FIN changes nothing. */
static void test_close_notify_comes(void **state)
{
	struct io_fixture *f = *state;

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct tls_context *context = tls_files_server(
			&ec, (struct tls_server_options){.stays_attached = ways[w].stays_attached});
		struct seen seen;
		struct peer peer;
		struct stream *stream = secured_pair(f, context, ways[w].version, &seen, &peer);

		peer_say(&peer, "bye", 3);
		assert_int_equal(SSL_shutdown(peer.ssl), 0);
		shutdown(peer.fd, SHUT_WR);
		RUN_UNTIL(f, seen.eofs == 1);
		ASSERT_ROW(seen.bytes == 3 && seen.errors == 0, ways[w].name);
		peer.got = 0;
		assert_int_equal(tcp_write(&stream->tcp, "still here", 10), 0);
		SPIN_UNTIL(f, (peer_go(&peer), peer.got == 10));
		io_run_for(f, 5 * NS_PER_MS);
		ASSERT_ROW(seen.eofs == 1 && seen.errors == 0, ways[w].name);
		stream_close_and_wait(f, stream);
		SPIN_UNTIL(f, (peer_go(&peer), peer.has_end || peer.has_cut));
		ASSERT_ROW(peer.has_end, ways[w].name);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
}

static void test_truncated(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct seen seen;
	struct peer peer;
	struct stream *stream = secured_pair(f, context, TLS1_3_VERSION, &seen, &peer);

	peer_say(&peer, "half a", 6);
	shutdown(peer.fd, SHUT_WR);
	RUN_UNTIL(f, seen.eofs == 1);
	assert_int_equal(seen.bytes, 6);
	assert_int_equal(stats_of(f)->truncated, 1);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* What is queued is dropped by a close, and that is no proper end. */
static void test_close_with_a_queue_says_no_goodbye(void **state)
{
	struct io_fixture *f = *state;
	static uint8_t much[8u << 20];
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct seen seen;
	struct peer peer;
	struct stream *stream = secured_pair(f, context, TLS1_3_VERSION, &seen, &peer);

	assert_int_equal(tcp_write(&stream->tcp, much, sizeof(much)), 0);
	io_run_for(f, 5 * NS_PER_MS);
	assert_true(tcp_queued(&stream->tcp) > 0);
	stream_close_and_wait(f, stream);
	peer.got = 0;
	SPIN_UNTIL(f, (peer.got = 0, peer_go(&peer), peer.has_end || peer.has_cut));
	assert_true(peer.has_cut && !peer.has_end);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* --- reading that was stopped --- */

static void test_read_stop(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	static uint8_t data[16384];
	struct seen seen;
	struct peer peer;
	struct stream *stream = secured_pair(f, context, TLS1_3_VERSION, &seen, &peer);
	size_t sent = 0;

	tcp_read_stop(&stream->tcp);
	/* More than the sockets hold: it is not read, or one socket buffer of it at most. */
	for (unsigned idle = 0; idle < 20;) {
		int n = SSL_write(peer.ssl, data, sizeof(data));

		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		io_run_for(f, NS_PER_MS / 4);
	}
	assert_true(sent > 100000);
	assert_true(seen.bytes < sent);
	if (f->engine == LOOP_ENGINE_EPOLL)
		assert_int_equal(seen.bytes, 0);
	size_t before = tcp_held(&stream->tcp);

	assert_true(before <= 32768); /* the start of a record */
	tcp_read_start(&stream->tcp);
	SPIN_UNTIL(f, ({
			   /* The write that did not fit is made again, as it was. */
			   int n = SSL_write(peer.ssl, data, sizeof(data));

			   sent += n > 0 ? (size_t)n : 0;
			   n > 0;
		   }));
	RUN_UNTIL(f, seen.bytes == sent);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* --- failures --- */

static void test_old_version(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct seen seen;
	struct peer peer;
	struct stream *stream = sealed_pair(f, context, TLS1_1_VERSION, &seen, &peer);

	SPIN_UNTIL(f, (peer_go(&peer), seen.errors == 1));
	assert_int_equal(seen.error, -EPROTO);
	assert_int_equal(tcp_tls_failure(&stream->tcp)->trouble, TLS_TROUBLE_VERSION);
	assert_int_equal(tcp_tls_failure(&stream->tcp)->alert, SSL_AD_PROTOCOL_VERSION);
	assert_string_equal(tcp_tls_failure(&stream->tcp)->version, "TLSv1.1");
	assert_false(tcp_tls_failure(&stream->tcp)->was_secured);
	assert_int_equal(stats_of(f)->failures[TLS_TROUBLE_VERSION], 1);
	assert_int_equal(stats_of(f)->alerts_sent, 1);
	assert_int_equal(stats_of(f)->shaking, 0);
	assert_int_equal(tcp_write(&stream->tcp, "secret", 6), 0); /* dropped */
	tcp_shutdown(&stream->tcp);
	SPIN_UNTIL(f, (peer_go(&peer), peer.alert == SSL_AD_PROTOCOL_VERSION));
	shutdown(peer.fd, SHUT_WR);
	RUN_UNTIL(f, seen.eofs == 1);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* The start of a request, and bytes that are neither. */
static void test_no_tls(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	static const struct {
		const char *text;
		enum tls_trouble trouble;
		bool is_answered;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", TLS_TROUBLE_PLAIN_HTTP, true},
		{"SSH-2.0-OpenSSH_9.2p1\r\n", TLS_TROUBLE_NOT_TLS, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen seen;
		struct peer peer;
		struct stream *stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);
		char answer[64] = "";

		peer_write(peer.fd, rows[i].text, strlen(rows[i].text));
		RUN_UNTIL(f, seen.errors == 1);
		ASSERT_ROW(seen.error == -EPROTO && seen.bytes == 0, rows[i].text);
		ASSERT_ROW(tcp_tls_failure(&stream->tcp)->version == NULL, rows[i].text);
		ASSERT_ROW(tcp_tls_failure(&stream->tcp)->trouble == rows[i].trouble, rows[i].text);
		assert_int_equal(tcp_write(&stream->tcp, "HTTP/1.1 400 \r\n", 15), 0);
		tcp_shutdown(&stream->tcp);
		SPIN_UNTIL(f, recv(peer.fd, answer, sizeof(answer) - 1, MSG_PEEK) >= 0);
		ASSERT_ROW((strncmp(answer, "HTTP/1.1 400 ", 13) == 0) == rows[i].is_answered,
			   rows[i].text);
		stream_close_and_wait(f, stream);
		peer_finish(&peer);
	}
	tls_context_unref(&context);
}

static void test_bad_record(void **state)
{
	struct io_fixture *f = *state;

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct tls_context *context = tls_files_server(
			&ec, (struct tls_server_options){.stays_attached = ways[w].stays_attached});
		uint8_t forged[64] = {23, 3, 3, 0, 59};
		struct seen seen;
		struct peer peer;
		struct stream *stream = secured_pair(f, context, ways[w].version, &seen, &peer);
		uint64_t before = stats_of(f)->failures[TLS_TROUBLE_RECORD];

		peer_say(&peer, "good", 4);
		peer_write(peer.fd, forged, sizeof(forged));
		RUN_UNTIL(f, seen.errors == 1);

		ASSERT_ROW(seen.bytes == 4, ways[w].name);
		ASSERT_ROW(tcp_tls_failure(&stream->tcp)->trouble == TLS_TROUBLE_RECORD,
			   ways[w].name);
		ASSERT_ROW(tcp_tls_failure(&stream->tcp)->was_secured, ways[w].name);
		ASSERT_ROW(stats_of(f)->failures[TLS_TROUBLE_RECORD] == before + 1, ways[w].name);
		tcp_shutdown(&stream->tcp);
		SPIN_UNTIL(f, (peer_go(&peer), peer.alert == SSL_AD_BAD_RECORD_MAC));
		stream_close_and_wait(f, stream);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
}

/* We have said the last word, and read on: it is no more than the peer's mistake. */
static void test_bad_record_after_our_end(void **state)
{
	struct io_fixture *f = *state;

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct tls_context *context = tls_files_server(
			&ec, (struct tls_server_options){.stays_attached = ways[w].stays_attached});
		uint8_t forged[64] = {23, 3, 3, 0, 59};
		struct seen seen;
		struct peer peer;
		struct stream *stream = secured_pair(f, context, ways[w].version, &seen, &peer);

		tcp_shutdown(&stream->tcp);
		SPIN_UNTIL(f, (peer_go(&peer), peer.has_end));
		peer_write(peer.fd, forged, sizeof(forged));
		RUN_UNTIL(f, seen.errors == 1);

		ASSERT_ROW(tcp_tls_failure(&stream->tcp)->trouble == TLS_TROUBLE_RECORD,
			   ways[w].name);
		SPIN_UNTIL(f, peer_at_eof(peer.fd));
		ASSERT_ROW(seen.errors == 1, ways[w].name);
		stream_close_and_wait(f, stream);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
}

/* New keys again and again, which cost us and bring nothing; a few of them are fine. */
static void test_key_update_flood(void **state)
{
	struct io_fixture *f = *state;

	for (size_t w = 0; w < 2; w++) { /* TLS 1.2 has none */
		struct tls_context *context = tls_files_server(
			&ec, (struct tls_server_options){.stays_attached = ways[w].stays_attached});
		struct seen seen;
		struct peer peer;
		struct stream *stream = secured_pair(f, context, ways[w].version, &seen, &peer);

		stream->on_recv = echo;
		peer.got = 0;
		for (unsigned i = 0; i < 8; i++) {
			assert_int_equal(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
			assert_int_equal(SSL_do_handshake(peer.ssl), 1);
		}
		peer_say(&peer, "still", 5);
		SPIN_UNTIL(f, (peer_go(&peer), peer.got == 5));
		ASSERT_ROW(seen.errors == 0, ways[w].name);
		for (unsigned i = 0; i < 40; i++) {
			SSL_key_update(peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
			SSL_do_handshake(peer.ssl);
		}
		RUN_UNTIL(f, seen.errors == 1);
		ASSERT_ROW(tcp_tls_failure(&stream->tcp)->trouble == TLS_TROUBLE_RECORD,
			   ways[w].name);
		stream_close_and_wait(f, stream);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
}

/* A flight that cannot be sent: the peer is not left to wait for it. */
static void test_no_memory_for_a_flight(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct seen seen;
	struct peer peer;
	struct stream *stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);

	is_out_of_memory = true;
	peer_go(&peer);
	RUN_UNTIL(f, seen.errors == 1);
	is_out_of_memory = false;
	assert_int_equal(tcp_tls_failure(&stream->tcp)->trouble, TLS_TROUBLE_MEMORY);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* Who goes in the middle of a handshake, and who says nothing at all. */
static void test_gone_before(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct seen seen;
	struct peer peer;
	struct stream *stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);

	SSL_do_handshake(peer.ssl);
	SPIN_UNTIL(f, peer_readable(peer.fd, 1) > 0); /* our flight */
	assert_int_equal(stats_of(f)->shaking, 1);
	shutdown(peer.fd, SHUT_WR);
	RUN_UNTIL(f, seen.errors == 1);
	assert_int_equal(tcp_tls_failure(&stream->tcp)->trouble, TLS_TROUBLE_CLOSED);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);

	stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);
	shutdown(peer.fd, SHUT_WR);
	RUN_UNTIL(f, seen.eofs == 1);
	assert_int_equal(seen.errors, 0);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);

	/* The owner gives up: counted, if anything came. */
	stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);
	assert_false(tcp_tls_timed_out(&stream->tcp));
	assert_int_equal(stats_of(f)->failures[TLS_TROUBLE_TIMEOUT], 0);
	SSL_do_handshake(peer.ssl);
	SPIN_UNTIL(f, stats_of(f)->shaking == 1);
	assert_true(tcp_tls_timed_out(&stream->tcp));
	assert_int_equal(stats_of(f)->failures[TLS_TROUBLE_TIMEOUT], 1);
	stream_close_and_wait(f, stream);
	assert_int_equal(stats_of(f)->shaking, 0);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* --- a hello in pieces --- */

/* Takes what the peer has to say, out of the reach of its socket. */
static size_t hello_of(struct peer *peer, uint8_t *out, size_t size)
{
	BIO *in = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());

	SSL_set_bio(peer->ssl, in, to);
	SSL_do_handshake(peer->ssl);
	int len = BIO_read(to, out, (int)size);

	assert_true(len > 0);
	SSL_set_fd(peer->ssl, peer->fd);
	return (size_t)len;
}

static void test_hello_byte_by_byte(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	uint8_t hello[2048];
	struct seen seen;
	struct peer peer;
	struct stream *stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);
	size_t len = hello_of(&peer, hello, sizeof(hello));

	for (size_t i = 0; i < len; i++) {
		peer_write(peer.fd, hello + i, 1);
		io_run_for(f, NS_PER_MS / 20);
	}
	SPIN_UNTIL(f, peer_go(&peer) && seen.connects == 1);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* --- what is known --- */

static void test_facts(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct seen seen;
	struct peer peer;
	struct stream *stream = sealed_pair(f, context, TLS1_2_VERSION, &seen, &peer);

	assert_true(tcp_is_sealed(&stream->tcp) && !tcp_is_secured(&stream->tcp));
	assert_null(tcp_tls_facts(&stream->tcp));
	assert_null(tcp_tls_terms(&stream->tcp).version);
	SPIN_UNTIL(f, peer_go(&peer) && seen.connects == 1);
	const struct tcp_tls_facts *facts = tcp_tls_facts(&stream->tcp);

	assert_string_equal(facts->version, "TLSv1.2");
	assert_string_equal(facts->suite, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
	for (size_t i = 0; i < TLS_SUITE_PLACES; i++)
		assert_int_equal(stats_of(f)->suites[i], i == tls_suite_place(0xc02b));
	assert_string_equal(facts->server_name, "one.example");
	assert_false(facts->is_resumed);
	assert_null(facts->peer);
	tcp_tls_facts_release(&stream->tcp);
	tcp_tls_facts_release(&stream->tcp);
	assert_null(tcp_tls_facts(&stream->tcp));
	assert_string_equal(tcp_tls_terms(&stream->tcp).version, "TLSv1.2");
	assert_string_equal(tcp_tls_terms(&stream->tcp).suite,
			    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
	assert_null(tcp_tls_failure(&stream->tcp));
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	tls_context_unref(&context);
}

/* A client that is asked for its certificate, and has one or not. */
static void test_client_certificate(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(
		&ec, (struct tls_server_options){.client_certificate = TLS_CLIENT_REQUIRED,
						 .client_ca_file = ec.cert});

	for (unsigned has_one = 0; has_one < 2; has_one++) {
		struct seen seen;
		struct peer peer;
		struct stream *stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);

		if (has_one) {
			assert_int_equal(
				SSL_use_certificate_file(peer.ssl, ec.cert, SSL_FILETYPE_PEM), 1);
			assert_int_equal(
				SSL_use_PrivateKey_file(peer.ssl, ec.key, SSL_FILETYPE_PEM), 1);
			SPIN_UNTIL(f, peer_go(&peer) && seen.connects == 1);
			assert_string_equal(tcp_tls_facts(&stream->tcp)->peer->common_name,
					    "one.example");
			tcp_tls_facts_release(&stream->tcp);
		} else {
			SPIN_UNTIL(f, (peer_go(&peer), seen.errors == 1));
			assert_int_equal(tcp_tls_failure(&stream->tcp)->trouble,
					 TLS_TROUBLE_NO_CERTIFICATE);
			tcp_shutdown(&stream->tcp);
			SPIN_UNTIL(f, (peer_go(&peer), peer.alert == SSL_AD_CERTIFICATE_REQUIRED));
		}
		stream_close_and_wait(f, stream);
		peer_finish(&peer);
	}
	tls_context_unref(&context);
}

/* --- both ends ours --- */

struct both {
	struct stream *server, *client;
	struct seen server_seen, client_seen;
	struct acceptor acceptor;
};

static void both_open(struct io_fixture *f, struct both *both, struct tls_context *server,
		      const struct tcp_seal_options *options)
{
	both->server = stream_new(&both->server_seen);
	both->client = stream_new(&both->client_seen);
	acceptor_open(f, &both->acceptor, LOOPBACK);
	assert_int_equal(tcp_connect(&both->client->tcp, f->loop, NULL, &both->acceptor.addr,
				     &sealed_handler),
			 0);
	RUN_UNTIL(f, both->client_seen.connects == 1 && both->acceptor.count == 1);
	assert_int_equal(tcp_adopt_sealed(&both->server->tcp, f->loop, &both->acceptor.accepted[0],
					  &sealed_handler, server),
			 0);
	assert_int_equal(tcp_seal_connect(&both->client->tcp, options), 0);
	RUN_UNTIL(f, both->client_seen.connects == 2 && both->server_seen.connects == 1);
	both->server->on_recv = echo;
}

static void both_close(struct io_fixture *f, struct both *both)
{
	stream_close_and_wait(f, both->client);
	RUN_UNTIL(f, both->server_seen.eofs == 1);
	stream_close_and_wait(f, both->server);
	acceptor_close(f, &both->acceptor);
}

static void test_client_comes_back(void **state)
{
	struct io_fixture *f = *state;
	static const uint16_t versions[] = {0x0303, 0x0304};
	struct tls_ticket_keys *tickets = tls_ticket_keys_create();
	struct tls_context *server = tls_files_server(
		&ec, (struct tls_server_options){.tickets = tickets});

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_error error;
		struct tls_context *client = tls_client_context_create(
			&(struct tls_client_options){.ca_file = ec.cert, .version = versions[i]},
			&error);
		struct tcp_seal_options options = {
			.context = client, .server_name = "one.example", .wants_session = true};
		struct both both;

		both_open(f, &both, server, &options);
		tcp_write(&both.client->tcp, "ping", 4);
		RUN_UNTIL(f, both.client_seen.bytes == 4);
		struct ssl_session_st *session = tcp_tls_session(&both.client->tcp);

		assert_non_null(session);
		assert_null(tcp_tls_session(&both.client->tcp));
		assert_int_equal(stats_of(f)->attached, 0);
		/* Its keys are ours by now, and still fit. */
		tcp_write(&both.client->tcp, "pong", 4);
		RUN_UNTIL(f, both.client_seen.bytes == 8);
		both_close(f, &both);

		options.session = session;
		both_open(f, &both, server, &options);
		assert_true(tcp_tls_facts(&both.client->tcp)->is_resumed);
		assert_true(tcp_tls_facts(&both.server->tcp)->is_resumed);
		tcp_write(&both.client->tcp, "ping", 4);
		RUN_UNTIL(f, both.client_seen.bytes == 4);
		both_close(f, &both);
		tls_session_free(&session);
		tls_context_unref(&client);
	}
	assert_int_equal(stats_of(f)->truncated, 0);
	tls_context_unref(&server);
	tls_ticket_keys_unref(&tickets);
}

/* The client believes nobody: both sides learn why. */
static void test_client_refuses(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *server = tls_files_server(&ec, (struct tls_server_options){0});
	struct tls_error error;
	struct tls_context *client = tls_client_context_create(
		&(struct tls_client_options){.ca_file = ec.cert}, &error);
	struct acceptor acceptor;
	struct seen server_seen, client_seen;
	struct stream *stream = stream_new(&server_seen), *us = stream_new(&client_seen);

	acceptor_open(f, &acceptor, LOOPBACK);
	assert_int_equal(tcp_connect(&us->tcp, f->loop, NULL, &acceptor.addr, &sealed_handler), 0);
	RUN_UNTIL(f, client_seen.connects == 1 && acceptor.count == 1);
	assert_int_equal(tcp_adopt_sealed(&stream->tcp, f->loop, &acceptor.accepted[0],
					  &sealed_handler, server),
			 0);
	assert_int_equal(tcp_seal_connect(&us->tcp,
					  &(struct tcp_seal_options){.context = client,
								     .server_name = "two.example"}),
			 0);
	RUN_UNTIL(f, client_seen.errors == 1);
	assert_int_equal(tcp_tls_failure(&us->tcp)->trouble, TLS_TROUBLE_WRONG_NAME);
	tcp_shutdown(&us->tcp);
	RUN_UNTIL(f, server_seen.errors == 1);
	assert_int_equal(tcp_tls_failure(&stream->tcp)->trouble, TLS_TROUBLE_CERTIFICATE);
	assert_true(tcp_tls_failure(&stream->tcp)->is_from_peer);
	stream_close_and_wait(f, us);
	stream_close_and_wait(f, stream);
	acceptor_close(f, &acceptor);
	tls_context_unref(&server);
	tls_context_unref(&client);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH(test_echo),
		ON_BOTH(test_a_turn_is_one_record),
		ON_BOTH(test_slow_reader),
		ON_BOTH(test_early_output_waits),
		ON_BOTH(test_shutdown),
		ON_BOTH(test_close_notify_comes),
		ON_BOTH(test_truncated),
		ON_BOTH(test_close_with_a_queue_says_no_goodbye),
		ON_BOTH(test_read_stop),
		ON_BOTH(test_old_version),
		ON_BOTH(test_no_tls),
		ON_BOTH(test_bad_record),
		ON_BOTH(test_bad_record_after_our_end),
		ON_BOTH(test_no_memory_for_a_flight),
		ON_BOTH(test_gone_before),
		ON_BOTH(test_hello_byte_by_byte),
		ON_BOTH(test_key_update_flood),
		ON_BOTH(test_facts),
		ON_BOTH(test_client_certificate),
		ON_BOTH(test_client_comes_back),
		ON_BOTH(test_client_refuses),
	};
	size_t count = io_keep_possible(tests, ARRAY_LEN(tests));

	return _cmocka_run_group_tests("tests", tests, count, setup, teardown);
}
