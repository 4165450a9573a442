/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/durations.h"
#include "base/hex.h"
#include "base/hist.h"
#include "base/list.h"
#include "base/log.h"
#include "base/media_type.h"
#include "base/net_addr.h"
#include "base/pool.h"
#include "base/slab.h"
#include "base/random.h"
#include "base/units.h"

static void test_duration_table(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		enum units_result want;
		uint64_t ms;
	} rows[] = {
		{"10s", UNITS_OK, 10000},
		{"500ms", UNITS_OK, 500},
		{"2m", UNITS_OK, 120000},
		{"1h", UNITS_OK, 3600000},
		{"1d", UNITS_OK, 86400000},
		{"0", UNITS_OK, 0},
		{"0s", UNITS_OK, 0},
		{"10", UNITS_NO_UNIT, 0},
		{"10 s", UNITS_BAD_UNIT, 0},
		{"10sec", UNITS_BAD_UNIT, 0},
		{"-1s", UNITS_MALFORMED, 0},
		{"", UNITS_EMPTY, 0},
		{"s", UNITS_MALFORMED, 0},
		{"1.5s", UNITS_FRACTION, 0},
		{"0,5s", UNITS_FRACTION, 0},
		{"1.s", UNITS_BAD_UNIT, 0},
		{"1.", UNITS_FRACTION, 0},
		{"1.5", UNITS_FRACTION, 0},
		{".5s", UNITS_MALFORMED, 0},
		{"1m30s", UNITS_SEVERAL, 0},
		{"1e3ms", UNITS_SEVERAL, 0},
		{"1s ", UNITS_BAD_UNIT, 0},
		{"99999999999999999999s", UNITS_TOO_BIG, 0},
		{"18446744073709551615d", UNITS_TOO_BIG, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t ms = 77;

		ASSERT_ROW(units_parse_duration_ms(slice_from_text(rows[i].in), &ms) ==
				   rows[i].want,
			   rows[i].in);
		ASSERT_ROW(ms == (rows[i].want == UNITS_OK ? rows[i].ms : 77), rows[i].in);
	}
}

static void test_size_table(void **state)
{
	(void)state;
	uint64_t size = 0;

	assert_int_equal(units_parse_size(SLICE_LITERAL("64KiB"), &size), UNITS_OK);
	assert_int_equal(size, 65536);
	assert_int_equal(units_parse_size(SLICE_LITERAL("1MB"), &size), UNITS_OK);
	assert_int_equal(size, 1000000);
	assert_int_equal(units_parse_size(SLICE_LITERAL("1kb"), &size), UNITS_BAD_UNIT);
	assert_int_equal(units_parse_size(SLICE_LITERAL("1"), &size), UNITS_NO_UNIT);
	assert_int_equal(units_parse_size(SLICE_LITERAL("1.5MiB"), &size), UNITS_FRACTION);
	assert_int_equal(units_parse_size(SLICE_LITERAL("1MiB512KiB"), &size), UNITS_SEVERAL);
	assert_int_equal(units_parse_count(SLICE_LITERAL("12x"), &size), UNITS_MALFORMED);
	assert_int_equal(size, 1000000);
}

static void test_ratio_table(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
		enum units_result want;
		uint64_t millionths;
	} rows[] = {
		{"0", "0", UNITS_OK, 0},
		{"1", "1", UNITS_OK, 1000000},
		{"1.0", "1", UNITS_OK, 1000000},
		{"0.25", "0.25", UNITS_OK, 250000},
		{"0.000001", "0.000001", UNITS_OK, 1},
		{"10.5", "10.5", UNITS_OK, 10500000},
		{"100", "100", UNITS_OK, 100000000},
		{"", "", UNITS_EMPTY, 0},
		{".5", "", UNITS_MALFORMED, 0},
		{"1.", "", UNITS_MALFORMED, 0},
		{"0.0000001", "", UNITS_MALFORMED, 0},
		{"0,5", "", UNITS_MALFORMED, 0},
		{"-1", "", UNITS_MALFORMED, 0},
		{"0.1e1", "", UNITS_MALFORMED, 0},
		{"1%", "", UNITS_MALFORMED, 0},
		{"18446744073709551615", "", UNITS_TOO_BIG, 0},
		{"18446744073709.551616", "", UNITS_TOO_BIG, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t millionths = 77;
		char text[32];

		ASSERT_ROW(units_parse_ratio(slice_from_text(rows[i].in), &millionths) ==
				   rows[i].want,
			   rows[i].in);
		if (rows[i].want != UNITS_OK) {
			ASSERT_ROW(millionths == 77, rows[i].in);
			continue;
		}
		ASSERT_ROW(millionths == rows[i].millionths, rows[i].in);
		ASSERT_ROW(strcmp(units_format_ratio(millionths, text, sizeof(text)),
				  rows[i].out) == 0,
			   rows[i].in);
	}
}

