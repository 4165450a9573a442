/* SPDX-License-Identifier: Apache-2.0
 * test_traffic.c - what is counted of one client: exact sums, recent rates that fade without
 * anybody's doing, and both of them again in another process. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "session/traffic.h"

#define TICK_NS (UINT64_C(1) << TRAFFIC_TICK_BITS)
#define START   (1000 * TICK_NS)

static struct traffic_picture look(const struct traffic *traffic, uint64_t now_ns, uint64_t age_ns)
{
	struct traffic_picture picture;

	traffic_look(traffic, now_ns, age_ns, &picture);
	return picture;
}

static void test_sums_are_exact_beyond_32_bits(void **state)
{
	(void)state;
	struct traffic traffic = {.messages = {UINT32_MAX - 1, 7}};

	traffic_add_bytes(&traffic, TRAFFIC_IN, 5000000000, START);
	for (int i = 0; i < 3; i++)
		traffic_add_message(&traffic, TRAFFIC_IN, START);
	traffic_add_bytes(&traffic, TRAFFIC_IN, 1, START);
	traffic_add_message(&traffic, TRAFFIC_OUT, START);
	struct traffic_picture picture = look(&traffic, START, 0);

	assert_true(picture.messages[TRAFFIC_IN] == UINT64_C(4294967297));
	assert_true(picture.bytes[TRAFFIC_IN] == 5000000001);
	assert_true(picture.messages[TRAFFIC_OUT] == 8 && picture.bytes[TRAFFIC_OUT] == 0);
	traffic_finish(&traffic);
}

/* `per_tick` messages of 100 bytes, spread over each of `ticks`. */
static void flow(struct traffic *traffic, unsigned ticks, unsigned per_tick)
{
	for (unsigned i = 0; i < ticks; i++)
		for (unsigned k = 0; k < per_tick; k++) {
			uint64_t now = START + i * TICK_NS + k * TICK_NS / per_tick;

			traffic_add_bytes(traffic, TRAFFIC_IN, 100, now);
			traffic_add_message(traffic, TRAFFIC_IN, now);
		}
}

static void assert_near(double value, double want, double part)
{
	if (value < want * (1 - part) || value > want * (1 + part))
		fail_msg("%g is not near %g", value, want);
}

/* Whatever the age, from the first seconds on, and in the middle of a tick as at its end. */
static void test_a_steady_stream_has_its_rate(void **state)
{
	(void)state;
	static const unsigned ages[] = {3, 4, 9, 30, 500};
	const double want = 50 / ((double)TICK_NS / (double)NS_PER_S);

	for (size_t i = 0; i < ARRAY_LEN(ages); i++)
		for (uint64_t part = 0; part < 4; part++) {
			struct traffic traffic = {0};
			uint64_t age = (ages[i] - 1) * TICK_NS + part * TICK_NS / 4;

			flow(&traffic, ages[i] - 1, 50);
			for (uint64_t k = 0; k < 50 * part / 4; k++) {
				uint64_t now = START + (ages[i] - 1) * TICK_NS + k * TICK_NS / 50;

				traffic_add_bytes(&traffic, TRAFFIC_IN, 100, now);
				traffic_add_message(&traffic, TRAFFIC_IN, now);
			}
			struct traffic_picture picture = look(&traffic, START + age, age);

			assert_near(picture.message_rate[TRAFFIC_IN], want, 0.06);
			assert_near(picture.byte_rate[TRAFFIC_IN], want * 100, 0.06);
			assert_true(picture.message_rate[TRAFFIC_OUT] == 0);
			traffic_finish(&traffic);
		}
}

static void test_a_rate_fades_and_the_sums_stay(void **state)
{
	(void)state;
	struct traffic traffic = {0};

	flow(&traffic, 100, 50);
	double before =
		look(&traffic, START + 100 * TICK_NS, 100 * TICK_NS).message_rate[TRAFFIC_IN];

	assert_near(look(&traffic, START + 108 * TICK_NS, 108 * TICK_NS).message_rate[TRAFFIC_IN],
		    before / 2, 0.01);
	struct traffic_picture late = look(&traffic, START + 1000 * TICK_NS, 1000 * TICK_NS);

	assert_true(late.message_rate[TRAFFIC_IN] == 0 && late.byte_rate[TRAFFIC_IN] == 0);
	assert_true(late.messages[TRAFFIC_IN] == 5000 && late.bytes[TRAFFIC_IN] == 500000);
	/* Looking changes nothing, counting does. */
	traffic_add_message(&traffic, TRAFFIC_IN, START + 1000 * TICK_NS);
	assert_near(look(&traffic, START + 1000 * TICK_NS, 1000 * TICK_NS).message_rate[TRAFFIC_IN],
		    1 / 12.05 / 1.0737 * 1.09, 0.05);
	traffic_finish(&traffic);
}

