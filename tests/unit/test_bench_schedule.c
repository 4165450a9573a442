/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>

#include "base/clock.h"
#include "bench/client/bench_payload.h"
#include "bench/load/bench_schedule.h"
#include "proto/ws_mask.h"

/* --- source addresses --- */

#define PORTS 28000

static struct net_addr addr_of(const char *text)
{
	struct net_addr addr;

	assert_null(net_addr_parse(slice_from_text(text), &addr));
	return addr;
}

static void test_only_ipv4_loopback_is_spread(void **state)
{
	(void)state;
	static const struct {
		const char *remote;
		uint64_t connections;
		bool is_spread;
		uint32_t count;
		uint32_t first; /* many leave 127.0.0.1 to others */
	} rows[] = {
		{"127.0.0.1:80", 1, true, 1, 1},           {"127.0.0.1:80", 1000, true, 1, 1},
		{"127.0.0.1:80", 1001, true, 1, 2},        {"127.0.0.1:80", 10500, true, 1, 2},
		{"127.0.0.1:80", 10501, true, 2, 2},       {"127.9.9.9:80", 1000000, true, 96, 2},
		{"127.0.0.1:80", 16000000, true, 1524, 2}, {"[::1]:80", 1000000, false, 1, 2},
		{"192.0.2.1:80", 1000000, false, 1, 2},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_addr remote = addr_of(rows[i].remote);
		struct bench_sources sources = bench_sources_plan(&remote, rows[i].connections,
								  PORTS);

		ASSERT_ROW(sources.is_spread == rows[i].is_spread, rows[i].remote);
		ASSERT_ROW(sources.count == rows[i].count, rows[i].remote);
		ASSERT_ROW(sources.first == rows[i].first, rows[i].remote);
	}
}

static uint32_t source_index(const struct bench_sources *sources, uint64_t number, unsigned try)
{
	struct net_addr addr = bench_source_address(sources, number, try);

	assert_int_equal(net_addr_port(&addr), 0);
	assert_true(net_addr_is_loopback(&addr));
	return ntohl(addr.in.sin_addr.s_addr) - (127u << 24);
}

static void test_no_source_has_more_than_its_share(void **state)
{
	(void)state;
	enum { CONNECTIONS = 40000 };
	struct net_addr remote = addr_of("127.0.0.1:80");
	struct bench_sources sources = bench_sources_plan(&remote, CONNECTIONS, PORTS);
	uint32_t used[8] = {0};

	for (uint64_t number = 1; number <= CONNECTIONS; number++) {
		uint32_t index = source_index(&sources, number, 0);

		assert_in_range(index, 2, 5);
		used[index]++;
	}
	for (unsigned i = 2; i <= 5; i++)
		assert_in_range(used[i], 1, PORTS * 3 / 8);
}

static void test_a_single_port_is_no_division_by_zero(void **state)
{
	(void)state;
	struct net_addr remote = addr_of("127.0.0.1:80");

	assert_int_equal(bench_sources_plan(&remote, 7, 1).count, 7);
}

static void test_each_try_is_another_source(void **state)
{
	(void)state;
	struct bench_sources sources = {true, 3, 1};

	for (unsigned try = 0; try < BENCH_SOURCE_TRIES; try++)
		assert_int_equal(source_index(&sources, 2, try), 2 + 3 * try);
}

static void test_sources_stay_in_the_network(void **state)
{
	(void)state;
	struct bench_sources sources = {true, 0xfffffe, 1};

	assert_int_equal(source_index(&sources, 1, 0), 1);
	assert_int_equal(source_index(&sources, 0xfffffe, 0), 0xfffffe);
	assert_int_equal(source_index(&sources, 1, 1), 1);
	sources.first = 2;
	assert_int_equal(source_index(&sources, 0xfffffd, 0), 0xfffffe);
	assert_int_equal(source_index(&sources, 0xfffffe, 0), 2);
}

