/* SPDX-License-Identifier: Apache-2.0
 * test_capacity.c - how many connections a machine is said to hold, and which limit
 * says so. The facts are made up. */
#include "unit.h"

#include "server/capacity.h"

#define GIB (UINT64_C(1) << 30)

/* A machine where nothing binds but what the row says. */
static struct capacity_facts facts_of(enum loop_engine engine, uint64_t nofile)
{
	return (struct capacity_facts){
		.engine = engine,
		.cores = 2,
		.nofile = nofile,
		.file_max = UINT64_C(100000000),
		.memory_available = 1024 * GIB,
	};
}

static const enum loop_engine engines[] = {LOOP_ENGINE_EPOLL, LOOP_ENGINE_IO_URING};

/* What holds for every plan. */
static void assert_consistent(const struct capacity *plan, const char *name)
{
	static const char *const names[CAPACITY_LIMITS] = {"nofile", "fs.file-max", "memory"};

	ASSERT_ROW(plan->workers >= 1 && plan->workers <= 1024, name);
	ASSERT_ROW(plan->worker_connections <= plan->worker_sockets, name);
	for (unsigned i = 0; i < CAPACITY_LIMITS; i++) {
		ASSERT_ROW(strcmp(plan->rows[i].limit, names[i]) == 0, name);
		ASSERT_ROW(plan->rows[i].remedy != NULL, name);
		ASSERT_ROW(plan->rows[plan->binding].connections <= plan->rows[i].connections,
			   name);
	}
}

/* `max_connections` 0 is auto; `workers` 0 is auto; the other facts are facts_of's. */
static const struct {
	const char *name;
	enum loop_engine engine;
	uint64_t nofile;
	uint64_t max_connections;
	uint64_t workers;
	bool fits;
	uint64_t want_max;
	uint64_t want_workers;
} rows[] = {
	/* 48 descriptors are the process's, 4 each worker's, 1/32 of the rest is kept. */
	{"epoll auto", LOOP_ENGINE_EPOLL, 20000, 0, 0, true, 19432, 2},
	{"epoll one worker", LOOP_ENGINE_EPOLL, 20000, 0, 1, true, 19436, 1},
	{"epoll 1024 descriptors", LOOP_ENGINE_EPOLL, 1024, 0, 1, true, 942, 1},
	{"epoll 64 descriptors", LOOP_ENGINE_EPOLL, 64, 0, 1, true, 10, 1},
	{"epoll 64 descriptors, auto", LOOP_ENGINE_EPOLL, 64, 0, 0, true, 6, 2},
	{"epoll 16 descriptors are too few", LOOP_ENGINE_EPOLL, 16, 0, 1, false, 0, 1},
	{"epoll workers eat the descriptors", LOOP_ENGINE_EPOLL, 1024, 0, 244, false, 0, 244},
	{"epoll a number that just fits", LOOP_ENGINE_EPOLL, 20000, 19436, 1, true, 19436, 1},
	{"epoll one more", LOOP_ENGINE_EPOLL, 20000, 19437, 1, false, 19437, 1},
	/* Each ring holds nofile sockets less 1/32; of several the fullest is ahead. */
	{"ring auto", LOOP_ENGINE_IO_URING, 20000, 0, 0, true, 37864, 2},
	{"ring one worker", LOOP_ENGINE_IO_URING, 20000, 0, 1, true, 19488, 1},
	{"ring 1024 descriptors", LOOP_ENGINE_IO_URING, 1024, 0, 1, true, 992, 1},
	{"ring 64 descriptors", LOOP_ENGINE_IO_URING, 64, 0, 1, true, 62, 1},
	{"ring 16 descriptors", LOOP_ENGINE_IO_URING, 16, 0, 1, true, 14, 1},
	{"ring a number that just fits", LOOP_ENGINE_IO_URING, 20000, 19488, 1, true, 19488, 1},
	{"ring one more", LOOP_ENGINE_IO_URING, 20000, 19489, 1, false, 19489, 1},
	{"more rings for 60,000", LOOP_ENGINE_IO_URING, 20000, 60000, 0, true, 60000, 4},
	{"two rings are not enough for it", LOOP_ENGINE_IO_URING, 20000, 60000, 2, false, 60000, 2},
	{"more rings for a million", LOOP_ENGINE_IO_URING, 20000, 1000000, 0, true, 1000000, 53},
	{"1024 descriptors: 244 rings at most", LOOP_ENGINE_IO_URING, 1024, 1000000, 0, false,
	 1000000, 244},
};

