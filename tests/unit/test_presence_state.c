/* SPDX-License-Identifier: Apache-2.0
 * test_presence_state.c - a presence that is made again in another process: all its facts are the
 * same; and what no presence has written is refused. */
#include "presence_unit.h"

#include <errno.h>

#include "base/clock.h"
#include "session/directory.h"
#include "session/presence_state.h"

#define STATE_MAX 8192

static void export(const struct presence *presence, struct buf *out)
{
	struct state_writer writer;

	out->len = 0;
	state_writer_init(&writer, out, STATE_MAX);
	presence_export(presence, &writer);
	assert_int_equal(writer.error, 0);
}

/* From a copy of exactly that size. */
static int record_of(struct slice bytes, struct presence_record *out_record)
{
	uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
	struct state_reader reader;

	assert_non_null(copy);
	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	state_reader_init(&reader, slice_of(copy, bytes.len));
	int r = presence_record_read(&reader, out_record);

	free(copy);
	return r;
}

static void assert_same_text(const char *a, const char *b)
{
	assert_true((a == NULL) == (b == NULL));
	if (a != NULL)
		assert_string_equal(a, b);
}

static void assert_same(const struct presence *a, const struct presence *b)
{
	struct net_ip a_ip = presence_remote(a), b_ip = presence_remote(b);
	struct presence_proof a_proof, b_proof;

	assert_string_equal(a->client_id, b->client_id);
	assert_same_text(presence_subprotocol(a), presence_subprotocol(b));
	assert_true(net_ip_equals(&a_ip, &b_ip));
	assert_int_equal(a->remote_port, b->remote_port);
	assert_int_equal(a->connection_id, b->connection_id);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->connected_at_ms, b->connected_at_ms);
	assert_int_equal(a->takeover_heat, b->takeover_heat);
	assert_int_equal(a->takeover_row, b->takeover_row);
	assert_memory_equal(a->traffic.bytes, b->traffic.bytes, sizeof(a->traffic.bytes));
	assert_memory_equal(a->traffic.messages, b->traffic.messages, sizeof(a->traffic.messages));
	assert_memory_equal(a->traffic.rates, b->traffic.rates, sizeof(*a->traffic.rates));
	assert_true(slice_equals(presence_attributes(a), presence_attributes(b)));
	struct trace_context a_trace = {0}, b_trace = {0};

	assert_int_equal(presence_trace(a, &a_trace), presence_trace(b, &b_trace));
	assert_memory_equal(&a_trace, &b_trace, sizeof(a_trace));
	assert_true(slice_equals(presence_note(a), presence_note(b)));
	assert_int_equal(presence_proof(a, &a_proof), presence_proof(b, &b_proof));
	if (!a->has_proof)
		return;
	assert_string_equal(a_proof.way, b_proof.way);
	assert_string_equal(a_proof.subject, b_proof.subject);
	assert_true(a_proof.expires_at_s == b_proof.expires_at_s);
}

/* Over there the route's subprotocols have another order. */
static void pass_on(const struct presence_facts *facts)
{
	static char first[] = "b.v2", second[] = "a.v1";
	static char *names[] = {first, second};
	const struct client_route *route = unit_route_with(
		"there", (struct config_tokens){names, ARRAY_LEN(names)});
	struct presence *presence = presence_create(facts);
	struct presence_record record;
	struct buf buf = {0};

	assert_non_null(presence);
	presence->connection_id = DIRECTORY_ID_MAX - 7;
	presence->generation = UINT32_MAX;
	presence->connected_at_ms = 1700000000123;
	presence->takeover_heat = 3;
	presence->takeover_row = UINT8_MAX;
	traffic_add_bytes(&presence->traffic, TRAFFIC_OUT, 5000000000, 77 * NS_PER_S);
	traffic_add_message(&presence->traffic, TRAFFIC_IN, 78 * NS_PER_S);
	export(presence, &buf);
	assert_int_equal(record_of(buf_slice(&buf), &record), 0);
	assert_string_equal(record.route, "here");
	assert_true((record.way[0] != 0) == (facts->proof != NULL));
	struct presence *again = presence_import(
		&record, &(struct presence_place){
				 .route = route,
				 .way = facts->proof == NULL ? NULL : facts->proof->way,
			 });

	assert_non_null(again);
	assert_same(presence, again);
	presence_unref(&presence);
	presence_unref(&again);
	buf_finish(&buf);
}

