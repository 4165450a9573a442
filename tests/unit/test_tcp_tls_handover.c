/* SPDX-License-Identifier: Apache-2.0
 * test_tcp_tls_handover.c - sealed streams go from one loop to another, with OpenSSL at the other
 * end of the socket: it would not forgive a record that is missing, doubled or under another
 * number. */
#include "base/shared_bytes.h"
#include "handover_unit.h"
#include "tcp_tls_unit.h"

static const struct {
	const char *name;
	int version;
} versions[] = {{"1.3", TLS1_3_VERSION}, {"1.2", TLS1_2_VERSION}};

static struct tls_context *context_of(bool stays_attached)
{
	return tls_files_server(&ec, (struct tls_server_options){.stays_attached = stays_attached});
}

static struct stream *quiet_pair(struct two *two, struct tls_context *context, int version,
				 struct seen *seen, struct peer *peer)
{
	struct stream *stream = secured_pair(&two->from, context, version, seen, peer);

	tcp_tls_facts_release(&stream->tcp);
	return stream;
}

static struct stream *move(struct two *two, struct stream *stream, struct seen *seen)
{
	struct tls_stats *from = stats_of(&two->from), *to = stats_of(&two->to);

	assert_int_equal(from->secured, 1);
	stream = stream_move(two, stream, seen, &sealed_handler);
	assert_true(tcp_is_secured(&stream->tcp));
	assert_int_equal(from->secured, 0);
	assert_int_equal(to->secured, 1);
	assert_int_equal(to->shaking, 0);
	return stream;
}

static void end(struct two *two, struct stream *stream, struct peer *peer)
{
	stream_close_and_wait(&two->to, stream);
	SPIN_TWO(two, (peer_go(peer), peer->has_end || peer->has_cut));
	assert_true(peer->has_end && !peer->has_cut && peer->alert == SSL_AD_CLOSE_NOTIFY);
	peer_finish(peer);
	assert_int_equal(stats_of(&two->to)->secured, 0);
	assert_int_equal(descriptors_count(), two->descriptors);
}

/* --- text in both directions --- */

static void test_conversation(void **state)
{
	struct two *two = *state;

	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct tls_context *context = context_of(false);
		struct seen first, second;
		struct peer peer;
		struct stream *stream = quiet_pair(two, context, versions[v].version, &first,
						   &peer);

		tls_context_unref(&context); /* nothing of it is needed any more */
		peer.got = 0;
		peer_say(&peer, "before", 6);
		RUN_UNTIL(&two->from, first.bytes == 6);
		assert_int_equal(tcp_write(&stream->tcp, "one", 3), 0);
		SPIN_TWO(two, (peer_go(&peer), peer.got == 3));
		stream = move(two, stream, &second);
		assert_int_equal(second.connects, 0); /* it was told long ago */
		for (unsigned i = 0; i < 3; i++) {
			peer_say(&peer, "after", 5);
			RUN_UNTIL(&two->to, second.bytes == 5 * (i + 1));
			assert_int_equal(tcp_write(&stream->tcp, "two", 3), 0);
			SPIN_TWO(two, (peer_go(&peer), peer.got == 3 * (i + 2)));
		}
		assert_memory_equal(peer.text, "onetwotwotwo", 12);
		end(two, stream, &peer);
	}
}

/* A record that came in part is held, and goes along. */
static void test_half_a_record(void **state)
{
	struct two *two = *state;

	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct tls_context *context = context_of(false);
		struct seen first, second;
		struct peer peer;
		struct stream *stream = quiet_pair(two, context, versions[v].version, &first,
						   &peer);
		BIO *wire = BIO_new(BIO_s_mem());
		uint8_t *data;

		/* What it writes is caught, and sent in two parts. */
		BIO_up_ref(SSL_get_wbio(peer.ssl));
		BIO *socket = SSL_get_wbio(peer.ssl);

		SSL_set0_wbio(peer.ssl, wire);
		peer_say(&peer, "in two parts", 12);
		long len = BIO_get_mem_data(wire, &data);

		peer_write(peer.fd, data, 20);
		SPIN_TWO(two, tcp_held(&stream->tcp) > 0);
		assert_int_equal(first.bytes, 0);
		stream = move(two, stream, &second);
		assert_true(tcp_held(&stream->tcp) > 0);
		peer_write(peer.fd, data + 20, (size_t)len - 20);
		RUN_UNTIL(&two->to, second.bytes == 12);
		assert_int_equal(tcp_held(&stream->tcp), 0);
		SSL_set0_wbio(peer.ssl, socket);
		end(two, stream, &peer);
		tls_context_unref(&context);
	}
}