/* One that has just come and said one thing does not send thousands per second. */
static void test_a_new_client_is_not_overrated(void **state)
{
	(void)state;
	struct traffic traffic = {0};

	traffic_add_message(&traffic, TRAFFIC_IN, START + 5);
	assert_true(look(&traffic, START + NS_PER_MS, NS_PER_MS).message_rate[TRAFFIC_IN] < 1);
	assert_true(look(&traffic, START + NS_PER_MS, 0).message_rate[TRAFFIC_IN] > 0.5);
	traffic_finish(&traffic);
}

static void test_a_tick_ahead_of_the_clock_fades_nothing(void **state)
{
	(void)state;
	struct traffic traffic = {0};

	traffic_add_message(&traffic, TRAFFIC_IN, START + 3 * TICK_NS);
	assert_true(look(&traffic, START, 0).message_rate[TRAFFIC_IN] > 0);
	traffic_add_message(&traffic, TRAFFIC_IN, START);
	assert_true(look(&traffic, START, 0).messages[TRAFFIC_IN] == 2);
	traffic_finish(&traffic);
}

static void test_what_waits_is_cut_at_32_bits(void **state)
{
	(void)state;
	struct traffic traffic = {0};

	traffic_set_queued(&traffic, (size_t)UINT32_MAX + 9, START);
	assert_true(look(&traffic, START, 0).queued == UINT32_MAX);
	traffic_set_queued(&traffic, 12, START);
	assert_true(look(&traffic, START, 0).queued == 12);
	traffic_finish(&traffic);
}

/* What is only of interest while something happens costs an idle client nothing: neither one that
 * is pinged now and then, nor one that has said something once. */
static void test_an_idle_client_has_no_rates(void **state)
{
	(void)state;
	struct traffic traffic = {0};

	for (unsigned i = 0; i < 100; i++) {
		uint64_t now = START + i * 25 * NS_PER_S;

		traffic_rest(&traffic, now);
		traffic_add_bytes(&traffic, TRAFFIC_OUT, 2, now);
		traffic_set_queued(&traffic, 2, now);
		assert_true(traffic_queued(&traffic) == 2);
		traffic_set_queued(&traffic, 0, now);
		traffic_add_bytes(&traffic, TRAFFIC_IN, TRAFFIC_CONTROL_MAX, now);
		assert_null(traffic.rates);
	}
	assert_true(traffic.bytes[TRAFFIC_OUT] == 200);
	traffic_add_message(&traffic, TRAFFIC_IN, START);
	assert_non_null(traffic.rates);
	traffic_set_queued(&traffic, 9, START);
	traffic_rest(&traffic, START + 600 * NS_PER_S);
	assert_non_null(traffic.rates); /* something waits for it */
	traffic_add_message(&traffic, TRAFFIC_IN, START + 600 * NS_PER_S);
	traffic_set_queued(&traffic, 0, START + 600 * NS_PER_S);
	assert_non_null(traffic.rates);
	traffic_rest(&traffic, START + 610 * NS_PER_S);
	assert_non_null(traffic.rates);
	traffic_rest(&traffic, START + 650 * NS_PER_S);
	assert_null(traffic.rates);
	assert_true(traffic.messages[TRAFFIC_IN] == 2);
	/* One long message, of which the end has not come yet, is something. */
	traffic_add_bytes(&traffic, TRAFFIC_IN, 65536, START);
	assert_true(look(&traffic, START, 0).byte_rate[TRAFFIC_IN] > 0);
	traffic_finish(&traffic);
	assert_null(traffic.rates);
}

struct looker {
	const struct traffic *traffic;
	bool is_over; /* atomic */
};

static void *look_all_the_time(void *arg)
{
	struct looker *looker = arg;

	while (!__atomic_load_n(&looker->is_over, __ATOMIC_RELAXED))
		assert_true(look(looker->traffic, START, 0).queued <= 7);
	return NULL;
}