/* Testers that run at once: whose numbers follow one another, and whose are far apart. */
static void test_testers_at_once_have_sources_of_their_own(void **state)
{
	(void)state;
	struct net_addr remote = addr_of("127.0.0.1:80");
	const struct bench_sources plan = bench_sources_plan(&remote, 40000, PORTS);
	struct bench_sources one = plan, other = plan, last = plan;

	bench_sources_shift(&one, 2 * BENCH_SOURCE_BLOCKS);
	bench_sources_shift(&other, 2 * BENCH_SOURCE_BLOCKS + 1);
	bench_sources_shift(&last, BENCH_SOURCE_BLOCKS - 1);
	assert_int_equal(source_index(&one, 4, 0), 5);
	assert_int_equal(source_index(&other, 1, 0), 6);
	assert_int_equal(source_index(&last, 4, BENCH_SOURCE_TRIES),
			 2 + 4 * BENCH_SOURCE_BLOCKS - 1 + 4 * BENCH_SOURCE_TRIES);

	struct bench_sources few = bench_sources_plan(&remote, 1000, PORTS), far = {.first = 2},
			     all = {true, 0x800000, 2};

	bench_sources_shift(&few, 7);
	bench_sources_shift(&far, 7);
	bench_sources_shift(&all, 7);
	assert_int_equal(few.first, 1);
	assert_int_equal(far.first, 2);
	assert_int_equal(all.first, 2);
}

/* --- workers --- */

#define URING LOOP_ENGINE_IO_URING
#define EPOLL LOOP_ENGINE_EPOLL

static void test_workers_and_their_room(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct bench_machine machine;
		uint64_t connections, wanted;
		unsigned workers;
		uint64_t room;
	} rows[] = {
		{"one is enough", {URING, {20000, 20000}, 10, 2}, 10000, 0, 1, 19936},
		{"by ring capacity", {URING, {20000, 20000}, 10, 2}, 1000000, 0, 51, 1016736},
		{"many small rings", {URING, {1024, 1024}, 10, 2}, 10000, 0, 11, 10560},
		{"a core is left to the other side",
		 {URING, {20000, 20000}, 10, 8},
		 100000,
		 0,
		 7,
		 139552},
		{"few connections, few workers", {EPOLL, {20000, 20000}, 10, 8}, 3000, 0, 2, 19952},
		{"one core", {EPOLL, {20000, 20000}, 10, 1}, 3000, 0, 1, 19955},
		{"as asked", {EPOLL, {20000, 20000}, 10, 2}, 3000, 5, 5, 19943},
		{"never more than connections", {EPOLL, {20000, 20000}, 10, 2}, 3, 5, 3, 19949},
		{"descriptors are shared with epoll",
		 {EPOLL, {1024, 1024}, 10, 2},
		 10000,
		 0,
		 1,
		 979},
		{"one ring, as asked", {URING, {1024, 1024}, 10, 2}, 10000, 1, 1, 960},
		{"rings need descriptors too", {URING, {128, 128}, 4, 2}, 100000, 0, 20, 1280},
		{"a limit below the reserve", {URING, {32, 32}, 10, 2}, 1, 0, 1, 0},
		{"epoll below the reserve", {EPOLL, {32, 32}, 10, 2}, 1, 0, 1, 0},
		{"never more than can be asked for",
		 {URING, {4096, 4096}, 10, 2},
		 16000000,
		 0,
		 1024,
		 4128768},
		{"no limit", {URING, {OS_UNLIMITED, OS_UNLIMITED}, 10, 2}, 5, 2, 2, OS_UNLIMITED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned workers = bench_plan_workers(&rows[i].machine, rows[i].connections,
						      rows[i].wanted);

		ASSERT_ROW(workers == rows[i].workers, rows[i].name);
		ASSERT_ROW(bench_plan_room(&rows[i].machine, workers) == rows[i].room,
			   rows[i].name);
	}
}