/* What is written where a number must be whole says so, and not that its unit is unknown. */
static void test_a_fraction_is_explained_as_one(void **state)
{
	(void)state;
	static const char *const kinds[] = {"duration", "size"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		ASSERT_ROW(strstr(units_explain(UNITS_FRACTION, kinds[i]), "whole number"),
			   kinds[i]);
		ASSERT_ROW(strstr(units_explain(UNITS_SEVERAL, kinds[i]), "more than one number"),
			   kinds[i]);
	}
	assert_string_equal(units_explain(UNITS_MALFORMED, "count"), "is not a whole number");
}

static void test_units_format_exact(void **state)
{
	(void)state;
	char text[32];

	assert_string_equal(units_format_duration_ms(10000, text, sizeof(text)), "10s");
	assert_string_equal(units_format_duration_ms(1500, text, sizeof(text)), "1500ms");
	assert_string_equal(units_format_duration_ms(0, text, sizeof(text)), "0ms");
	assert_string_equal(units_format_size(1048576, text, sizeof(text)), "1MiB");
	assert_string_equal(units_format_size(1000, text, sizeof(text)), "1kB");
	assert_string_equal(units_format_size(1001, text, sizeof(text)), "1001B");
}

static void test_media_types(void **state)
{
	static const struct {
		const char *field;
		bool is_text, is_json;
	} rows[] = {
		{"text/plain", true, false},
		{"TEXT/html; charset=utf-8", true, false},
		{"application/json", true, true},
		{" Application/JSON ;x=y", true, true},
		{"application/problem+json", true, true},
		{"application/vnd.api+JSON; charset=utf-8", true, true},
		{"application/+json", false, false},
		{"+json", false, false},
		{"application/jsonx", false, false},
		{"application/x+jsonx", false, false},
		{"application/json+xml", false, false},
		{"application/xml; x=+json", false, false},
		{"application/octet-stream", false, false},
		{"text", false, false},
		{"", false, false},
		{";", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice field = slice_from_text(rows[i].field);

		ASSERT_ROW(media_type_is_text(field) == rows[i].is_text, rows[i].field);
		ASSERT_ROW(media_type_is_json(field) == rows[i].is_json, rows[i].field);
	}
	assert_false(media_type_is_text((struct slice){0}));
	assert_false(media_type_is_json((struct slice){0}));
}

static void test_backoff_doubles_up_to_its_maximum(void **state)
{
	static const struct {
		uint32_t retry;
		uint64_t ceiling;
	} rows[] = {{1, 100},  {2, 200},  {3, 400},           {4, 800},
		    {5, 1000}, {6, 1000}, {4000000000u, 1000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(backoff_ns(100, 1000, rows[i].retry, 0), 0);
		assert_int_equal(backoff_ns(100, 1000, rows[i].retry, UINT32_MAX),
				 rows[i].ceiling - 1);
		assert_int_equal(backoff_ns(100, 1000, rows[i].retry, 1u << 31),
				 rows[i].ceiling / 2);
		assert_int_equal(backoff_half_ns(100, 1000, rows[i].retry, 0), rows[i].ceiling / 2);
		assert_int_equal(backoff_half_ns(100, 1000, rows[i].retry, UINT32_MAX),
				 rows[i].ceiling - 1);
	}
	assert_int_equal(backoff_ns(0, 0, 3, UINT32_MAX), 0);
	assert_int_equal(backoff_ns(0, 1000, 4000000000u, UINT32_MAX), 0);
	assert_true(backoff_ns(UINT64_MAX / 2, UINT64_MAX, 2, UINT32_MAX) > UINT64_MAX / 4 * 3);
}

static void test_hex_digits_have_their_case(void **state)
{
	(void)state;
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

	for (int c = 0; c < 256; c++) {
		const char *small = c == 0 ? NULL : strchr(lower, c);
		const char *large = c == 0 ? NULL : strchr(upper, c);
		int lower_value = small == NULL ? -1 : (int)(small - lower);
		int upper_value = large == NULL ? -1 : (int)(large - upper);

		assert_int_equal(hex_value_lower((uint8_t)c), lower_value);
		assert_int_equal(hex_value_upper((uint8_t)c), upper_value);
		assert_int_equal(hex_value((uint8_t)c), MAX(lower_value, upper_value));
	}
}

static void test_hex_numbers_have_up_to_16_digits(void **state)
{
	(void)state;
	static const char *const bad[] = {"0123456789abcdef0", "g", "A", " 1", "-1", "1x"};
	uint64_t number = 0;

	assert_true(hex_read(SLICE_LITERAL("fedcba9876543210"), &number));
	assert_int_equal(number, UINT64_C(0xfedcba9876543210));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		number = 7;
		assert_false(hex_read(slice_from_text(bad[i]), &number));
		assert_int_equal(number, 7);
	}
}

static void test_hist_percentiles(void **state)
{
	(void)state;
	struct hist *hist = calloc(1, sizeof(*hist));

	assert_int_equal(hist_percentile(hist, 50), 0);
	for (uint64_t v = 1; v <= 100000; v++)
		hist_record(hist, v);
	static const double percents[] = {1, 50, 90, 99, 99.9};

	for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
		double exact = percents[i] * 1000;
		double got = (double)hist_percentile(hist, percents[i]);

		assert_true(got >= exact && got <= exact * (1 + 1.0 / 127));
	}
	assert_int_equal(hist_percentile(hist, 100), 100000);
	assert_int_equal(hist->min, 1);
	hist_record(hist, UINT64_MAX);
	assert_int_equal(hist_percentile(hist, 100), UINT64_MAX);
	struct hist *other = calloc(1, sizeof(*other));

	hist_merge(other, hist);
	assert_memory_equal(other, hist, sizeof(*hist));
	free(other);
	free(hist);
}