/* The sanitizers see to it. */
static void test_rates_go_while_somebody_looks(void **state)
{
	(void)state;
	struct traffic traffic = {0};
	struct looker looker = {.traffic = &traffic};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, look_all_the_time, &looker), 0);
	for (unsigned i = 0; i < 20000; i++) {
		traffic_set_queued(&traffic, 7, START);
		traffic_set_queued(&traffic, 0, START);
	}
	__atomic_store_n(&looker.is_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_null(traffic.rates);
}

static void test_it_goes_on_in_another_process(void **state)
{
	(void)state;
	struct traffic traffic = {0}, again = {0};
	struct traffic_record record;
	struct buf buf = {0};
	struct state_writer writer;

	flow(&traffic, 20, 50);
	traffic_add_bytes(&traffic, TRAFFIC_OUT, TRAFFIC_BYTES_MAX / 2, START + 20 * TICK_NS);
	traffic_set_queued(&traffic, 99, START + 20 * TICK_NS);
	state_writer_init(&writer, &buf, 4096);
	traffic_export(&traffic, &writer);
	assert_int_equal(writer.error, 0);
	assert_int_equal(traffic_read(&record, buf_slice(&buf), START), 0);
	traffic_import(&again, &record);
	struct traffic_picture one = look(&traffic, START + 21 * TICK_NS, 21 * TICK_NS),
			       other = look(&again, START + 21 * TICK_NS, 21 * TICK_NS);

	assert_true(one.message_rate[TRAFFIC_IN] > 0);
	for (int way = 0; way < 2; way++) {
		assert_true(one.bytes[way] == other.bytes[way]);
		assert_true(one.messages[way] == other.messages[way]);
		assert_true(one.byte_rate[way] == other.byte_rate[way]);
		assert_true(one.message_rate[way] == other.message_rate[way]);
	}
	assert_true(other.queued == 0); /* the stream knows */
	/* Every cut of it is refused, or stands for less. */
	for (size_t len = 0; len < buf.len; len++)
		(void)traffic_read(&record, slice_of(buf.data, len), START);
	traffic_finish(&traffic);
	traffic_finish(&again);
	traffic_import(&again, &(struct traffic_record){.messages = {3, 4}});
	assert_true(again.messages[TRAFFIC_OUT] == 4 && again.rates == NULL);
	buf_finish(&buf);
}

static void test_what_nobody_has_written_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint16_t tag;
		uint64_t value;
		int want;
	} rows[] = {
		{"infinite", 5, 0x7f800000, -EBADMSG},
		{"no number", 7, 0x7fc00000, -EBADMSG},
		{"negative", 6, 0xbf800000, -EBADMSG},
		{"wide float", 8, UINT64_MAX, -EBADMSG},
		{"wide messages", 3, UINT64_C(1) << 32, -EBADMSG},
		{"wide tick", 9, UINT64_C(1) << 32, -EBADMSG},
		{"unknown", 77, 1, 0},
		{"unknown, and must be", 77 | STATE_MUST, 1, -ENOTSUP},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct traffic_record record = {.messages = {5, 5}};
		struct buf buf = {0};
		struct state_writer writer;

		state_writer_init(&writer, &buf, 4096);
		state_put_u64(&writer, rows[i].tag, rows[i].value);
		ASSERT_ROW(traffic_read(&record, buf_slice(&buf), START) == rows[i].want,
			   rows[i].name);
		ASSERT_ROW((record.messages[1] == 5) == (rows[i].want < 0), rows[i].name);
		buf_finish(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_are_exact_beyond_32_bits),
		cmocka_unit_test(test_a_steady_stream_has_its_rate),
		cmocka_unit_test(test_a_rate_fades_and_the_sums_stay),
		cmocka_unit_test(test_a_new_client_is_not_overrated),
		cmocka_unit_test(test_a_tick_ahead_of_the_clock_fades_nothing),
		cmocka_unit_test(test_what_waits_is_cut_at_32_bits),
		cmocka_unit_test(test_an_idle_client_has_no_rates),
		cmocka_unit_test(test_rates_go_while_somebody_looks),
		cmocka_unit_test(test_it_goes_on_in_another_process),
		cmocka_unit_test(test_what_nobody_has_written_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