/* A socket of a ring is in the process's table until the ring has it. */
static void test_handshakes_leave_the_process_its_descriptors(void **state)
{
	(void)state;
	static const struct {
		struct bench_machine machine;
		unsigned workers;
		uint64_t in_flight;
	} rows[] = {
		{{URING, {256, 256}, 7, 2}, 3, (256 - 7 - 32 - 9) / 3},
		{{URING, {20000, 20000}, 10, 2}, 1, 19955},
		{{URING, {32, 32}, 10, 2}, 1, 0},
		{{EPOLL, {256, 256}, 7, 2}, 3, UINT64_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(bench_plan_in_flight(&rows[i].machine, rows[i].workers),
				 rows[i].in_flight);
}

static void test_shares_cover_every_connection_once(void **state)
{
	(void)state;
	static const struct {
		uint64_t connections;
		unsigned workers;
	} rows[] = {{1, 1}, {10, 3}, {31, 7}, {16000000, 1024}, {5, 5}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t next = 1;

		for (unsigned k = 0; k < rows[i].workers; k++) {
			uint64_t first;
			uint32_t count;

			bench_plan_share(rows[i].connections, rows[i].workers, k, &first, &count);
			assert_int_equal(first, next);
			assert_true(count > 0);
			next += count;
		}
		assert_int_equal(next, rows[i].connections + 1);
	}
}

/* --- pace --- */

static void test_ramp_reaches_the_rate_over_all_workers(void **state)
{
	(void)state;
	/* 1000 per second over all; this worker has 1 of 4 connections. */
	struct bench_pace pace = bench_pace_connect(500, 1000, 4000, 1000);

	assert_int_equal(bench_pace_at(&pace, 0), 500);
	assert_int_equal(bench_pace_at(&pace, 1), 500 + 4 * NS_PER_MS);
	assert_int_equal(bench_pace_at(&pace, 1000), 500 + 4 * NS_PER_S);
}

static void test_messages_take_turns_at_even_distance(void **state)
{
	(void)state;
	/* 4 connections, each every 10 s. */
	struct bench_pace pace = bench_pace_messages(0, 0.1, 4, 1, 0);

	assert_int_equal(bench_pace_at(&pace, 1), 2500 * NS_PER_MS);
	assert_int_equal(bench_pace_at(&pace, 4) - bench_pace_at(&pace, 0), 10 * NS_PER_S);
	assert_int_equal(bench_pace_at(&pace, 7) - bench_pace_at(&pace, 3), 10 * NS_PER_S);
}

static void test_workers_interleave(void **state)
{
	(void)state;
	struct bench_pace first = bench_pace_messages(0, 1, 10, 2, 0);
	struct bench_pace second = bench_pace_messages(0, 1, 10, 2, 1);

	assert_int_equal(bench_pace_at(&second, 0), 50 * NS_PER_MS);
	assert_int_equal(bench_pace_at(&first, 1), 100 * NS_PER_MS);
}

static void test_events_after_a_time_are_the_first_not_yet_planned(void **state)
{
	(void)state;
	const struct bench_pace pace = {NS_PER_S, 10.0 * NS_PER_MS};
	static const struct {
		const char *name;
		uint64_t now_ns, first, step, turn;
	} rows[] = {
		{"before the start", 0, 3, 5, 0},
		{"at the start", NS_PER_S, 0, 5, 1},
		{"just before its own", NS_PER_S + 30 * NS_PER_MS - 1, 3, 5, 0},
		{"at its own", NS_PER_S + 30 * NS_PER_MS, 3, 5, 1},
		{"many turns later", 2 * NS_PER_S, 3, 5, 20},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t turn = bench_pace_after(&pace, rows[i].now_ns, rows[i].first,
						 rows[i].step);

		ASSERT_ROW(turn == rows[i].turn, rows[i].name);
		ASSERT_ROW(bench_pace_at(&pace, rows[i].first + turn * rows[i].step) >
				   rows[i].now_ns,
			   rows[i].name);
	}
}

/* --- load shapes --- */

static void test_batches_end_with_all_and_differ_by_one_per_worker_at_most(void **state)
{
	(void)state;
	for (uint64_t total = 1; total < 40; total++) {
		for (unsigned workers = 1; workers <= MIN(total, 7); workers++) {
			for (uint64_t released = 1; released <= total + 3; released++) {
				uint64_t sum = 0;

				for (unsigned i = 0; i < workers; i++) {
					uint64_t first;
					uint32_t count, part = bench_plan_released(total, workers,
										   i, released);

					bench_plan_share(total, workers, i, &first, &count);
					assert_true(part <= count);
					sum += part;
				}
				assert_true(sum <= released &&
					    sum + workers > MIN(released, total));
				if (released >= total)
					assert_int_equal(sum, total);
			}
		}
	}
}

static void test_every_worker_has_a_handshake_in_flight(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t in_flight;
		double rate;
		unsigned workers;
		uint32_t of_first, of_last;
	} rows[] = {
		{"default", 0, 0, 4, 256, 256},
		{"with a rate", 0, 100, 4, UINT32_MAX, UINT32_MAX},
		{"shared", 10, 0, 4, 2, 3},
		{"a cap on a rate", 10, 100, 4, 2, 3},
		{"fewer than workers", 2, 0, 4, 1, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t first = bench_plan_handshakes(rows[i].in_flight, rows[i].rate,
						       rows[i].workers, 0);
		uint32_t last = bench_plan_handshakes(rows[i].in_flight, rows[i].rate,
						      rows[i].workers, rows[i].workers - 1);

		ASSERT_ROW(first == rows[i].of_first, rows[i].name);
		ASSERT_ROW(last == rows[i].of_last, rows[i].name);
	}
}

static void test_slow_readers_are_their_share_and_spread(void **state)
{
	(void)state;
	static const struct {
		double percent;
		unsigned of_1000;
	} rows[] = {{0, 0}, {0.1, 1}, {1, 10}, {5, 50}, {33, 330}, {100, 1000}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned first_half = 0, slow = 0;

		for (uint64_t number = 1; number <= 1000; number++) {
			slow += bench_plan_is_slow(number, rows[i].percent);
			first_half = number == 500 ? slow : first_half;
		}
		assert_int_equal(slow, rows[i].of_1000);
		assert_in_range(first_half, slow / 2, (slow + 1) / 2);
	}
}

static void test_lifetimes_are_half_to_one_and_a_half_times_the_mean(void **state)
{
	(void)state;
	assert_int_equal(bench_plan_lifetime_ns(1000, 0), NS_PER_S / 2);
	assert_int_equal(bench_plan_lifetime_ns(1000, UINT32_MAX), NS_PER_S / 2 * 3);
	assert_in_range(bench_plan_lifetime_ns(1000, UINT32_MAX / 2), NS_PER_S - 10, NS_PER_S + 10);
}

/* --- payload --- */

static const uint8_t no_mask[4];

static void write_plain(const struct bench_payload *payload, uint64_t number, uint64_t sequence,
			uint64_t sent_ns, uint8_t *out)
{
	const struct bench_message message = {number, sequence, sent_ns};

	bench_payload_write(payload, &message, no_mask, out);
}

static void test_right_echo_passes_at_every_size(void **state)
{
	(void)state;
	for (size_t size = 0; size < 200; size++) {
		struct bench_payload payload;
		uint8_t *out = malloc(size == 0 ? 1 : size);
		uint64_t sent_ns = 77;

		assert_int_equal(bench_payload_init(&payload, size, false), 0);
		write_plain(&payload, 9, 4, 123456789, out);
		assert_null(bench_payload_check(&payload, 9, 4, slice_of(out, size), &sent_ns));
		assert_int_equal(sent_ns, size < BENCH_STAMP_LEN ? 77 : 123456789);
		for (size_t i = 0; i < size; i++)
			assert_in_range(out[i], 0x20, 0x7e);
		bench_payload_finish(&payload);
		free(out);
	}
}

static void test_any_changed_bit_is_found(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 8, 15, 16, 64};

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct bench_payload payload;
		uint8_t out[64];
		uint64_t sent_ns = 77;

		assert_int_equal(bench_payload_init(&payload, sizes[s], true), 0);
		write_plain(&payload, 1, 0, NS_PER_S, out);
		for (size_t bit = 0; bit < sizes[s] * 8; bit++) {
			out[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_non_null(bench_payload_check(&payload, 1, 0, slice_of(out, sizes[s]),
							    &sent_ns));
			out[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		assert_int_equal(sent_ns, 77);
		bench_payload_finish(&payload);
	}
}

static void test_other_connection_sequence_or_length_is_found(void **state)
{
	(void)state;
	struct bench_payload payload;
	uint8_t out[64];
	uint64_t sent_ns;

	assert_int_equal(bench_payload_init(&payload, 64, false), 0);
	write_plain(&payload, 5, 3, NS_PER_S, out);
	assert_non_null(bench_payload_check(&payload, 6, 3, slice_of(out, 64), &sent_ns));
	assert_non_null(bench_payload_check(&payload, 5, 4, slice_of(out, 64), &sent_ns));
	assert_non_null(bench_payload_check(&payload, 5, 3, slice_of(out, 63), &sent_ns));
	assert_null(bench_payload_check(&payload, 5, 3, slice_of(out, 64), &sent_ns));
	bench_payload_finish(&payload);
}

static void test_masking_is_that_of_a_frame(void **state)
{
	(void)state;
	static const uint8_t key[4] = {1, 2, 3, 4};
	const struct bench_message message = {5, 3, NS_PER_S};

	for (size_t size = 0; size <= 70; size += 7) {
		struct bench_payload payload;
		uint8_t masked[70], plain[70];

		assert_int_equal(bench_payload_init(&payload, size, false), 0);
		bench_payload_write(&payload, &message, key, masked);
		bench_payload_write(&payload, &message, no_mask, plain);
		ws_mask_apply(masked, size, key, 0);
		assert_memory_equal(masked, plain, size);
		bench_payload_finish(&payload);
	}
}

static void test_age_survives_the_wrap_of_the_stamp(void **state)
{
	(void)state;
	assert_int_equal(bench_payload_age(BENCH_STAMP_MASK - 4, BENCH_STAMP_MASK + 6), 10);
	assert_int_equal(bench_payload_age(100, 350), 250);
}

static void test_waits_before_coming_back(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint32_t retry_after_s, failed;
		uint64_t least_ms, most_ms; /* by the least and the largest random number */
	} rows[] = {
		{"asked", 30, 0, 30000, 33000},
		{"asked, whatever failed", 1, 9, 1000, 1100},
		{"asked for a day", 86400, 0, 86400000, 95040000},
		{"the first", 0, 0, 50, 100},
		{"the second", 0, 1, 100, 200},
		{"the sixth", 0, 5, 1600, 3200},
		{"the longest", 0, 6, 2500, 5000},
		{"for ever", 0, UINT32_MAX - 1, 2500, 5000},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t least = bench_plan_wait_ns(rows[i].retry_after_s, rows[i].failed, 0);
		uint64_t most = bench_plan_wait_ns(rows[i].retry_after_s, rows[i].failed,
						   UINT32_MAX);

		ASSERT_ROW(least / NS_PER_MS == rows[i].least_ms, rows[i].name);
		ASSERT_ROW((most + NS_PER_MS / 2) / NS_PER_MS == rows[i].most_ms, rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_ipv4_loopback_is_spread),
		cmocka_unit_test(test_no_source_has_more_than_its_share),
		cmocka_unit_test(test_a_single_port_is_no_division_by_zero),
		cmocka_unit_test(test_each_try_is_another_source),
		cmocka_unit_test(test_sources_stay_in_the_network),
		cmocka_unit_test(test_testers_at_once_have_sources_of_their_own),
		cmocka_unit_test(test_workers_and_their_room),
		cmocka_unit_test(test_handshakes_leave_the_process_its_descriptors),
		cmocka_unit_test(test_shares_cover_every_connection_once),
		cmocka_unit_test(test_ramp_reaches_the_rate_over_all_workers),
		cmocka_unit_test(test_messages_take_turns_at_even_distance),
		cmocka_unit_test(test_workers_interleave),
		cmocka_unit_test(test_events_after_a_time_are_the_first_not_yet_planned),
		cmocka_unit_test(test_batches_end_with_all_and_differ_by_one_per_worker_at_most),
		cmocka_unit_test(test_every_worker_has_a_handshake_in_flight),
		cmocka_unit_test(test_slow_readers_are_their_share_and_spread),
		cmocka_unit_test(test_lifetimes_are_half_to_one_and_a_half_times_the_mean),
		cmocka_unit_test(test_right_echo_passes_at_every_size),
		cmocka_unit_test(test_any_changed_bit_is_found),
		cmocka_unit_test(test_other_connection_sequence_or_length_is_found),
		cmocka_unit_test(test_masking_is_that_of_a_frame),
		cmocka_unit_test(test_age_survives_the_wrap_of_the_stamp),
		cmocka_unit_test(test_waits_before_coming_back),
	};

	return cmocka_run_group_tests_name("bench_schedule", tests, NULL, NULL);
}
