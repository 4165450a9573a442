/* SPDX-License-Identifier: Apache-2.0
 * test_blocks.c - who is kept out: by id, by address of any length, on a route or on all, until it
 * ends; which of two changes holds; and all of it again in another process and on another node. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/state.h"
#include "fleet/block_json.h"

#define NOW UINT64_C(1800000000000)

/* `who`: "ws/a", or an address with or without "route@". */
static struct block make(const char *who, uint64_t changed_at_ms, uint64_t expires_at_ms)
{
	struct block block = {.changed_at_ms = changed_at_ms, .expires_at_ms = expires_at_ms};
	struct block_target *target = &block.target;
	const char *at = strchr(who, '@'), *slash = strchr(who, '/');

	if (at == NULL && slash != NULL && strpbrk(who, ".:") == NULL) {
		snprintf(target->route, sizeof(target->route), "%.*s", (int)(slash - who), who);
		snprintf(target->client_id, sizeof(target->client_id), "%s", slash + 1);
	} else {
		if (at != NULL)
			snprintf(target->route, sizeof(target->route), "%.*s", (int)(at - who),
				 who);
		assert_null(net_prefix_parse(slice_from_text(at == NULL ? who : at + 1),
					     &target->address));
	}
	block.id = block_id_of(target);
	return block;
}

static enum block_result put(struct blocks *blocks, const char *who, uint64_t changed_at_ms,
			     uint64_t expires_at_ms)
{
	struct block block = make(who, changed_at_ms, expires_at_ms);

	return blocks_put(blocks, &block, NOW);
}

static enum block_result take_back(struct blocks *blocks, const char *who, uint64_t changed_at_ms)
{
	struct block block = make(who, changed_at_ms, NOW + 1000);

	block.is_removed = true;
	return blocks_put(blocks, &block, NOW);
}

static bool is_out(struct blocks *blocks, const char *route, const char *client_id,
		   const char *address, uint64_t now_ms)
{
	struct net_ip ip;
	struct block block;

	assert_true(net_ip_parse(slice_from_text(address), &ip));
	if (!blocks_find(blocks, route, client_id, &ip, now_ms, &block))
		return false;
	assert_true(block_has(&block.target, route, client_id, &ip));
	return true;
}

static const struct {
	const char *name;
	const char *route, *client_id, *address;
	bool is_out;
} rows[] = {
	{"the client", "ws", "a", "203.0.113.1", true},
	{"on another route", "other", "a", "203.0.113.1", false},
	{"another client", "ws", "A", "203.0.113.1", false},
	{"one without a name", "ws", NULL, "203.0.113.1", false},
	{"the address", "ws", "x", "192.0.2.7", true},
	{"beside it", "ws", "x", "192.0.2.8", false},
	{"in the net", "ws", NULL, "198.51.100.255", true},
	{"beside the net", "ws", NULL, "198.51.101.0", false},
	{"IPv6 in the net", "other", "x", "2001:db8:0:ffff::1", true},
	{"IPv6 beside the net", "other", "x", "2001:db9::1", false},
	{"IPv4 is not in an IPv6 net", "ws", "x", "32.1.13.184", false},
	{"IPv6 in one that begins like IPv4", "ws", "x", "::5", true},
	{"IPv4 is not in that", "ws", "x", "203.0.113.1", false},
	{"nor a unix socket", "ws", "x", "::", false},
	{"on the one route", "other", "x", "203.0.113.77", true},
	{"not on the others", "ws", "x", "203.0.113.77", false},
};

static void test_who_is_kept_out(void **state)
{
	(void)state;
	static const char *const who[] = {"ws/a",          "192.0.2.7",          "198.51.100.0/24",
					  "2001:db8::/32", "other@203.0.113.77", "::/16"};
	struct blocks *blocks = blocks_create(100);

	assert_false(blocks_are_any(blocks));
	for (size_t i = 0; i < ARRAY_LEN(who); i++)
		assert_int_equal(put(blocks, who[i], NOW, NOW + 1000), BLOCK_CHANGED);
	assert_true(blocks_are_any(blocks));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(is_out(blocks, rows[i].route, rows[i].client_id, rows[i].address, NOW) ==
				   rows[i].is_out,
			   rows[i].name);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(!is_out(blocks, rows[i].route, rows[i].client_id, rows[i].address,
				   NOW + 1000),
			   rows[i].name);
	blocks_destroy(&blocks);
}

