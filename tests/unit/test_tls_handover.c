/* SPDX-License-Identifier: Apache-2.0
 * test_tls_handover.c - a stream of ours that goes on elsewhere, in the middle of a conversation
 * with OpenSSL; and fields that are none of a stream's. */
#include <errno.h>

#include "tls/tls_handover.h"
#include "tls/tls_memory.h"
#include "tls/tls_records_private.h"
#include "tls/tls_stream_private.h"
#include "tls_openssl_unit.h"

#define ROOMY 100000

/* A stream as if it had just been detached. Owns the records. */
static struct tls_stream *stream_of(struct tls_records *records)
{
	struct tls_stream *stream = tls_memory_get(sizeof(*stream));

	assert_non_null(stream);
	*stream = (struct tls_stream){
		.records = records, .is_server = records->is_server, .is_ready = true};
	return stream;
}

static struct buf exported(struct tls_stream *stream)
{
	struct buf buf = {0};
	struct state_writer writer;

	state_writer_init(&writer, &buf, ROOMY);
	assert_int_equal(tls_stream_export(stream, &writer), 0);
	return buf;
}

/* From an exact copy, so that the sanitizer sees a read past the end. */
static int import(struct slice bytes, struct tls_stream **out)
{
	uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
	struct state_reader reader;

	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	state_reader_init(&reader, slice_of(copy, bytes.len));
	int r = tls_stream_import(&reader, out);

	free(copy);
	return r;
}

/* Another one in its place; the old one's keys are overwritten before the new one is used. */
static void move(struct tls_stream **stream, const char *name)
{
	struct buf buf = exported(*stream);
	struct tls_stream *moved = NULL;

	ASSERT_ROW(import(buf_slice(&buf), &moved) == 0, name);
	ASSERT_ROW((*stream)->is_at_rest && moved->is_at_rest, name);
	struct buf again = exported(moved);

	ASSERT_ROW(slice_equals(buf_slice(&buf), buf_slice(&again)), name);
	state_wipe(&buf);
	state_wipe(&again);
	tls_stream_destroy(stream);
	tls_stream_rouse(moved);
	*stream = moved;
}

/* --- with OpenSSL at the other end --- */

struct scene {
	const char *name;
	struct tls_crypt *crypt;
	struct tls_stream *ours;
	SSL *theirs;
	struct end client, server;
	SSL_CTX *client_ctx, *server_ctx;
};

static void scene_open(struct scene *scene, size_t row, bool is_server_ours)
{
	*scene = (struct scene){.name = suites[row].name,
				.crypt = tls_crypt_create(),
				.client_ctx = context_make(row, false),
				.server_ctx = context_make(row, true)};
	end_init(&scene->client, scene->client_ctx, false);
	end_init(&scene->server, scene->server_ctx, true);
	shake_hands(&scene->client, &scene->server, scene->name);
	const struct end *ours = is_server_ours ? &scene->server : &scene->client,
			 *theirs = is_server_ours ? &scene->client : &scene->server;

	scene->ours = stream_of(take_over(scene->crypt, ours, theirs));
	scene->theirs = theirs->ssl;
}

static void scene_close(struct scene *scene)
{
	tls_stream_destroy(&scene->ours);
	tls_crypt_destroy(&scene->crypt);
	SSL_free(scene->client.ssl);
	SSL_free(scene->server.ssl);
	SSL_CTX_free(scene->client_ctx);
	SSL_CTX_free(scene->server_ctx);
}

static void we_say(struct scene *scene, const char *words)
{
	struct buf out = {0};
	char got[64];

	ASSERT_ROW(tls_stream_send(scene->ours, scene->crypt, slice_from_text(words), &out) == 0,
		   scene->name);
	BIO_write(SSL_get_rbio(scene->theirs), out.data, (int)out.len);
	int n = SSL_read(scene->theirs, got, sizeof(got));

	ASSERT_ROW(n == (int)strlen(words) && memcmp(got, words, strlen(words)) == 0, scene->name);
	buf_finish(&out);
}

/* All that they have put on the wire. */
static struct buf wire_take(struct scene *scene)
{
	struct buf taken = {0};
	uint8_t *data;
	long len = BIO_get_mem_data(SSL_get_wbio(scene->theirs), &data);