/* The bucket of one duration, and nothing else is counted. */
static size_t bucket_of(const uint64_t *edges_us, uint64_t duration_ns)
{
	struct durations durations = {0};
	size_t found = DURATIONS_BUCKETS;

	durations_record(&durations, edges_us, duration_ns);
	assert_int_equal(durations.sum_us, duration_ns / NS_PER_US);
	for (size_t i = 0; i < DURATIONS_BUCKETS; i++) {
		if (durations.count[i] == 0)
			continue;
		assert_int_equal(durations.count[i], 1);
		assert_int_equal(found, DURATIONS_BUCKETS);
		found = i;
	}
	return found;
}

/* Prometheus: a bucket counts what is at most its edge. */
static void test_a_duration_at_the_edge_belongs_to_its_bucket(void **state)
{
	(void)state;
	static const uint64_t *const scales[] = {durations_short_us, durations_long_us};

	for (size_t scale = 0; scale < ARRAY_LEN(scales); scale++) {
		const uint64_t *edges_us = scales[scale];

		assert_int_equal(bucket_of(edges_us, 0), 0);
		for (size_t i = 0; i < DURATIONS_EDGES; i++) {
			uint64_t edge_ns = edges_us[i] * NS_PER_US;

			assert_int_equal(bucket_of(edges_us, edge_ns - 1), i);
			assert_int_equal(bucket_of(edges_us, edge_ns), i);
			assert_int_equal(bucket_of(edges_us, edge_ns + 1), i + 1);
		}
		assert_int_equal(bucket_of(edges_us, UINT64_MAX), DURATIONS_BUCKETS - 1);
	}
}