static void test_all_facts_are_the_same(void **state)
{
	(void)state;
	static char first[] = "a.v1", second[] = "b.v2";
	static char *names[] = {first, second};
	static char id[PRESENCE_CLIENT_ID_MAX + 1], subject[PRESENCE_SUBJECT_MAX + 1];
	static const char *const subprotocols[] = {"", "a.v1", "b.v2", "own"};
	static const char *const ips[] = {"192.0.2.1", "2001:db8::1", "::"};
	static const struct presence_proof basic = {.way = "basic"},
					   token = {"token", "CN=x", 1893456000},
					   longest = {"certificate", subject, UINT64_MAX};
	static const struct presence_proof *const proofs[] = {NULL, &basic, &token, &longest};

	struct trace_context trace;

	assert_true(trace_parent_read(
		SLICE_LITERAL("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &trace));
	memset(id, 'i', PRESENCE_CLIENT_ID_MAX);
	memset(subject, 's', PRESENCE_SUBJECT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(subprotocols); i++)
		for (size_t k = 0; k < ARRAY_LEN(ips); k++)
			for (size_t m = 0; m < ARRAY_LEN(proofs); m++) {
				struct presence_facts facts = {
					.route = unit_route_with(
						"here",
						(struct config_tokens){names, ARRAY_LEN(names)}),
					.client_id = m == 0 ? id : "a",
					.subprotocol = slice_from_text(subprotocols[i]),
					.remote_port = (uint16_t)(k * 32767),
					.proof = proofs[m],
					.attributes = k == 0 ? (struct slice){0}
							     : SLICE_LITERAL("a\0b\0c\0d\0"),
				};

				assert_true(net_ip_parse(slice_from_text(ips[k]), &facts.remote));
				pass_on(&facts);
				facts.trace = &trace;
				pass_on(&facts);
				facts.note = SLICE_LITERAL("/path\0agent");
				pass_on(&facts);
			}
}

/* --- what is refused --- */

struct change {
	const char *name;
	uint16_t tag;
	const char *value; /* NULL: the field is left out */
	size_t len;
	int want;
};

#define CHANGE(name, tag, value, want)                    \
	{                                                 \
		name, tag, value, sizeof(value) - 1, want \
	}

static const struct change changes[] = {
	CHANGE("an unknown tag", 0x7000, "what", 0),
	CHANGE("one that must be understood", 0x9000, "", -ENOTSUP),
	{"no route", 1, NULL, 0, -EBADMSG},
	CHANGE("an empty route", 1, "", -EBADMSG),
	CHANGE("a route with a NUL", 1, "a\0b", -EBADMSG),
	CHANGE("a long route", 1,
	       "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", -EBADMSG),
	{"no client id", 2, NULL, 0, -EBADMSG},
	CHANGE("an empty client id", 2, "", -EBADMSG),
	{"no subprotocol", 3, NULL, 0, 0},
	CHANGE("attributes", 12, "a\0b\0", 0),
	CHANGE("attributes without an end", 12, "a\0b", -EBADMSG),
	CHANGE("no attributes, but their field", 12, "", -EBADMSG),
	CHANGE("an address of 4 bytes", 4, "abcd", -EBADMSG),
	CHANGE("a port of 17 bits", 5, "\0\0\1", -EBADMSG),
	{"no connection id", 6, NULL, 0, -EBADMSG},
	CHANGE("a connection id of 49 bits", 6, "\0\0\0\0\0\0\1", -EBADMSG),
	CHANGE("a connection id of 9 bytes", 6, "\1\0\0\0\0\0\0\0\0", -EBADMSG),
	{"no generation", 7, NULL, 0, -EBADMSG},
	CHANGE("a generation of 33 bits", 7, "\0\0\0\0\1", -EBADMSG),
	CHANGE("a late time", 8, "\0\0\0\0\0\xff\xff\xff", -EBADMSG),
	CHANGE("much heat", 9, "\x80", -EBADMSG),
	CHANGE("a proof without a way", 10, "", -EBADMSG),
	CHANGE("a proof that is none", 10, "x", -EBADMSG),
	CHANGE("a proof with more", 10, "\1\0\1\0\0\0w\0\x10\0\0\0\0", 0),
	CHANGE("a proof with more that must be understood", 10, "\1\0\1\0\0\0w\0\x90\0\0\0\0",
	       -ENOTSUP),
};

/* The fields of `bytes`, with one of them changed. */
static void change_write(const struct change *change, struct slice bytes, struct buf *out)
{
	struct state_writer writer;
	struct state_reader reader;
	struct state_field field;

	state_writer_init(&writer, out, STATE_MAX);
	state_reader_init(&reader, bytes);
	while (state_next(&reader, &field))
		if (field.tag != change->tag)
			state_put_bytes(&writer, field.tag, field.value);
	if (change->value != NULL)
		state_put_bytes(&writer, change->tag, slice_of(change->value, change->len));
	assert_int_equal(writer.error, 0);
}

static struct presence *some(void)
{
	static const struct presence_proof proof = {"basic", "x", 5};
	struct presence *presence = presence_create(
		&(struct presence_facts){.route = unit_route("ws"),
					 .client_id = "a",
					 .subprotocol = SLICE_LITERAL("chat"),
					 .remote_port = 7,
					 .proof = &proof});

	assert_non_null(presence);
	presence->connection_id = 5;
	presence->generation = 1;
	return presence;
}

static void test_what_is_refused(void **state)
{
	(void)state;
	struct presence *presence = some();
	struct buf buf = {0}, changed = {0};

	export(presence, &buf);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct presence_record record = {.way = "as it was"};

		changed.len = 0;
		change_write(&changes[i], buf_slice(&buf), &changed);
		ASSERT_ROW(record_of(buf_slice(&changed), &record) == changes[i].want,
			   changes[i].name);
		ASSERT_ROW(changes[i].want == 0 || strcmp(record.way, "as it was") == 0,
			   changes[i].name);
	}
	presence_unref(&presence);
	buf_finish(&buf);
	buf_finish(&changed);
}

/* Cut short, or with a bit that is another: refused, or a presence. */
static void test_garbled(void **state)
{
	(void)state;
	struct presence *presence = some();
	struct presence_record record;
	struct buf buf = {0};

	export(presence, &buf);
	for (size_t cut = 0; cut < buf.len; cut++)
		(void)record_of(slice_of(buf.data, cut), &record);
	for (size_t at = 0; at < 8 * buf.len; at++) {
		buf.data[at / 8] ^= (uint8_t)(1u << at % 8);
		if (record_of(buf_slice(&buf), &record) == 0) {
			struct presence *made = presence_import(
				&record, &(struct presence_place){.route = unit_route("ws")});

			assert_non_null(made);
			presence_unref(&made);
		}
		buf.data[at / 8] ^= (uint8_t)(1u << at % 8);
	}
	presence_unref(&presence);
	buf_finish(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_facts_are_the_same),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_garbled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