	ASSERT_ROW(len > 0, scene->name);
	assert_int_equal(buf_append(&taken, data, (size_t)len, ROOMY), 0);
	(void)BIO_reset(SSL_get_wbio(scene->theirs));
	return taken;
}

/* What comes of it is appended to *text. */
static enum tls_stream_result hear(struct scene *scene, struct slice in, struct buf *got)
{
	static uint8_t out[2 * TLS_OPEN_ROOM];
	struct buf reply = {0};
	enum tls_stream_result r = TLS_STREAM_OK;

	while (r == TLS_STREAM_OK && in.len > 0) {
		size_t used, len;

		r = tls_stream_recv(scene->ours, scene->crypt, in, &used, out, sizeof(out), &len,
				    &reply);
		assert_int_equal(buf_append(got, out, len, ROOMY), 0);
		in = slice_of(in.data + used, in.len - used);
	}
	ASSERT_ROW(reply.len == 0, scene->name);
	return r;
}

static void they_say(struct scene *scene, const char *words)
{
	struct buf got = {0};

	ASSERT_ROW(SSL_write(scene->theirs, words, (int)strlen(words)) > 0, scene->name);
	struct buf wire_bytes = wire_take(scene);

	ASSERT_ROW(hear(scene, buf_slice(&wire_bytes), &got) == TLS_STREAM_OK, scene->name);
	ASSERT_ROW(slice_equals(buf_slice(&got), slice_from_text(words)), scene->name);
	buf_finish(&wire_bytes);
	buf_finish(&got);
}

static void they_renew(struct scene *scene)
{
	struct buf got = {0};

	ASSERT_ROW(SSL_key_update(scene->theirs, SSL_KEY_UPDATE_REQUESTED) == 1, scene->name);
	ASSERT_ROW(SSL_do_handshake(scene->theirs) == 1, scene->name);
	struct buf update = wire_take(scene);

	ASSERT_ROW(hear(scene, buf_slice(&update), &got) == TLS_STREAM_OK && got.len == 0,
		   scene->name);
	buf_finish(&update);
}

static void they_end(struct scene *scene)
{
	struct buf got = {0};

	SSL_shutdown(scene->theirs);
	struct buf end = wire_take(scene);

	ASSERT_ROW(hear(scene, buf_slice(&end), &got) == TLS_STREAM_CLOSED && got.len == 0,
		   scene->name);
	buf_finish(&end);
}

/* Everything that OpenSSL does not accept is noticed here: a number twice or left out, a wrong
 * key. */
static void conversation(struct scene *scene, bool is_tls13)
{
	for (int i = 0; i < 3; i++) {
		we_say(scene, "before");
		they_say(scene, "question");
		move(&scene->ours, scene->name);
		we_say(scene, "after");
		they_say(scene, "another one");
		move(&scene->ours, scene->name);
		if (!is_tls13)
			continue;
		they_renew(scene);
		move(&scene->ours, scene->name); /* it owes an answer */
		they_say(scene, "under the new key");
		we_say(scene, "so do we");
		move(&scene->ours, scene->name);
	}
	they_end(scene);
	move(&scene->ours, scene->name);
	we_say(scene, "they have ended, and we go on");
	struct buf out = {0};

	ASSERT_ROW(tls_stream_end(scene->ours, scene->crypt, &out) == 0, scene->name);
	BIO_write(SSL_get_rbio(scene->theirs), out.data, (int)out.len);
	ASSERT_ROW(SSL_read(scene->theirs, text, sizeof(text)) == 0, scene->name);
	ASSERT_ROW(SSL_get_error(scene->theirs, 0) == SSL_ERROR_ZERO_RETURN, scene->name);
	buf_finish(&out);
	move(&scene->ours, scene->name);
	ASSERT_ROW(tls_stream_has_ended(scene->ours), scene->name);
	ASSERT_ROW(tls_stream_end(scene->ours, scene->crypt, &out) == -EPIPE, scene->name);
}

static void test_conversations(void **state)
{
	(void)state;
	for (size_t row = 0; row < ARRAY_LEN(suites); row++) {
		for (int is_server = 0; is_server < 2; is_server++) {
			struct scene scene;

			scene_open(&scene, row, is_server == 1);
			conversation(&scene, suites[row].is_tls13);
			scene_close(&scene);
		}
	}
}