static void test_quantiles_of_durations(void **state)
{
	(void)state;
	struct durations durations = {0};

	assert_int_equal(durations_quantile_us(&durations, durations_long_us, 0.5), 0);
	for (size_t i = 0; i < 90; i++)
		durations_record(&durations, durations_long_us, 1500 * NS_PER_US); /* 1..2 ms */
	for (size_t i = 0; i < 10; i++)
		durations_record(&durations, durations_long_us, 300 * NS_PER_MS); /* 250..500 */
	assert_int_equal(durations_quantile_us(&durations, durations_long_us, 0.45), 1500);
	assert_int_equal(durations_quantile_us(&durations, durations_long_us, 0.9), 2000);
	assert_int_equal(durations_quantile_us(&durations, durations_long_us, 0.95), 375000);
	assert_int_equal(durations_quantile_us(&durations, durations_long_us, 1), 500000);
	for (size_t i = 0; i < 900; i++)
		durations_record(&durations, durations_long_us, 3600 * NS_PER_S);
	assert_int_equal(durations_quantile_us(&durations, durations_long_us, 0.5), 300000000);
}

static void test_pool_reuses_and_counts(void **state)
{
	(void)state;
	struct pool pool;
	void *objects[100];

	pool_init(&pool, 20);
	assert_int_equal(pool.object_size, 24);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		objects[i] = pool_get(&pool);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % 8, 0);
		memset(objects[i], (int)i, 20);
	}
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		assert_int_equal(((uint8_t *)objects[i])[19], (int)i);
	assert_int_equal(pool.live_count, 100);
	assert_int_equal(pool.chunk_count, 1);
	void *last = objects[99];

	pool_put(&pool, last);
	assert_ptr_equal(pool_get(&pool), last);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		pool_put(&pool, objects[i]);
	pool_put(&pool, NULL);
	pool_finish(&pool);
}

/* Puts those of every chunk back but the first `keep` of it. */
static void put_all_but(struct pool *pool, void **objects, size_t count, size_t keep)
{
	for (size_t i = 0; i < count; i++)
		if (i % pool->per_chunk >= keep)
			pool_put(pool, objects[i]);
}

static void test_pool_gives_empty_chunks_back(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t object_size, chunks, keep, chunks_after;
	} rows[] = {
		{"one chunk is spare", 8, 1, 0, 1},
		{"of many one is kept", 160, 20, 0, 1},
		{"a survivor keeps its chunk", 160, 20, 1, 20},
		{"the largest objects", POOL_CHUNK_SIZE / 4, 5, 0, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pool pool;

		pool_init(&pool, rows[i].object_size);
		size_t count = rows[i].chunks * pool.per_chunk;
		void **objects = calloc(count, sizeof(*objects));

		assert_non_null(objects);
		for (size_t k = 0; k < count; k++) {
			objects[k] = pool_get(&pool);
			assert_non_null(objects[k]);
		}
		ASSERT_ROW(pool.chunk_count == rows[i].chunks, rows[i].name);
		put_all_but(&pool, objects, count, rows[i].keep);
		ASSERT_ROW(pool.chunk_count == rows[i].chunks_after, rows[i].name);
		for (size_t k = 0; k < rows[i].chunks; k++)
			for (size_t kept = 0; kept < rows[i].keep; kept++)
				pool_put(&pool, objects[k * pool.per_chunk + kept]);
		ASSERT_ROW(pool.chunk_count == 1, rows[i].name);
		ASSERT_ROW(pool.live_count == 0, rows[i].name);
		pool_finish(&pool);
		free(objects);
	}
}

/* New objects come into the chunks that are in use, so that those that empty stay empty. */
static void test_pool_fills_chunks_in_use_first(void **state)
{
	(void)state;
	struct pool pool;

	pool_init(&pool, POOL_CHUNK_SIZE / 8);
	void *objects[7 * 4];

	assert_int_equal(pool.per_chunk, 7);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		objects[i] = pool_get(&pool);
	/* One place in the first chunk, one in the second; the third is empty, and spare. */
	pool_put(&pool, objects[0]);
	for (size_t i = 14; i < 21; i++)
		pool_put(&pool, objects[i]);
	pool_put(&pool, objects[7]);
	assert_int_equal(pool.chunk_count, 4);
	assert_ptr_equal(pool_get(&pool), objects[0]);
	assert_ptr_equal(pool_get(&pool), objects[7]);
	assert_non_null(pool.spare);
	objects[14] = pool_get(&pool);
	assert_null(pool.spare);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		if (i < 15 || i >= 21)
			pool_put(&pool, objects[i]);
	pool_finish(&pool);
}