static void test_the_later_change_holds(void **state)
{
	(void)state;
	struct blocks *blocks = blocks_create(100);
	struct blocks_stats stats;
	struct block block;

	assert_int_equal(put(blocks, "ws/a", NOW, NOW + 500), BLOCK_CHANGED);
	assert_int_equal(put(blocks, "ws/a", NOW, NOW + 900), BLOCK_STALE);
	assert_int_equal(put(blocks, "ws/a", NOW + 1, NOW + 900), BLOCK_CHANGED);
	assert_true(blocks_get(blocks, make("ws/a", 0, 0).id, NOW, &block));
	assert_true(block.expires_at_ms == NOW + 900 && !block.is_removed);
	assert_int_equal(take_back(blocks, "ws/a", NOW), BLOCK_STALE);
	assert_int_equal(take_back(blocks, "ws/a", NOW + 2), BLOCK_CHANGED);
	assert_false(is_out(blocks, "ws", "a", "192.0.2.1", NOW));
	assert_false(blocks_get(blocks, block.id, NOW, &block));
	/* What was removed is not there again because somebody has not heard of that. */
	assert_int_equal(put(blocks, "ws/a", NOW + 1, NOW + 900), BLOCK_STALE);
	assert_int_equal(put(blocks, "ws/a", NOW + 3, NOW + 900), BLOCK_CHANGED);
	assert_int_equal(take_back(blocks, "192.0.2.1", NOW + 1), BLOCK_CHANGED);
	assert_int_equal(put(blocks, "192.0.2.1", NOW, NOW + 900), BLOCK_STALE);
	assert_int_equal(put(blocks, "ws/late", NOW - 5000, NOW), BLOCK_STALE);
	blocks_stats(blocks, NOW, &stats);
	assert_true(stats.count == 1 && stats.made == 3 && stats.removed == 2);
	blocks_stats(blocks, NOW + 900, &stats);
	assert_true(stats.count == 0 && stats.expired == 1);
	assert_false(blocks_are_any(blocks));
	blocks_destroy(&blocks);
}

static void test_so_many_and_no_more(void **state)
{
	(void)state;
	struct blocks *blocks = blocks_create(50);
	struct blocks_stats stats;
	char who[32];

	for (unsigned i = 0; i < 50; i++) {
		snprintf(who, sizeof(who), "ws/c%u", i);
		assert_int_equal(put(blocks, who, NOW, NOW + 1000), BLOCK_CHANGED);
	}
	assert_int_equal(put(blocks, "ws/more", NOW, NOW + 1000), BLOCK_FULL);
	assert_int_equal(put(blocks, "ws/c7", NOW + 1, NOW + 1000), BLOCK_CHANGED);
	assert_int_equal(take_back(blocks, "ws/c7", NOW + 2), BLOCK_CHANGED);
	assert_int_equal(put(blocks, "ws/more", NOW, NOW + 1000), BLOCK_CHANGED);
	assert_int_equal(put(blocks, "ws/c7", NOW + 3, NOW + 1000), BLOCK_FULL);
	/* Nor are more remembered that were removed: those that were removed first are forgotten.
	 */
	for (unsigned i = 0; i < 200; i++) {
		snprintf(who, sizeof(who), "ws/gone%u", i);
		assert_int_equal(take_back(blocks, who, NOW + i), BLOCK_CHANGED);
	}
	struct block page[150];
	bool is_end;

	assert_int_equal(blocks_list(blocks, 0, NOW, true, page, ARRAY_LEN(page), &is_end), 100);
	assert_true(is_end);
	blocks_stats(blocks, NOW, &stats);
	assert_true(stats.count == 50 && stats.max == 50 && stats.refused == 2);
	blocks_set_max(blocks, 51);
	assert_int_equal(put(blocks, "ws/c7", NOW + 4, NOW + 1000), BLOCK_CHANGED);
	blocks_destroy(&blocks);
}

/* Somebody who blocks and unblocks one after the other. */
static void test_no_more_are_remembered_than_may_be(void **state)
{
	(void)state;
	struct blocks *blocks = blocks_create(20);
	struct block page[50];
	bool is_end;

	for (unsigned i = 0; i < 500; i++) {
		char who[32];

		snprintf(who, sizeof(who), "ws/c%u", i);
		assert_int_equal(put(blocks, who, NOW + 2 * i, NOW + 1000), BLOCK_CHANGED);
		assert_int_equal(take_back(blocks, who, NOW + 2 * i + 1), BLOCK_CHANGED);
		assert_false(is_out(blocks, "ws", strchr(who, 'c'), "192.0.2.1", NOW));
	}
	assert_int_equal(blocks_list(blocks, 0, NOW, true, page, ARRAY_LEN(page), &is_end), 20);
	assert_true(is_end);
	for (unsigned i = 0; i < 20; i++)
		assert_true(page[i].is_removed && page[i].changed_at_ms > NOW + 2 * 480);
	blocks_destroy(&blocks);
}