/* The wire may have carried any part of a record, or of a KeyUpdate and what follows it. */
static void test_every_cut(void **state)
{
	(void)state;
	static const size_t rows[] = {0, 2, 7, 12};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene scene;

		scene_open(&scene, rows[i], true);
		for (size_t cut = 0;; cut++) {
			struct buf got = {0};

			if (suites[rows[i]].is_tls13)
				SSL_key_update(scene.theirs, SSL_KEY_UPDATE_NOT_REQUESTED);
			ASSERT_ROW(SSL_write(scene.theirs, "cut me", 6) == 6, scene.name);
			struct buf bytes = wire_take(&scene);

			if (cut > bytes.len) {
				buf_finish(&bytes);
				break;
			}
			hear(&scene, slice_of(bytes.data, cut), &got);
			move(&scene.ours, scene.name);
			hear(&scene, slice_of(bytes.data + cut, bytes.len - cut), &got);
			ASSERT_ROW(slice_equals(buf_slice(&got), SLICE_LITERAL("cut me")),
				   scene.name);
			buf_finish(&bytes);
			buf_finish(&got);
		}
		scene_close(&scene);
	}
}

/* --- a message that is cut, which OpenSSL does not make --- */

/* A record of TLS 1.3 with content of its own, by the client of a pair. */
static size_t record_forge(struct pair *pair, uint8_t content, const uint8_t *body, size_t len,
			   uint8_t *out)
{
	struct tls_records *client = pair->client;
	uint8_t inner[64];

	memcpy(inner, body, len);
	inner[len++] = content;
	out[0] = TLS_APPLICATION_DATA;
	be_write(out + 1, 2, 0x0303);
	be_write(out + 3, 2, len + TLS_TAG_LEN);
	struct tls_seal seal = {.suite = client->suite,
				.key = tls_half_key(client, &client->seal),
				.associated = {out, TLS_RECORD_HEAD}};

	memcpy(seal.nonce, client->seal.iv, TLS_IV_LEN);
	be_write(seal.nonce + 4, 8, be_read(seal.nonce + 4, 8) ^ client->seal.sequence++);
	struct slice piece = slice_of(inner, len);

	assert_true(tls_crypt_seal(pair->crypt, &seal, true, &(struct tls_text){.pieces = &piece},
				   len, -1, out + TLS_RECORD_HEAD));
	return len + TLS_RECORD_HEAD + TLS_TAG_LEN;
}

static void test_message_in_pieces(void **state)
{
	(void)state;
	static const uint8_t update[] = {TLS_KEY_UPDATE, 0, 0, 1, 0};

	for (size_t cut = 1; cut < sizeof(update); cut++) {
		struct pair pair;
		struct buf got = {0};
		uint8_t bytes[128];

		pair_init(&pair, tls_suite_find(0x1301));
		struct scene scene = {
			.name = "1.3", .crypt = pair.crypt, .ours = stream_of(pair.server)};
		size_t len = record_forge(&pair, TLS_HANDSHAKE, update, cut, bytes);

		assert_int_equal(hear(&scene, slice_of(bytes, len), &got), TLS_STREAM_OK);
		move(&scene.ours, scene.name);
		len = record_forge(&pair, TLS_HANDSHAKE, update + cut, sizeof(update) - cut, bytes);
		assert_int_equal(hear(&scene, slice_of(bytes, len), &got), TLS_STREAM_OK);
		assert_true(tls_half_update(pair.client, pair.crypt, &pair.client->seal));
		move(&scene.ours, scene.name);
		assert_int_equal(
			tls_seal(pair.client, pair.crypt, SLICE_LITERAL("new"), bytes, &len), 0);
		assert_int_equal(hear(&scene, slice_of(bytes, len), &got), TLS_STREAM_OK);
		assert_true(slice_equals(buf_slice(&got), SLICE_LITERAL("new")));
		buf_finish(&got);
		tls_stream_destroy(&scene.ours);
		pair.server = NULL;
		pair_finish(&pair);
	}
}