/* Beside each object is memory of its own, for as long as it is wanted. */
static void test_pool_sides(void **state)
{
	(void)state;
	struct pool pool;
	size_t *objects[2000];

	pool_init(&pool, 160);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		objects[i] = pool_get(&pool);
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
			uint64_t *side = pool_side(&pool, objects[i], 3 * sizeof(*side));

			assert_true(side[0] == 0 && side[2] == 0);
			side[0] = side[2] = i + 1;
		}
		for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
			uint64_t *side = pool_side(&pool, objects[i], 3 * sizeof(*side));

			assert_true(side[0] == i + 1 && side[2] == i + 1);
		}
		pool_sides_drop(&pool);
	}
	/* What is there when a chunk goes, goes with it. */
	pool_side(&pool, objects[0], 8);
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		pool_put(&pool, objects[i]);
	pool_finish(&pool);
}

/* A walk sees each object that stays exactly once, whatever comes and goes meanwhile. */
static void test_pool_walk(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t object_size, count, put_every; /* while it walks; 0: none */
	} rows[] = {
		{"none", 160, 0, 0},
		{"one", 160, 1, 0},
		{"a few words of bits", 160, 200, 0},
		{"several chunks", 160, 3000, 0},
		{"every third one goes", 160, 3000, 3},
		{"most of them go", 8, 20000, 2},
		{"large ones", POOL_CHUNK_SIZE / 4, 50, 5},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pool pool;
		struct pool_walk walk;
		size_t **objects = calloc(rows[i].count + 1, sizeof(*objects));
		uint8_t *seen = calloc(rows[i].count + 1, 1);
		size_t every = rows[i].put_every, *found, gone = 0;

		pool_init(&pool, rows[i].object_size);
		for (size_t k = 0; k < rows[i].count; k++) {
			objects[k] = pool_get(&pool);
			*objects[k] = k;
		}
		pool_walk_start(&walk, &pool);
		while ((found = pool_walk_next(&walk)) != NULL) {
			seen[*found]++;
			/* From both ends: behind the walk and before it. */
			for (size_t at = gone; every > 0 && at < gone + every * 2; at += every) {
				size_t k = at / every % 2 == 0 ? at : rows[i].count - 1 - at;

				if (k < rows[i].count && k % every == 0)
					pool_put(&pool, objects[k]), objects[k] = NULL;
			}
			gone += every * 2;
		}
		pool_walk_stop(&walk);
		for (size_t k = 0; k < rows[i].count; k++) {
			ASSERT_ROW(seen[k] <= 1, rows[i].name);
			ASSERT_ROW(objects[k] == NULL || seen[k] == 1, rows[i].name);
			pool_put(&pool, objects[k]);
		}
		pool_finish(&pool);
		free(objects);
		free(seen);
	}
}

static void test_slab_objects_of_every_size(void **state)
{
	(void)state;
	struct slab *slab = malloc(sizeof(*slab));
	uint8_t *objects[SLAB_SIZE_MAX + 9];

	assert_non_null(slab);
	slab_init(slab);
	for (size_t size = 1; size < ARRAY_LEN(objects); size++) {
		objects[size] = slab_get(slab, size);
		assert_non_null(objects[size]);
		assert_int_equal((uintptr_t)objects[size] % 8, 0);
		memset(objects[size], (int)size, size);
	}
	for (size_t size = 1; size < ARRAY_LEN(objects); size++)
		assert_true(objects[size][0] == (uint8_t)size &&
			    objects[size][size - 1] == (uint8_t)size);
	for (size_t size = 1; size < ARRAY_LEN(objects); size++)
		slab_put(slab, objects[size], size);
	slab_put(slab, NULL, 8);
	slab_finish(slab);
	free(slab);
}

#define SLAB_THREADS 4
#define SLAB_ROUNDS  20000

struct slab_race {
	struct slab slab;
	void *shelf[64]; /* atomic; what one thread puts there another one frees */
};

static void *slab_racer(void *arg)
{
	struct slab_race *race = arg;

	for (unsigned i = 0; i < SLAB_ROUNDS; i++) {
		size_t place = i % ARRAY_LEN(race->shelf), size = 8 * (1 + place % 3);
		uint8_t *object = slab_get(&race->slab, size);

		CHECK(object != NULL);
		memset(object, (int)place, size);
		object = __atomic_exchange_n(&race->shelf[place], object, __ATOMIC_ACQ_REL);
		CHECK(object == NULL || (object[0] == place && object[size - 1] == place));
		slab_put(&race->slab, object, size);
	}
	return NULL;
}

