/* SPDX-License-Identifier: Apache-2.0
 * test_pace.c - who may guess how often, and that strangers lock nobody out. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "auth/pace.h"
#include "base/net_addr.h"
#include "base/state.h"

#define MINUTE 60000

static struct pace_who who(const char *address, const char *name, uint64_t now_ms)
{
	struct pace_who who = {
		.route = "r", .name = slice_from_text(name), .now_ms = 1000000 + now_ms};

	if (strcmp(address, "unix:") == 0)
		who.address = net_ip_of(&(struct net_addr){.sa.sa_family = AF_UNIX});
	else
		assert_true(net_ip_parse(slice_from_text(address), &who.address));
	return who;
}

static bool may(struct pace *pace, const char *address, const char *name, uint64_t now_ms)
{
	struct pace_who asked = who(address, name, now_ms);

	return pace_may_guess(pace, &asked);
}

/* As way and list tell it. */
static bool wrong(struct pace *pace, const char *address, const char *name, uint64_t now_ms)
{
	struct pace_who asked = who(address, name, now_ms);

	pace_wrong_name(pace, &asked);
	return pace_wrong_address(pace, &asked);
}

static void right(struct pace *pace, const char *address, const char *name, uint64_t now_ms)
{
	struct pace_who asked = who(address, name, now_ms);

	pace_right(pace, &asked);
}

static void test_an_address_is_paced(void **state)
{
	struct pace *pace = pace_create(5);

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_true(may(pace, "192.0.2.1", "a", 0));
		assert_true(wrong(pace, "192.0.2.1", "a", 0));
	}
	assert_false(may(pace, "192.0.2.1", "a", 0));
	assert_false(may(pace, "192.0.2.1", "other", 0));
	assert_false(wrong(pace, "192.0.2.1", "a", 0));
	assert_true(may(pace, "192.0.2.2", "other", 0));
	/* A fifth of a minute is room for one. */
	assert_false(may(pace, "192.0.2.1", "a", MINUTE / 5 - 1000));
	assert_true(may(pace, "192.0.2.1", "b", MINUTE / 5));
	assert_true(wrong(pace, "192.0.2.1", "b", MINUTE / 5));
	assert_false(may(pace, "192.0.2.1", "b", MINUTE / 5));
	/* After a minute all is forgotten. */
	for (int i = 0; i < 5; i++)
		assert_true(wrong(pace, "192.0.2.1", "b", 3 * MINUTE));
	assert_int_equal(pace_stats(pace).highest, 5);
	assert_int_equal(pace_stats(pace).refused, 5);
	pace_destroy(&pace);
	assert_null(pace);
}

static void test_a_network_of_ipv6_is_one_address(void **state)
{
	struct pace *pace = pace_create(2);

	(void)state;
	assert_true(wrong(pace, "2001:db8::1", "a", 0));
	assert_true(wrong(pace, "2001:db8::ffff:1", "b", 0));
	assert_false(may(pace, "2001:db8::2", "c", 0));
	assert_true(may(pace, "2001:db8:0:1::2", "c", 0));
	pace_destroy(&pace);
}

/* Guessing from many addresses closes the name to those that guess, not to its owner. */
static void test_strangers_lock_nobody_out(void **state)
{
	struct pace *pace = pace_create(5);

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		char address[32];

		snprintf(address, sizeof(address), "198.51.100.%u", i);
		assert_true(may(pace, address, "jo", 0)); /* each once */
		assert_true(wrong(pace, address, "jo", 0));
		if (i >= 4)
			assert_false(may(pace, address, "jo", 0));
		/* Of the same name on no other route, and no longer name. */
		assert_true(may(pace, address, "joe", 0));
	}
	assert_true(may(pace, "192.0.2.1", "jo", 0));
	pace_destroy(&pace);
}

static void test_who_was_right_there_may_come_back(void **state)
{
	struct pace *pace = pace_create(3);

	(void)state;
	right(pace, "192.0.2.1", "jo", 0);
	for (int i = 0; i < 5; i++)
		wrong(pace, "192.0.2.1", "eve", 0);
	assert_false(may(pace, "192.0.2.1", "eve", 0));
	assert_true(may(pace, "192.0.2.1", "jo", 0));
	assert_true(may(pace, "192.0.2.1", "jo", 0));
	/* One wrong guess at jo from there, and that is over. */
	wrong(pace, "192.0.2.1", "jo", 0);
	assert_false(may(pace, "192.0.2.1", "jo", 0));
	/* A day later it is as well. */
	right(pace, "192.0.2.9", "jo", 0);
	for (int i = 0; i < 5; i++)
		wrong(pace, "192.0.2.9", "eve", UINT64_C(24) * 60 * MINUTE);
	assert_false(may(pace, "192.0.2.9", "jo", UINT64_C(24) * 60 * MINUTE));
	pace_destroy(&pace);
}

/* All who come by a unix socket look the same: nobody there is paced for what others guess at. */
static void test_clients_without_an_address(void **state)
{
	struct pace *pace = pace_create(3);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(may(pace, "unix:", "eve", 0));
		assert_true(wrong(pace, "unix:", "eve", 0));
	}
	assert_false(may(pace, "unix:", "eve", 0));
	assert_true(wrong(pace, "unix:", "eve", 0));
	assert_true(may(pace, "unix:", "jo", 0));
	assert_true(may(pace, "192.0.2.1", "eve", 0));
	pace_destroy(&pace);
}

