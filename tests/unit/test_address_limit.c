/* SPDX-License-Identifier: Apache-2.0
 * test_address_limit.c - connections per address, counted against a plain table, and
 * raced for. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>

#include "conn/address_limit.h"

static struct net_ip ip_of(const char *text)
{
	struct net_ip ip;

	assert_true(net_ip_parse(slice_from_text(text), &ip));
	return ip;
}

static int enter(struct address_limit *limit, const char *text)
{
	struct net_ip ip = ip_of(text);

	return address_limit_enter(limit, &ip);
}

static void leave(struct address_limit *limit, const char *text)
{
	struct net_ip ip = ip_of(text);

	address_limit_leave(limit, &ip);
}

static void test_each_address_has_its_own_count(void **state)
{
	(void)state;
	struct address_limit *limit = address_limit_create(2, 64);

	assert_int_equal(address_limit_max(limit), 2);
	assert_int_equal(enter(limit, "192.0.2.1"), 0);
	assert_int_equal(enter(limit, "192.0.2.1"), 0);
	assert_int_equal(enter(limit, "192.0.2.1"), -EUSERS);
	assert_int_equal(enter(limit, "192.0.2.2"), 0);
	assert_int_equal(address_limit_fullest(limit), 2);
	leave(limit, "192.0.2.1");
	assert_int_equal(address_limit_fullest(limit), 1);
	assert_int_equal(enter(limit, "::ffff:192.0.2.1"), 0); /* the same client */
	assert_int_equal(enter(limit, "192.0.2.1"), -EUSERS);
	leave(limit, "192.0.2.1");
	leave(limit, "192.0.2.1");
	leave(limit, "192.0.2.2");
	assert_int_equal(address_limit_fullest(limit), 0);
	address_limit_destroy(&limit);
	assert_null(limit);
	address_limit_destroy(&limit);
}

/* Those of another process count, and nobody beyond them comes in. */
static void test_who_was_in_already_is_in(void **state)
{
	(void)state;
	struct address_limit *limit = address_limit_create(1, 64);
	struct net_ip ip = ip_of("192.0.2.1");

	for (int i = 0; i < 3; i++)
		assert_int_equal(address_limit_import(limit, &ip), 0);
	assert_int_equal(address_limit_fullest(limit), 3);
	assert_int_equal(enter(limit, "192.0.2.1"), -EUSERS);
	for (int i = 0; i < 3; i++)
		leave(limit, "192.0.2.1");
	assert_int_equal(enter(limit, "192.0.2.1"), 0);
	leave(limit, "192.0.2.1");
	address_limit_destroy(&limit);
}

static void test_ipv6_addresses_count_by_prefix(void **state)
{
	(void)state;
	static const struct {
		unsigned bits;
		const char *other;
		int want;
	} rows[] = {
		{64, "2001:db8:1:2:ffff::9", -EUSERS},
		{64, "2001:db8:1:3::1", 0},
		{48, "2001:db8:1:3::1", -EUSERS},
		{48, "2001:db8:2:2::1", 0},
		{128, "2001:db8:1:2::2", 0},
		{128, "2001:db8:1:2::1", -EUSERS},
		{16, "10.0.0.1", 0}, /* IPv4 is never cut: all of it has one prefix */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address_limit *limit = address_limit_create(1, rows[i].bits);

		struct net_ip one = ip_of("2001:db8:1:2::1"), other = ip_of(rows[i].other);

		ASSERT_ROW(address_limit_is_same(limit, &one, &other) == (rows[i].want != 0),
			   rows[i].other);
		assert_int_equal(enter(limit, "2001:db8:1:2::1"), 0);
		ASSERT_ROW(enter(limit, rows[i].other) == rows[i].want, rows[i].other);
		if (rows[i].want == 0)
			leave(limit, rows[i].other);
		leave(limit, "2001:db8:1:2::1");
		address_limit_destroy(&limit);
	}
}

/* Enough addresses that tables grow, shrink and close gaps; a plain array knows the truth. */
static void test_many_addresses_come_and_go(void **state)
{
	(void)state;
	enum { ADDRESSES = 5000, STEPS = 200000, MOST = 3 };
	static unsigned counts[ADDRESSES];
	struct address_limit *limit = address_limit_create(MOST, 64);
	uint32_t random = 12345;

	for (unsigned step = 0; step < STEPS; step++) {
		random = random * 1664525 + 1013904223;
		unsigned at = (random >> 8) % ADDRESSES;
		/* Waves: mostly in, then mostly out. */
		bool is_entry = (random >> 24) % 4 != ((step / 20000) % 2 == 0 ? 0u : 3u) &&
				((step / 20000) % 2 == 0 || (random >> 24) % 4 == 0);
		struct net_ip ip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10}};

		ip.bytes[14] = (uint8_t)(at >> 8);
		ip.bytes[15] = (uint8_t)at;
		if (is_entry) {
			int want = counts[at] == MOST ? -EUSERS : 0;

			assert_int_equal(address_limit_enter(limit, &ip), want);
			counts[at] += want == 0;
		} else if (counts[at] > 0) {
			address_limit_leave(limit, &ip);
			counts[at]--;
		}
	}
	for (unsigned at = 0; at < ADDRESSES; at++) {
		struct net_ip ip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10}};

		ip.bytes[14] = (uint8_t)(at >> 8);
		ip.bytes[15] = (uint8_t)at;
		for (; counts[at] > 0; counts[at]--)
			address_limit_leave(limit, &ip);
	}
	assert_int_equal(address_limit_fullest(limit), 0);
	address_limit_destroy(&limit); /* checks that nothing is left */
}

#define THREADS 8
#define ROUNDS  20000
#define PLACES  5

static struct address_limit *raced;
static uint64_t inside[2]; /* atomic; per address */
static uint64_t passed_max;

static void *enter_and_leave(void *arg)
{
	unsigned which = (unsigned)(uintptr_t)arg % 2;
	const struct net_ip ip = {.bytes = {[10] = 0xff, [11] = 0xff, [15] = (uint8_t)which}};

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (address_limit_enter(raced, &ip) < 0)
			continue;
		if (__atomic_add_fetch(&inside[which], 1, __ATOMIC_RELAXED) > PLACES)
			__atomic_store_n(&passed_max, 1, __ATOMIC_RELAXED);
		__atomic_sub_fetch(&inside[which], 1, __ATOMIC_RELAXED);
		address_limit_leave(raced, &ip);
	}
	return NULL;
}

static void test_never_more_than_max_are_in_over_threads(void **state)
{
	(void)state;
	pthread_t threads[THREADS];

	raced = address_limit_create(PLACES, 64);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(passed_max, 0);
	assert_int_equal(address_limit_fullest(raced), 0);
	address_limit_destroy(&raced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_address_has_its_own_count),
		cmocka_unit_test(test_who_was_in_already_is_in),
		cmocka_unit_test(test_ipv6_addresses_count_by_prefix),
		cmocka_unit_test(test_many_addresses_come_and_go),
		cmocka_unit_test(test_never_more_than_max_are_in_over_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