static void test_slab_objects_are_freed_by_other_threads(void **state)
{
	(void)state;
	struct slab_race *race = calloc(1, sizeof(*race));
	pthread_t threads[SLAB_THREADS];

	assert_non_null(race);
	slab_init(&race->slab);
	for (size_t i = 0; i < SLAB_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, slab_racer, race), 0);
	for (size_t i = 0; i < SLAB_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < ARRAY_LEN(race->shelf); i++)
		slab_put(&race->slab, race->shelf[i], 8 * (1 + i % 3));
	slab_finish(&race->slab);
	free(race);
}

static void test_buf_cap_is_hard(void **state)
{
	(void)state;
	struct buf buf = {0};

	assert_int_equal(buf_append(&buf, "hello", 5, 10), 0);
	assert_int_equal(buf_append(&buf, "world!", 6, 10), -EMSGSIZE);
	assert_int_equal(buf.len, 5);
	assert_null(buf_reserve(&buf, SIZE_MAX, 10));
	assert_int_equal(buf_printf(&buf, 1000, " %s %d", "and", 7), 0);
	assert_memory_equal(buf.data, "hello and 7", 11);
	buf_consume(&buf, 6);
	assert_memory_equal(buf.data, "and 7", 5);
	char long_text[900];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[899] = 0;
	assert_int_equal(buf_printf(&buf, 904, "%s", long_text), 0);
	assert_int_equal(buf.len, 904);
	assert_int_equal(buf_printf(&buf, 904, "%s", long_text), -EMSGSIZE);
	buf_finish(&buf);
	assert_null(buf.data);
}

static void test_list_order_and_double_remove(void **state)
{
	(void)state;
	struct list_node head, other, a, b;

	list_init(&head);
	list_init(&other);
	list_append(&head, &a);
	list_append(&head, &b);
	assert_ptr_equal(head.next, &a);
	list_remove(&a);
	list_remove(&a);
	assert_ptr_equal(head.next, &b);
	list_move_all(&head, &other);
	assert_true(list_is_empty(&head));
	assert_ptr_equal(other.next, &b);
	assert_ptr_equal(b.next, &other);
}

static void test_list_pop(void **state)
{
	(void)state;
	struct list_node head, a, b;

	list_init(&head);
	list_append(&head, &a);
	list_append(&head, &b);
	assert_ptr_equal(list_pop(&head), &a);
	assert_ptr_equal(head.next, &b);
	assert_ptr_equal(b.prev, &head);
	list_remove(&a); /* it is linked to itself, so that this is harmless */
	list_append(&head, &a);
	assert_ptr_equal(list_pop(&head), &b);
	assert_ptr_equal(list_pop(&head), &a);
	assert_true(list_is_empty(&head) && head.prev == &head);
}

static void test_bytes_round_trip(void **state)
{
	(void)state;
	uint8_t out[8];

	be_write(out, 8, UINT64_C(0x0102030405060708));
	assert_int_equal(out[0], 1);
	assert_int_equal(out[7], 8);
	assert_int_equal(be_read(out, 8), UINT64_C(0x0102030405060708));
	assert_int_equal(be_read(out, 2), 0x0102);
}

static void test_random_is_not_constant(void **state)
{
	(void)state;
	struct random_source source = {0};
	uint8_t first[3000], second[3000];

	random_fill(&source, first, sizeof(first));
	random_fill(&source, second, sizeof(second));
	assert_memory_not_equal(first, second, sizeof(first));
}