/* What a peer may not do in a row is not forgotten on the way. */
static void test_idle_records_are_counted_on(void **state)
{
	(void)state;
	static const uint8_t nothing[1];
	struct pair pair;
	struct buf got = {0};
	enum tls_stream_result r = TLS_STREAM_OK;
	unsigned count = 0;

	pair_init(&pair, tls_suite_find(0x1303));
	struct scene scene = {.name = "1.3", .crypt = pair.crypt, .ours = stream_of(pair.server)};

	while (r == TLS_STREAM_OK && count < 100) {
		uint8_t bytes[128], out[TLS_OPEN_ROOM];
		size_t len = record_forge(&pair, TLS_APPLICATION_DATA, nothing, 0, bytes), used;
		struct buf reply = {0};

		r = tls_stream_recv(scene.ours, pair.crypt, slice_of(bytes, len), &used, out,
				    sizeof(out), &len, &reply);
		buf_finish(&reply);
		count++;
		if (r == TLS_STREAM_OK)
			move(&scene.ours, scene.name);
	}
	assert_int_equal(r, TLS_STREAM_FAILED);
	assert_int_equal(count, TLS_IDLE_MAX + 1);
	struct buf out = {0};
	struct state_writer writer;

	state_writer_init(&writer, &out, ROOMY); /* one that has failed stays where it is */
	assert_int_equal(tls_stream_export(scene.ours, &writer), -EBUSY);
	assert_int_equal(out.len, 0);
	buf_finish(&got);
	tls_stream_destroy(&scene.ours);
	pair.server = NULL;
	pair_finish(&pair);
}

/* --- at rest --- */

static void test_goes_on_when_it_came_to_nothing(void **state)
{
	(void)state;
	struct scene scene;

	for (size_t row = 0; row < ARRAY_LEN(suites); row += 5) {
		scene_open(&scene, row, true);
		we_say(&scene, "before");
		struct buf buf = exported(scene.ours);

		state_wipe(&buf);
		tls_stream_rouse(scene.ours);
		we_say(&scene, "after");
		they_say(&scene, "as always");
		scene_close(&scene);
	}
}

static void test_no_room(void **state)
{
	(void)state;
	struct pair pair;
	struct buf buf = {0};
	struct state_writer writer;

	pair_init(&pair, tls_suite_find(0x1302));
	struct tls_stream *stream = stream_of(pair.server);

	state_writer_init(&writer, &buf, 100);
	assert_int_equal(tls_stream_export(stream, &writer), -EMSGSIZE);
	assert_false(stream->is_at_rest);
	state_wipe(&buf);
	tls_stream_destroy(&stream);
	pair.server = NULL;
	pair_finish(&pair);
}

/* --- what is no stream --- */

struct misuse {
	const char *name;
	uint16_t suite_id;
	uint16_t tag;   /* left out of what is written */
	uint16_t other; /* 0, or the tag of what is written instead: */
	size_t len;
	uint8_t bytes[9];
};

/* The fields of a server's stream, but for one. */
static void spoilt(const struct misuse *row, struct buf *out)
{
	struct pair pair;
	struct state_writer writer;
	struct state_reader reader;
	struct state_field field;

	pair_init(&pair, tls_suite_find(row->suite_id));
	struct tls_stream *stream = stream_of(pair.server);
	struct buf good = exported(stream);

	state_writer_init(&writer, out, ROOMY);
	state_reader_init(&reader, buf_slice(&good));
	while (state_next(&reader, &field))
		if (field.tag != row->tag)
			state_put_bytes(&writer, field.tag, field.value);
	if (row->other != 0)
		state_put_bytes(&writer, row->other, slice_of(row->bytes, row->len));
	state_wipe(&good);
	tls_stream_destroy(&stream);
	pair.server = NULL;
	pair_finish(&pair);
}

