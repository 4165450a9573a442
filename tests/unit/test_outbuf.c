/* SPDX-License-Identifier: Apache-2.0
 * The small parts of io/: output buffers, names, facts about limits. */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "os/net_resolve.h"
#include "os/os_limits.h"
#include "io/outbuf.h"

static void fill(struct outbuf *outbuf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		outbuf->data[outbuf->end++] = (uint8_t)(i * 7);
}

static void test_get_gives_room_at_every_class_border(void **state)
{
	(void)state;
	struct outbuf_cache cache = {0};

	for (size_t size = 0; size < 140000; size += 97) {
		struct outbuf *outbuf = outbuf_get(&cache, size);

		assert_non_null(outbuf);
		assert_true(outbuf->cap >= size);
		assert_true(outbuf->start == 0 && outbuf->end == 0);
		memset(outbuf->data, 0x5a, outbuf->cap); /* ASan sees a cap that lies */
		outbuf_put(&cache, outbuf);
	}
	outbuf_cache_finish(&cache);
}

static void test_put_and_get_reuse_a_buffer_as_empty(void **state)
{
	(void)state;
	struct outbuf_cache cache = {0};
	struct outbuf *first = outbuf_get(&cache, 100);

	fill(first, 100);
	first->start = 60;
	outbuf_put(&cache, first);
	struct outbuf *second = outbuf_get(&cache, 1);

	assert_ptr_equal(second, first);
	assert_true(second->start == 0 && second->end == 0);
	outbuf_put(&cache, second);
	outbuf_cache_finish(&cache);
}

static void test_cache_is_bounded(void **state)
{
	(void)state;
	enum { COUNT = 2000 };
	struct outbuf_cache cache = {0};
	struct outbuf **outbufs = calloc(COUNT, sizeof(struct outbuf *));

	for (size_t i = 0; i < COUNT; i++)
		outbufs[i] = outbuf_get(&cache, i % 2 == 0 ? 10 : 60000);
	for (size_t i = 0; i < COUNT; i++)
		outbuf_put(&cache, outbufs[i]);
	for (size_t i = 0; i < OUTBUF_CLASSES; i++)
		assert_true(cache.count[i] < COUNT / 2);
	assert_true(cache.count[0] > 0);
	outbuf_cache_finish(&cache);
	assert_true(cache.count[0] == 0 && cache.free[0] == NULL);
	free(outbufs);
}

/* Holds `count` small buffers at once, and puts them back. */
static void use(struct outbuf_cache *cache, size_t count)
{
	struct outbuf *outbufs[100];

	assert_true(count <= ARRAY_LEN(outbufs));
	for (size_t i = 0; i < count; i++)
		outbufs[i] = outbuf_get(cache, 10);
	for (size_t i = 0; i < count; i++)
		outbuf_put(cache, outbufs[i]);
}

static void test_trim_frees_what_is_not_needed(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t used;     /* at once, since the last trim */
		unsigned cached; /* after this one */
	} steps[] = {
		{"a storm is new", 100, 100},    {"none of it is needed", 0, 0},
		{"another storm", 80, 80},       {"a part of it is needed", 30, 30},
		{"the same part again", 30, 30}, {"rest", 0, 0},
	};
	struct outbuf_cache cache = {0};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		use(&cache, steps[i].used);
		bool is_more = outbuf_cache_trim(&cache);

		ASSERT_ROW(cache.count[0] == steps[i].cached, steps[i].name);
		ASSERT_ROW(is_more == (steps[i].cached > 0), steps[i].name);
		ASSERT_ROW(outbuf_cache_is_empty(&cache) == !is_more, steps[i].name);
	}
	outbuf_cache_finish(&cache);
}

/* Memory is scarce: nothing may be kept. What was not needed before is no more than what came
 * since. */
static void test_trim_after_all_was_given_back(void **state)
{
	(void)state;
	struct outbuf_cache cache = {0};
	struct outbuf *one = outbuf_get(&cache, 10), *other = outbuf_get(&cache, 10);

	outbuf_put(&cache, one);
	outbuf_put(&cache, other);
	assert_true(outbuf_cache_trim(&cache));
	outbuf_cache_finish(&cache);
	assert_false(outbuf_cache_trim(&cache));

	outbuf_put(&cache, outbuf_get(&cache, 10));
	assert_true(outbuf_cache_trim(&cache)); /* it may have been needed until now */
	assert_false(outbuf_cache_trim(&cache));
}