static void test_log_gate_counts_what_it_holds_back(void **state)
{
	(void)state;
	struct log_gate gate = {0};
	uint64_t suppressed = 99;

	assert_true(log_gate_pass(&gate, 1, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_false(log_gate_pass(&gate, 2, &suppressed));
	assert_false(log_gate_pass(&gate, 999999999, &suppressed));
	assert_true(log_gate_pass(&gate, 1000000001, &suppressed));
	assert_int_equal(suppressed, 2);
}

static void test_net_addr_table(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		const char *want; /* NULL: refused */
	} rows[] = {
		{"127.0.0.1:8080", "127.0.0.1:8080"},
		{"[::1]:8080", "[::1]:8080"},
		{":8080", "0.0.0.0:8080"},
		{"0.0.0.0:0", "0.0.0.0:0"},
		{"[::]:65535", "[::]:65535"},
		{"127.0.0.1", NULL},
		{"127.0.0.1:", NULL},
		{"127.0.0.1:65536", NULL},
		{"127.0.0.1:80a", NULL},
		{"127.0.0:80", NULL},
		{"::1:80", NULL},
		{"[::1:80", NULL},
		{"[]:80", NULL},
		{"[127.0.0.1]:80", NULL},
		{"localhost:80", NULL},
		{"", NULL},
		{"]:80", NULL},
		{"[:80", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_addr addr = {.in = {.sin_port = 7}};
		char text[NET_ADDR_TEXT_MAX];
		const char *problem = net_addr_parse(slice_from_text(rows[i].in), &addr);

		ASSERT_ROW((problem == NULL) == (rows[i].want != NULL), rows[i].in);
		if (problem == NULL)
			assert_string_equal(net_addr_format(&addr, text, sizeof(text)),
					    rows[i].want);
		else
			ASSERT_ROW(addr.in.sin_port == 7, rows[i].in);
	}
	struct net_addr addr;

	assert_null(net_addr_parse(SLICE_LITERAL("127.9.8.7:1"), &addr));
	assert_true(net_addr_is_loopback(&addr));
	assert_null(net_addr_parse(SLICE_LITERAL("128.0.0.1:1"), &addr));
	assert_false(net_addr_is_loopback(&addr));
}

static void test_slice_next_takes_what_is_between_marks(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		const char *parts[3];
	} rows[] = {
		{"a", 1, {"a"}},
		{"a,b", 2, {"a", "b"}},
		{"", 1, {""}},
		{",", 2, {"", ""}},
		{"a,", 2, {"a", ""}},
		{",a", 2, {"", "a"}},
		{"a,,b", 3, {"a", "", "b"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice rest = slice_from_text(rows[i].text), part;
		size_t count = 0;

		for (; slice_next(&rest, ',', &part); count++) {
			const char *want = count < rows[i].count ? rows[i].parts[count] : NULL;

			ASSERT_ROW(want != NULL && slice_equals(part, slice_from_text(want)),
				   rows[i].text);
		}
		ASSERT_ROW(count == rows[i].count && rest.data == NULL, rows[i].text);
	}
	struct slice nothing = {0}, part = SLICE_LITERAL("x");

	assert_false(slice_next(&nothing, ',', &part));
	assert_true(slice_equals(part, SLICE_LITERAL("x")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slice_next_takes_what_is_between_marks),
		cmocka_unit_test(test_duration_table),
		cmocka_unit_test(test_size_table),
		cmocka_unit_test(test_ratio_table),
		cmocka_unit_test(test_a_fraction_is_explained_as_one),
		cmocka_unit_test(test_units_format_exact),
		cmocka_unit_test(test_backoff_doubles_up_to_its_maximum),
		cmocka_unit_test(test_hex_digits_have_their_case),
		cmocka_unit_test(test_hex_numbers_have_up_to_16_digits),
		cmocka_unit_test(test_hist_percentiles),
		cmocka_unit_test(test_a_duration_at_the_edge_belongs_to_its_bucket),
		cmocka_unit_test(test_quantiles_of_durations),
		cmocka_unit_test(test_pool_reuses_and_counts),
		cmocka_unit_test(test_pool_gives_empty_chunks_back),
		cmocka_unit_test(test_pool_fills_chunks_in_use_first),
		cmocka_unit_test(test_pool_walk),
		cmocka_unit_test(test_pool_sides),
		cmocka_unit_test(test_slab_objects_of_every_size),
		cmocka_unit_test(test_slab_objects_are_freed_by_other_threads),
		cmocka_unit_test(test_buf_cap_is_hard),
		cmocka_unit_test(test_list_order_and_double_remove),
		cmocka_unit_test(test_list_pop),
		cmocka_unit_test(test_bytes_round_trip),
		cmocka_unit_test(test_random_is_not_constant),
		cmocka_unit_test(test_media_types),
		cmocka_unit_test(test_net_addr_table),
		cmocka_unit_test(test_log_gate_counts_what_it_holds_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