/* Of which then they need not tell each other again and again. */
static void test_nodes_remember_the_same_whatever_the_order(void **state)
{
	(void)state;
	struct blocks *up = blocks_create(10), *down = blocks_create(10);
	char who[32];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(who, sizeof(who), "ws/c%u", i);
		put(up, who, NOW + i, NOW + 1000);
		take_back(up, who, NOW + 100 + i);
		snprintf(who, sizeof(who), "ws/c%u", 39 - i);
		put(down, who, NOW + 39 - i, NOW + 1000);
		take_back(down, who, NOW + 139 - i);
	}
	assert_true(blocks_digest(up, NOW) == blocks_digest(down, NOW));
	assert_int_equal(take_back(up, "ws/c7", NOW + 107), BLOCK_STALE);
	assert_int_equal(take_back(up, "ws/c39", NOW + 139), BLOCK_STALE);
	assert_true(blocks_digest(up, NOW) == blocks_digest(down, NOW));
	assert_false(blocks_are_any(up) || blocks_are_any(down));
	blocks_destroy(&up);
	blocks_destroy(&down);
}

/* Within one millisecond, by a clock that was set back, or after a node whose clock goes before. */
static void test_who_wants_it_here_is_always_the_last(void **state)
{
	(void)state;
	struct blocks *blocks = blocks_create(20);
	struct block block = make("ws/a", 0, NOW + 9000);

	assert_int_equal(put(blocks, "ws/a", NOW + 5000, NOW + 10000), BLOCK_CHANGED);
	for (unsigned i = 0; i < 4; i++) {
		block.is_removed = i % 2 == 0;
		assert_int_equal(blocks_change(blocks, &block, NOW - i), BLOCK_CHANGED);
		assert_int_equal(block.changed_at_ms, NOW + 5001 + i);
		assert_true(is_out(blocks, "ws", "a", "192.0.2.1", NOW) == !block.is_removed);
	}
	assert_int_equal(blocks_change(blocks, &block, NOW + 8000), BLOCK_CHANGED);
	assert_int_equal(block.changed_at_ms, NOW + 8000);
	blocks_destroy(&blocks);
}

static void test_pages_have_each_once(void **state)
{
	(void)state;
	struct blocks *blocks = blocks_create(100);
	struct block page[7];
	uint64_t after = 0;
	size_t seen = 0;
	bool is_end = false;
	char who[32];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(who, sizeof(who), "10.0.0.%u", i);
		put(blocks, who, NOW, NOW + 1000);
		if (i % 4 == 0)
			take_back(blocks, who, NOW + 1);
	}
	while (!is_end) {
		size_t count = blocks_list(blocks, after, NOW, false, page, ARRAY_LEN(page),
					   &is_end);

		for (size_t i = 0; i < count; i++) {
			assert_true(page[i].id > after && !page[i].is_removed);
			after = page[i].id;
		}
		seen += count;
		assert_true(count > 0 || is_end);
	}
	assert_int_equal(seen, 30);
	blocks_destroy(&blocks);
}

/* --- elsewhere --- */

static void fill(struct blocks *blocks)
{
	struct block block = make("ws/a", NOW, NOW + 1000);

	snprintf(block.reason, sizeof(block.reason), "sends rubbish");
	blocks_put(blocks, &block, NOW);
	put(blocks, "2001:db8::/32", NOW, NOW + 2000);
	put(blocks, "other@192.0.2.0/24", NOW, NOW + 3000);
	put(blocks, "ws/gone", NOW, NOW + 900);
	take_back(blocks, "ws/gone", NOW + 1);
}

static void assert_alike(struct blocks *one, struct blocks *other)
{
	struct block a[8], b[8];
	bool is_end;
	size_t count = blocks_list(one, 0, NOW, true, a, ARRAY_LEN(a), &is_end);

	assert_int_equal(blocks_list(other, 0, NOW, true, b, ARRAY_LEN(b), &is_end), count);
	assert_int_equal(count, 4);
	assert_memory_equal(a, b, count * sizeof(a[0]));
	assert_true(blocks_digest(one, NOW) == blocks_digest(other, NOW));
}

