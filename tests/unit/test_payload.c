/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>

#include "base/buf.h"
#include "base/payload.h"
#include "base/shared_bytes.h"

#define MIB (UINT64_C(1) << 20)

static int64_t settled(void)
{
	payload_settle();
	return (int64_t)payload_used();
}

static int configure(void **state)
{
	(void)state;
	payload_configure(16 * MIB);
	return 0;
}

/* What was taken is given back, by whatever way it grew. */
static void test_account_is_even_at_the_end(void **state)
{
	(void)state;
	int64_t before = settled();
	struct buf buf = {0};
	uint8_t *one = payload_alloc(100000);

	assert_non_null(one);
	assert_in_range(settled() - before, 100000, 100100);
	one = payload_grow(one, 100000, 300000);
	assert_in_range(settled() - before, 300000, 300100);
	payload_free(one, 300000);
	assert_int_equal(settled() - before, 0);

	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(buf_append(&buf, "0123456789", 10, MIB), 0);
	assert_in_range(settled() - before, buf.cap, buf.cap + 100);
	buf_finish(&buf);
	assert_int_equal(settled() - before, 0);

	struct shared_bytes *shared = shared_bytes_create(50000);
	struct shared_bytes *again = shared_bytes_ref(shared);

	assert_in_range(settled() - before, 50000, 50100);
	shared_bytes_unref(&shared);
	assert_in_range(settled() - before, 50000, 50100);
	shared_bytes_unref(&again);
	assert_int_equal(settled() - before, 0);
	payload_free(NULL, 0);
	assert_int_equal(settled() - before, 0);
}

/* The total is behind by less than a chunk, and is not written for less. */
static void test_small_changes_stay_with_the_thread(void **state)
{
	(void)state;
	void *many[100];
	int64_t before = settled();

	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		many[i] = payload_alloc(100);
		assert_in_range(payload_used() - (uint64_t)before, 0, 100 * 116);
	}
	assert_int_equal(payload_used(), before);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		payload_free(many[i], 100);
	assert_int_equal(settled(), before);
}

static void test_levels(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t used; /* [bytes] */
		enum payload_level want;
	} rows[] = {
		{"nothing", 0, PAYLOAD_CALM},    {"just below 7/8", 14 * MIB - 100, PAYLOAD_CALM},
		{"7/8", 14 * MIB, PAYLOAD_NEAR}, {"just below all", 16 * MIB - 100, PAYLOAD_NEAR},
		{"all", 16 * MIB, PAYLOAD_OVER}, {"just below 9/8", 18 * MIB - 100, PAYLOAD_OVER},
		{"9/8", 18 * MIB, PAYLOAD_OUT},
	};

	assert_int_equal(payload_max(), 16 * MIB);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t size = rows[i].used - (uint64_t)MIN(settled(), (int64_t)rows[i].used);
		void *taken = payload_alloc(size);

		payload_settle();
		ASSERT_ROW(payload_level() == rows[i].want, rows[i].name);
		payload_free(taken, size);
		payload_settle();
		ASSERT_ROW(payload_level() == PAYLOAD_CALM, rows[i].name);
	}
}

/* The limit changes under what is held. */
static void test_the_limit_changes(void **state)
{
	(void)state;
	void *taken = payload_alloc(MIB);

	payload_settle();
	assert_int_equal(payload_level(), PAYLOAD_CALM);
	payload_set_max(MIB / 2);
	assert_int_equal(payload_max(), MIB / 2);
	assert_int_equal(payload_level(), PAYLOAD_OUT);
	payload_set_max(MIB);
	assert_int_equal(payload_level(), PAYLOAD_OVER);
	payload_set_max(16 * MIB);
	assert_int_equal(payload_level(), PAYLOAD_CALM);
	payload_free(taken, MIB);
	payload_settle();
}

static void *run_free(void *arg)
{
	payload_free(arg, MIB);
	payload_settle();
	return NULL;
}

/* One thread may post what it gave back before the other posts what it took. */
static void test_given_back_by_another_thread(void **state)
{
	(void)state;
	pthread_t threads[8];
	int64_t before = settled();

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_free, payload_alloc(MIB)),
				 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(settled(), before);
	assert_int_equal(payload_level(), PAYLOAD_CALM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_account_is_even_at_the_end),
		cmocka_unit_test(test_small_changes_stay_with_the_thread),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_the_limit_changes),
		cmocka_unit_test(test_given_back_by_another_thread),
	};

	return cmocka_run_group_tests(tests, configure, NULL);
}