static void test_the_table_is_full(void **state)
{
	enum { COUNT = 200000 };
	struct pace *pace = pace_create(10);

	(void)state;
	for (int i = 0; i < 10; i++)
		wrong(pace, "203.0.113.1", "target", 0);
	for (unsigned i = 0; i < COUNT; i++) {
		struct pace_who asked = who("10.0.0.0", "x", 0);

		asked.address.bytes[13] = (uint8_t)(i >> 16);
		asked.address.bytes[14] = (uint8_t)(i >> 8);
		asked.address.bytes[15] = (uint8_t)i;
		assert_true(pace_wrong_address(pace, &asked));
	}
	struct pace_stats stats = pace_stats(pace);

	assert_true(stats.used <= stats.places);
	assert_true(stats.dropped > COUNT - stats.places - 1);
	/* Whoever counts most is not flushed by those that count little. */
	assert_false(may(pace, "203.0.113.1", "target", 0));
	pace_destroy(&pace);
}

static void test_without_a_pace(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_true(wrong(NULL, "192.0.2.1", "a", 0));
		assert_true(may(NULL, "192.0.2.1", "a", 0));
	}
}

/* Who was over the old limit is not kept out for longer than a minute by the new one. */
static void test_the_limit_changes(void **state)
{
	struct pace *pace = pace_create(0);

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(wrong(pace, "192.0.2.1", "a", 0));
	assert_int_equal(pace_stats(pace).used, 0);
	pace_set_max(pace, 20);
	for (int i = 0; i < 20; i++)
		assert_true(wrong(pace, "192.0.2.1", "a", 0));
	assert_false(may(pace, "192.0.2.1", "a", 0));
	pace_set_max(pace, 5);
	assert_int_equal(pace_max(pace), 5);
	assert_false(may(pace, "192.0.2.1", "a", MINUTE - 1000));
	assert_true(may(pace, "192.0.2.1", "a", MINUTE));
	pace_set_max(pace, 0);
	assert_true(may(pace, "192.0.2.1", "a", 0));
	pace_destroy(&pace);
}

/* What `from` has, in another process with a secret of its own. */
static struct pace *next_process(struct pace *from, uint64_t max, uint64_t now_ms, int result)
{
	struct pace *to = pace_create(max);
	struct state_writer writer;
	struct state_reader reader;
	struct buf buf = {0};

	state_writer_init(&writer, &buf, SIZE_MAX / 2);
	pace_export(from, who("unix:", "", now_ms).now_ms, &writer);
	assert_int_equal(writer.error, 0);
	if (result != 0)
		buf.len--;
	state_reader_init(&reader, buf_slice(&buf));
	assert_int_equal(pace_import(to, &reader), result);
	state_wipe(&buf);
	return to;
}

static void test_the_next_process_goes_on(void **state)
{
	struct pace *pace = pace_create(5);

	(void)state;
	right(pace, "192.0.2.7", "a", 0);
	for (int i = 0; i < 5; i++)
		assert_true(wrong(pace, "192.0.2.1", "a", 0));
	assert_true(wrong(pace, "192.0.2.2", "b", 0));
	assert_true(wrong(pace, "192.0.2.9", "long ago", 0));
	struct pace *next = next_process(pace, 5, MINUTE / 10, 0);

	assert_int_equal(pace_stats(next).used, 1 + 2 + 2 + 2);
	assert_int_equal(pace_stats(next).highest, 5);
	assert_false(may(next, "192.0.2.1", "a", MINUTE / 10));
	assert_false(wrong(next, "192.0.2.1", "a", MINUTE / 10));
	assert_true(may(next, "192.0.2.7", "a", MINUTE / 10));
	assert_true(may(next, "192.0.2.2", "b", MINUTE / 10));
	assert_false(may(next, "192.0.2.2", "a", MINUTE / 10)); /* at whose name others guessed */
	assert_true(may(next, "192.0.2.1", "b", MINUTE / 5));
	pace_destroy(&next);
	/* By its own limit; what has run out stays behind, and what was proved does not. */
	next = next_process(pace, 50, MINUTE / 10, 0);
	assert_true(may(next, "192.0.2.1", "a", MINUTE / 10));
	pace_destroy(&next);
	next = next_process(pace, 5, 2 * MINUTE, 0);
	assert_int_equal(pace_stats(next).used, 1);
	pace_destroy(&next);
	next = next_process(pace, 5, 0, -EBADMSG);
	pace_destroy(&next);
	assert_int_equal(pace_import(NULL, NULL), 0);
	pace_destroy(&pace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_address_is_paced),
		cmocka_unit_test(test_a_network_of_ipv6_is_one_address),
		cmocka_unit_test(test_strangers_lock_nobody_out),
		cmocka_unit_test(test_who_was_right_there_may_come_back),
		cmocka_unit_test(test_clients_without_an_address),
		cmocka_unit_test(test_the_table_is_full),
		cmocka_unit_test(test_without_a_pace),
		cmocka_unit_test(test_the_limit_changes),
		cmocka_unit_test(test_the_next_process_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