/* Records that are sealed and partly sent, and behind them text that is not sealed yet. */
static void test_output_half_sent(void **state)
{
	struct two *two = *state;

	enum { CHUNK = 60000, COUNT = 50 };

	static uint8_t chunk[CHUNK];

	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct tls_context *context = context_of(false);
		struct seen first, second;
		struct peer peer;
		struct stream *stream = quiet_pair(two, context, versions[v].version, &first,
						   &peer);
		struct shared_bytes *shared = shared_bytes_create(CHUNK);

		peer.got = 0;
		for (size_t i = 0; i < COUNT; i++) {
			memset(i % 3 == 2 ? shared->data : chunk, (int)('a' + i % 26), CHUNK);
			if (i % 3 != 2) {
				assert_int_equal(tcp_write(&stream->tcp, chunk, CHUNK), 0);
				continue;
			}
			assert_int_equal(tcp_write_shared(&stream->tcp, shared), 0);
			shared_bytes_unref(&shared);
			shared = shared_bytes_create(CHUNK);
		}
		SPIN_UNTIL(&two->from, tcp_queued(&stream->tcp) < (size_t)CHUNK * COUNT);
		io_run_for(&two->from, 10 * NS_PER_MS); /* until the kernel takes no more */
		size_t queued = tcp_queued(&stream->tcp);

		assert_true(queued > CHUNK && queued < (size_t)CHUNK * COUNT);
		stream = move(two, stream, &second);
		assert_int_equal(tcp_queued(&stream->tcp), queued);
		assert_int_equal(tcp_write(&stream->tcp, "the end", 7), 0);
		SPIN_TWO(two, (peer_go(&peer), peer.got == (size_t)CHUNK * COUNT + 7));
		for (size_t i = 0; i < COUNT; i++) {
			assert_int_equal(peer.text[i * CHUNK], 'a' + i % 26);
			assert_int_equal(peer.text[(i + 1) * CHUNK - 1], 'a' + i % 26);
		}
		assert_memory_equal(peer.text + (size_t)CHUNK * COUNT, "the end", 7);
		SPIN_TWO(two, tcp_queued(&stream->tcp) == 0);
		end(two, stream, &peer);
		shared_bytes_unref(&shared);
		tls_context_unref(&context);
	}
}

/* --- ends --- */

/* close_notify and FIN behind what waits, by whoever has it then. */
static void test_shutdown(void **state)
{
	struct two *two = *state;
	static uint8_t much[4u << 20];

	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		for (int is_sent = 0; is_sent < 2; is_sent++) {
			struct tls_context *context = context_of(false);
			struct seen first, second;
			struct peer peer;
			struct stream *stream = quiet_pair(two, context, versions[v].version,
							   &first, &peer);
			size_t len = is_sent ? 10 : sizeof(much) - 4096;

			peer.got = 0;
			assert_int_equal(tcp_write(&stream->tcp, much, len), 0);
			tcp_shutdown(&stream->tcp);
			if (is_sent)
				SPIN_TWO(two, (peer_go(&peer), peer.has_end));
			else
				io_run_for(&two->from, 2 * NS_PER_MS);
			stream = move(two, stream, &second);
			SPIN_TWO(two, (peer_go(&peer), peer.has_end && peer_at_eof(peer.fd)));
			assert_int_equal(peer.got, len);
			peer_say(&peer, "answer", 6);
			RUN_UNTIL(&two->to, second.bytes == 6);
			assert_int_equal(SSL_shutdown(peer.ssl), 1);
			RUN_UNTIL(&two->to, second.eofs == 1);
			stream_close_and_wait(&two->to, stream);
			peer_finish(&peer);
			tls_context_unref(&context);
		}
	}
}

static void test_close_notify_came(void **state)
{
	struct two *two = *state;

	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct tls_context *context = context_of(false);
		struct seen first, second;
		struct peer peer;
		struct stream *stream = quiet_pair(two, context, versions[v].version, &first,
						   &peer);

		assert_int_equal(SSL_shutdown(peer.ssl), 0);
		RUN_UNTIL(&two->from, first.eofs == 1);
		stream = move(two, stream, &second);
		peer.got = 0;
		assert_int_equal(tcp_write(&stream->tcp, "still here", 10), 0);
		SPIN_TWO(two, (peer_go(&peer), peer.got == 10));
		shutdown(peer.fd, SHUT_WR);
		for (unsigned i = 0; i < 5; i++)
			turns_of(&two->to);
		assert_int_equal(second.eofs + second.errors, 0);
		assert_int_equal(stats_of(&two->to)->truncated, 0);
		end(two, stream, &peer);
		tls_context_unref(&context);
	}
}

/* --- it comes to nothing, or stays --- */