static void test_misuse(void **state)
{
	(void)state;
	static const struct misuse rows[] = {
		{"no suite", 0x1301, 1, 0, 0, {0}},
		{"a suite that is none of ours", 0x1301, 1, 1, 2, {0x2f, 0x00}},
		{"a suite with a longer key", 0x1301, 1, 1, 2, {0x02, 0x13}},
		{"a suite of another version", 0x1301, 1, 1, 2, {0x2f, 0xc0}},
		{"TLS 1.3 for a stream of TLS 1.2", 0xc02f, 1, 1, 2, {0x01, 0x13}},
		{"a suite beyond 16 bits", 0x1301, 1, 1, 3, {0x01, 0x13, 0x01}},
		{"a role that is neither", 0x1301, 2, 2, 1, {2}},
		{"no key to open", 0x1301, 3, 0, 0, {0}},
		{"no key to seal", 0xc02f, 4, 0, 0, {0}},
		{"no text in a record", 0x1301, 5, 5, 0, {0}},
		{"too much text in a record", 0x1301, 5, 5, 2, {0x01, 0x40}},
		{"a message's head of 5 bytes", 0x1301, 6, 6, 5, {24, 0, 0, 1, 0}},
		{"a message with its head, and nothing missing", 0x1301, 6, 6, 4, {24, 0, 0, 1}},
		{"a body without a message", 0x1301, 7, 7, 1, {1}},
		{"too many idle records", 0x1301, 8, 8, 1, {33}},
		{"an update owed in TLS 1.2", 0xc02f, 9, 9, 1, {1}},
		{"a flag that is none", 0x1301, 10, 10, 1, {3}},
		{"a number of 9 bytes", 0x1301, 8, 8, 9, {1}},
		{"what must be understood", 0x1301, 99, 99 | STATE_MUST, 1, {1}},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_stream *stream = (struct tls_stream *)&rows;
		struct buf buf = {0};

		spoilt(&rows[i], &buf);
		ASSERT_ROW(import(buf_slice(&buf), &stream) == -EPROTO, rows[i].name);
		ASSERT_ROW(stream == (struct tls_stream *)&rows, rows[i].name);
		state_wipe(&buf);
	}
}

static void test_what_is_not_known_is_passed_over(void **state)
{
	(void)state;
	struct tls_stream *stream;
	struct buf buf = {0};

	spoilt(&(struct misuse){"", 0x1301, 99, 99, 3, {1, 2, 3}}, &buf);
	assert_int_equal(import(buf_slice(&buf), &stream), 0);
	tls_stream_destroy(&stream);
	state_wipe(&buf);
}

/* A half that is spoilt, and bytes held that no stream holds. */
static void test_misuse_within(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint16_t tag;
		size_t len;
	} rows[] = {
		{"a short key", 1, 15},
		{"a long key", 1, 17},
		{"a short IV", 2, 11},
		{"a long secret", 4, 33},
		{"a number that is too large", 3, 8},
		{"what must be understood", 77 | STATE_MUST, 1},
	};
	static const uint8_t ones[TLS_RECORD_MAX] = {[0 ... 40] = 0xff};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_stream *stream;
		struct buf half = {0}, buf = {0};
		struct state_writer writer;

		spoilt(&(struct misuse){"", 0x1301, 3, 0, 0, {0}}, &buf);
		state_writer_init(&writer, &half, ROOMY);
		state_put_bytes(&writer, 1, slice_of(ones, 16));
		state_put_bytes(&writer, 2, slice_of(ones, 12));
		state_put_bytes(&writer, 4, slice_of(ones, 32));
		state_put_bytes(&writer, rows[i].tag, slice_of(ones, rows[i].len));
		state_writer_init(&writer, &buf, ROOMY);
		state_put_bytes(&writer, 3, buf_slice(&half));
		ASSERT_ROW(import(buf_slice(&buf), &stream) == -EPROTO, rows[i].name);
		state_wipe(&half);
		state_wipe(&buf);
	}
	for (int is_short = 0; is_short < 2; is_short++) {
		struct tls_stream *stream;
		struct buf buf = {0};
		struct state_writer writer;

		spoilt(&(struct misuse){"", 0x1301, 12, 0, 0, {0}}, &buf);
		state_writer_init(&writer, &buf, ROOMY);
		state_put_bytes(&writer, 12,
				slice_of(ones, sizeof(ones) - (is_short == 1 ? 1 : 0)));
		assert_int_equal(import(buf_slice(&buf), &stream), is_short == 1 ? 0 : -EPROTO);
		if (is_short == 1)
			tls_stream_destroy(&stream);
		state_wipe(&buf);
	}
}

static void test_every_truncation(void **state)
{
	(void)state;
	struct tls_stream *stream;
	struct buf buf = {0};

	spoilt(&(struct misuse){"", 0x1302, 99, 0, 0, {0}}, &buf);
	for (size_t len = 0; len < buf.len; len++)
		assert_int_equal(import(slice_of(buf.data, len), &stream), -EPROTO);
	assert_int_equal(import(buf_slice(&buf), &stream), 0);
	tls_stream_destroy(&stream);
	state_wipe(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_message_in_pieces),
		cmocka_unit_test(test_idle_records_are_counted_on),
		cmocka_unit_test(test_goes_on_when_it_came_to_nothing),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_what_is_not_known_is_passed_over),
		cmocka_unit_test(test_misuse_within),
		cmocka_unit_test(test_every_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