static void test_they_go_on_in_another_process(void **state)
{
	(void)state;
	struct blocks *blocks = blocks_create(10), *again = blocks_create(1);
	struct state_writer writer;
	struct state_reader reader;
	struct buf buf = {0};

	fill(blocks);
	state_writer_init(&writer, &buf, 65536);
	blocks_export(blocks, NOW, &writer);
	assert_int_equal(writer.error, 0);
	state_reader_init(&reader, buf_slice(&buf));
	assert_int_equal(blocks_import(again, NOW, &reader), 0);
	assert_alike(blocks, again);
	for (size_t len = 0; len < buf.len; len++) {
		struct blocks *cut = blocks_create(10);
		uint8_t *copy = malloc(len + 1);

		memcpy(copy, buf.data, len);
		state_reader_init(&reader, slice_of(copy, len));
		(void)blocks_import(cut, NOW, &reader);
		blocks_destroy(&cut);
		free(copy);
	}
	/* A client of no route. */
	buf.len = 0;
	state_writer_init(&writer, &buf, 65536);
	size_t begun = state_begin(&writer, 1);

	state_put_text(&writer, 2, "a");
	state_end(&writer, begun);
	state_reader_init(&reader, buf_slice(&buf));
	assert_int_equal(blocks_import(again, NOW, &reader), -EBADMSG);
	buf_finish(&buf);
	blocks_destroy(&blocks);
	blocks_destroy(&again);
}

static void test_what_would_be_lost_is_not_taken(void **state)
{
	(void)state;
	struct blocks *blocks = blocks_create(10);
	struct block block = make("ws/a", 0, NOW + 1000), found;
	struct state_writer writer;
	struct buf buf = {0};

	assert_int_equal(blocks_change(blocks, &block, NOW), BLOCK_CHANGED);
	state_writer_init(&writer, &buf, SIZE_MAX / 2);
	blocks_export(blocks, NOW, &writer);
	block.is_removed = true;
	assert_int_equal(blocks_change(blocks, &block, NOW), BLOCK_MOVED);
	assert_true(blocks_get(blocks, block.id, NOW, &found));
	blocks_take_back(blocks);
	assert_int_equal(blocks_change(blocks, &block, NOW), BLOCK_CHANGED);
	assert_false(blocks_get(blocks, block.id, NOW, &found));
	buf_finish(&buf);
	blocks_destroy(&blocks);
}

static void test_other_nodes_are_told_the_same(void **state)
{
	(void)state;
	struct blocks *blocks = blocks_create(10), *there = blocks_create(10);
	struct block page[8], heard;
	bool is_end;

	fill(blocks);
	assert_true(blocks_digest(blocks, NOW) != blocks_digest(there, NOW));
	size_t count = blocks_list(blocks, 0, NOW, true, page, ARRAY_LEN(page), &is_end);

	while (count > 0) { /* in another order */
		json_t *json = block_json_write(&page[--count]);

		assert_true(block_json_read(json, &heard));
		assert_int_equal(blocks_put(there, &heard, NOW), BLOCK_CHANGED);
		assert_int_equal(blocks_put(there, &heard, NOW), BLOCK_STALE);
		json_decref(json);
	}
	assert_alike(blocks, there);
	blocks_destroy(&blocks);
	blocks_destroy(&there);
}

static void test_what_is_no_block_is_not_taken(void **state)
{
	(void)state;
#define TIMES "\"changed_at_ms\":1,\"expires_at_ms\":2"
	static const char *const bad[] = {
		"[]",
		"{}",
		"{" TIMES "}",
		"{\"client_id\":\"a\"," TIMES "}",
		"{\"route\":\"ws\",\"client_id\":7," TIMES "}",
		"{\"route\":\"ws\",\"client_id\":\"a\",\"address\":\"192.0.2.1\"," TIMES "}",
		"{\"address\":\"192.0.2\"," TIMES "}",
		"{\"address\":7," TIMES "}",
		"{\"address\":\"192.0.2.1\"}",
		"{\"address\":\"192.0.2.1\",\"changed_at_ms\":-1,\"expires_at_ms\":2}",
		"{\"address\":\"192.0.2.1\",\"reason\":[]," TIMES "}",
		"{\"route\":\"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\","
		"\"client_id\":\"a\"," TIMES "}"};
	struct block block = {.id = 77};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *json = json_loads(bad[i], 0, NULL);

		assert_non_null(json);
		ASSERT_ROW(!block_json_read(json, &block) && block.id == 77, bad[i]);
		json_decref(json);
	}
	assert_false(block_json_read(NULL, &block));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_kept_out),
		cmocka_unit_test(test_the_later_change_holds),
		cmocka_unit_test(test_so_many_and_no_more),
		cmocka_unit_test(test_no_more_are_remembered_than_may_be),
		cmocka_unit_test(test_nodes_remember_the_same_whatever_the_order),
		cmocka_unit_test(test_who_wants_it_here_is_always_the_last),
		cmocka_unit_test(test_pages_have_each_once),
		cmocka_unit_test(test_they_go_on_in_another_process),
		cmocka_unit_test(test_what_would_be_lost_is_not_taken),
		cmocka_unit_test(test_other_nodes_are_told_the_same),
		cmocka_unit_test(test_what_is_no_block_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