static void test_comes_to_nothing(void **state)
{
	struct two *two = *state;

	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct tls_context *context = context_of(false);
		struct seen first, second;
		struct peer peer;
		struct stream *stream = quiet_pair(two, context, versions[v].version, &first,
						   &peer);

		peer.got = 0;
		stream_freeze(&two->from, stream);
		assert_int_equal(tcp_write(&stream->tcp, "waits", 5), 0);
		struct stream *copy = stream_copy(two, stream, &second, &sealed_handler);

		peer_say(&peer, "meanwhile", 9);
		stream_forget(&two->to, copy); /* says nothing */
		tcp_thaw(&stream->tcp);
		RUN_UNTIL(&two->from, first.bytes == 9);
		assert_int_equal(tcp_write(&stream->tcp, "and on", 6), 0);
		SPIN_TWO(two, (peer_go(&peer), peer.got == 11));
		assert_memory_equal(peer.text, "waitsand on", 11);
		stream_close_and_wait(&two->from, stream);
		SPIN_TWO(two, (peer_go(&peer), peer.has_end));
		peer_finish(&peer);
		tls_context_unref(&context);
		assert_int_equal(descriptors_count(), two->descriptors);
	}
}

/* Also one for whose state there was no room. */
static void test_closed_while_frozen_says_goodbye(void **state)
{
	struct two *two = *state;
	struct tls_context *context = context_of(false);
	struct seen seen;
	struct peer peer;
	struct buf buf = {0};
	struct state_writer writer;
	struct stream *stream = quiet_pair(two, context, TLS1_3_VERSION, &seen, &peer);

	stream_freeze(&two->from, stream);
	assert_int_equal(tcp_write(&stream->tcp, (uint8_t[1000]){0}, 1000), 0);
	state_writer_init(&writer, &buf, 600);
	assert_int_equal(tcp_export(&stream->tcp, &writer), -EMSGSIZE);
	assert_true(buf.len > 200); /* its keys went in */
	state_wipe(&buf);
	tcp_thaw(&stream->tcp);
	SPIN_UNTIL(&two->from, tcp_queued(&stream->tcp) == 0);
	stream_freeze(&two->from, stream);
	state_writer_init(&writer, &buf, 100);
	assert_int_equal(tcp_export(&stream->tcp, &writer), -EMSGSIZE);
	state_wipe(&buf);
	stream_close_and_wait(&two->from, stream);
	SPIN_TWO(two, (peer_go(&peer), peer.has_end));
	peer_finish(&peer);
	tls_context_unref(&context);
}

static int export_try(struct stream *stream)
{
	struct buf buf = {0};
	struct state_writer writer;

	state_writer_init(&writer, &buf, ROOMY);
	int r = tcp_export(&stream->tcp, &writer);

	if (r == -EBUSY)
		assert_int_equal(buf.len, 0);
	state_wipe(&buf);
	return r;
}

/* A handshake, one whose facts are asked for still, one that keeps its SSL object, one that has
 * failed. All of them go on where they are. */
static void test_what_stays(void **state)
{
	struct two *two = *state;
	struct io_fixture *f = &two->from;
	static const uint8_t forged[64] = {23, 3, 3, 0, 59};

	enum { SHAKES, HAS_FACTS, ATTACHED, FAILED, KINDS };

	for (int kind = SHAKES; kind < KINDS; kind++) {
		struct tls_context *context = context_of(kind == ATTACHED);
		struct seen seen;
		struct peer peer;
		struct stream *stream = sealed_pair(f, context, TLS1_3_VERSION, &seen, &peer);

		if (kind != SHAKES)
			SPIN_UNTIL(f, peer_go(&peer) && seen.connects == 1);
		else
			peer_go(&peer);
		if (kind == ATTACHED)
			tcp_tls_facts_release(&stream->tcp);
		if (kind == FAILED) {
			peer_write(peer.fd, forged, sizeof(forged));
			RUN_UNTIL(f, seen.errors == 1);
		}
		stream_freeze(f, stream);
		assert_int_equal(export_try(stream), -EBUSY);
		tcp_thaw(&stream->tcp);
		if (kind == FAILED) {
			tcp_shutdown(&stream->tcp);
			SPIN_UNTIL(f, (peer_go(&peer), peer.alert == SSL_AD_BAD_RECORD_MAC));
		} else {
			SPIN_UNTIL(f, peer_go(&peer) && seen.connects == 1);
			peer_say(&peer, "on", 2);
			RUN_UNTIL(f, seen.bytes == 2);
		}
		stream_close_and_wait(f, stream);
		peer_finish(&peer);
		tls_context_unref(&context);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		BETWEEN_ALL(test_conversation),
		BETWEEN_ALL(test_half_a_record),
		BETWEEN_ALL(test_output_half_sent),
		BETWEEN_ALL(test_shutdown),
		BETWEEN_ALL(test_close_notify_came),
		BETWEEN_ALL(test_comes_to_nothing),
		BETWEEN_ALL(test_closed_while_frozen_says_goodbye),
		BETWEEN_ALL(test_what_stays),
	};

	return RUN_TWO_TESTS(tests, setup, teardown);
}