static void test_put_null_is_fine(void **state)
{
	(void)state;
	struct outbuf_cache cache = {0};

	outbuf_put(&cache, NULL);
	assert_int_equal(cache.count[0], 0);
}

static void test_grow_keeps_the_unsent_bytes(void **state)
{
	(void)state;
	struct outbuf_cache cache = {0};

	for (size_t extra = 1; extra < 300000; extra *= 3) {
		struct outbuf *outbuf = outbuf_get(&cache, 400);

		fill(outbuf, 400);
		outbuf->start = 150;
		outbuf = outbuf_grow(&cache, outbuf, extra);
		assert_non_null(outbuf);
		assert_int_equal(outbuf->end - outbuf->start, 250);
		assert_true(outbuf->cap - outbuf->end >= extra);
		for (size_t i = 0; i < 250; i++)
			assert_int_equal(outbuf->data[outbuf->start + i], (uint8_t)((150 + i) * 7));
		outbuf_put(&cache, outbuf);
	}
	outbuf_cache_finish(&cache);
}

static void test_impossible_sizes_change_nothing(void **state)
{
	(void)state;
	struct outbuf_cache cache = {0};
	struct outbuf *outbuf = outbuf_get(&cache, 10);

	fill(outbuf, 10);
	assert_null(outbuf_get(&cache, SIZE_MAX));
	assert_null(outbuf_get(&cache, SIZE_MAX - sizeof(struct outbuf) + 1));
	assert_null(outbuf_grow(&cache, outbuf, SIZE_MAX));
	assert_int_equal(outbuf->end - outbuf->start, 10);
	assert_int_equal(outbuf->data[9], 63);
	outbuf_put(&cache, outbuf);
	outbuf_cache_finish(&cache);
}

static void test_resolve_numeric_addresses(void **state)
{
	(void)state;
	struct net_addr addr;

	assert_null(net_resolve("127.0.0.1", 8080, &addr));
	assert_int_equal(addr.sa.sa_family, AF_INET);
	assert_int_equal(net_addr_port(&addr), 8080);
	assert_true(net_addr_is_loopback(&addr));
	assert_null(net_resolve("::1", 65535, &addr));
	assert_int_equal(addr.sa.sa_family, AF_INET6);
	assert_int_equal(net_addr_port(&addr), 65535);
	assert_true(net_addr_is_loopback(&addr));
}

static void test_resolve_failure_is_said_and_writes_nothing(void **state)
{
	(void)state;
	struct net_addr addr;

	memset(&addr, 0x77, sizeof(addr));
	struct net_addr before = addr;
	char name[100] = {0}; /* a label over 63 characters: no query leaves the machine */

	memset(name, 'x', sizeof(name) - 1);
	const char *problem = net_resolve(name, 80, &addr);

	assert_non_null(problem);
	assert_true(strlen(problem) > 0);
	assert_memory_equal(&addr, &before, sizeof(addr));
}

static void test_nofile_soft_rises_to_hard(void **state)
{
	(void)state;
	struct os_nofile before = os_limits_nofile();
	struct os_nofile after = os_limits_raise_nofile();

	assert_true(before.soft <= before.hard);
	assert_true(after.hard == before.hard && after.soft == after.hard);
	assert_true(os_limits_nofile().soft == after.soft);
}

static void test_open_files_counts_descriptors(void **state)
{
	(void)state;
	uint64_t before = os_limits_open_files();
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(before >= 3);
	assert_true(os_limits_open_files() == before + 1);
	close(fd);
	assert_true(os_limits_open_files() == before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_gives_room_at_every_class_border),
		cmocka_unit_test(test_put_and_get_reuse_a_buffer_as_empty),
		cmocka_unit_test(test_cache_is_bounded),
		cmocka_unit_test(test_trim_frees_what_is_not_needed),
		cmocka_unit_test(test_trim_after_all_was_given_back),
		cmocka_unit_test(test_put_null_is_fine),
		cmocka_unit_test(test_grow_keeps_the_unsent_bytes),
		cmocka_unit_test(test_impossible_sizes_change_nothing),
		cmocka_unit_test(test_resolve_numeric_addresses),
		cmocka_unit_test(test_resolve_failure_is_said_and_writes_nothing),
		cmocka_unit_test(test_nofile_soft_rises_to_hard),
		cmocka_unit_test(test_open_files_counts_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