static void test_plan_of_each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_server config = {
			.max_connections = rows[i].max_connections,
			.workers = rows[i].workers,
		};
		struct capacity_facts facts = facts_of(rows[i].engine, rows[i].nofile);
		struct capacity plan;

		if (capacity_plan(&config, &facts, &plan) != rows[i].fits ||
		    plan.max_connections != rows[i].want_max ||
		    plan.workers != rows[i].want_workers)
			fail_msg("row '%s': %lu connections with %lu workers", rows[i].name,
				 (unsigned long)plan.max_connections, (unsigned long)plan.workers);
		ASSERT_ROW(plan.binding == CAPACITY_NOFILE, rows[i].name);
		ASSERT_ROW(plan.rows[CAPACITY_NOFILE].value == rows[i].nofile, rows[i].name);
		assert_consistent(&plan, rows[i].name);
	}
}

/* Only the named fact is small. */
static const struct {
	const char *name;
	uint64_t file_max;
	uint64_t memory;
	enum capacity_limit binding;
	uint64_t allows;
} bindings[] = {
	{"file-max less a sixteenth", 1600, 1024 * GIB, CAPACITY_FILE_MAX, 1500},
	{"memory over 6 KiB", 100000000, 6144 * 1200, CAPACITY_MEMORY, 1200},
	{"memory below one connection", 100000000, 6143, CAPACITY_MEMORY, 0},
	{"the smaller of the two", 1600, 6144 * 1499, CAPACITY_MEMORY, 1499},
	{"memory unknown", 1600, UINT64_MAX, CAPACITY_FILE_MAX, 1500},
	{"file-max unknown", UINT64_MAX, 6144 * 1200, CAPACITY_MEMORY, 1200},
};

static void test_the_smallest_limit_binds_on_both_engines(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(bindings); i++) {
		const char *name = bindings[i / 2].name;
		struct capacity_facts facts = facts_of(engines[i % 2], 20000);
		struct config_server config = {.workers = 1};
		struct capacity plan;

		facts.file_max = bindings[i / 2].file_max;
		facts.memory_available = bindings[i / 2].memory;
		bool fits = capacity_plan(&config, &facts, &plan);

		ASSERT_ROW(fits == (bindings[i / 2].allows > 0), name);
		ASSERT_ROW(plan.binding == bindings[i / 2].binding, name);
		ASSERT_ROW(plan.max_connections == bindings[i / 2].allows, name);
		assert_consistent(&plan, name);

		config.max_connections = bindings[i / 2].allows + 1;
		ASSERT_ROW(!capacity_plan(&config, &facts, &plan), name);
		ASSERT_ROW(plan.binding == bindings[i / 2].binding, name);
		ASSERT_ROW(plan.max_connections == config.max_connections, name);
	}
}

/* UINT64_MAX stays what it is: any arithmetic on it would be a made-up number. */
static void test_unknown_facts_never_bind(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		struct capacity_facts facts = facts_of(engines[i], 1024);
		struct config_server config = {0};
		struct capacity plan;

		facts.file_max = UINT64_MAX;
		facts.memory_available = UINT64_MAX;
		assert_true(capacity_plan(&config, &facts, &plan));
		assert_int_equal(plan.binding, CAPACITY_NOFILE);
		assert_true(plan.rows[CAPACITY_FILE_MAX].connections == UINT64_MAX);
		assert_true(plan.rows[CAPACITY_MEMORY].connections == UINT64_MAX);
	}
}

/* Workers of `auto` never take the descriptors that they are there to serve. */
static void test_many_cores_and_few_descriptors_still_hold_some(void **state)
{
	(void)state;
	static const uint64_t nofiles[] = {64, 128, 256, 1024};

	for (size_t i = 0; i < 2 * ARRAY_LEN(nofiles); i++) {
		struct capacity_facts facts = facts_of(engines[i % 2], nofiles[i / 2]);
		struct config_server config = {0};
		struct capacity plan;

		facts.cores = 256;
		assert_true(capacity_plan(&config, &facts, &plan));
		assert_true(plan.workers * 4 <= facts.nofile);
		assert_true(plan.max_connections >= 6);
		assert_consistent(&plan, "many cores");
	}
}

static void test_facts_of_this_machine_make_a_plan(void **state)
{
	(void)state;
	struct capacity_facts facts = capacity_facts_read(LOOP_ENGINE_EPOLL);
	struct config_server config = {.max_connections = 1, .workers = 1};
	struct capacity plan;

	assert_true(facts.cores >= 1);
	assert_true(facts.nofile > 0 && facts.file_max > 0 && facts.memory_available > 0);
	assert_true(capacity_plan(&config, &facts, &plan));
	assert_int_equal(plan.max_connections, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_of_each_row),
		cmocka_unit_test(test_the_smallest_limit_binds_on_both_engines),
		cmocka_unit_test(test_unknown_facts_never_bind),
		cmocka_unit_test(test_many_cores_and_few_descriptors_still_hold_some),
		cmocka_unit_test(test_facts_of_this_machine_make_a_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
