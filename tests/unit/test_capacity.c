/* SPDX-License-Identifier: Apache-2.0
 * test_capacity.c - how many connections descriptors hold, and what a gateway becomes
 * with that. The facts are made up. */
#include "unit.h"

#include "diag/plan.h"

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

static struct os_value known(uint64_t value)
{
	return (struct os_value){.is_known = true, .value = value};
}

/* A machine where nothing binds but what the row says. */
static struct plan_facts facts_of(enum loop_engine engine, uint64_t nofile)
{
	return (struct plan_facts){
		.engine = engine,
		.engine_reason = "made up",
		.cores = 2,
		.can_io_uring = true,
		.os = {.nofile_soft = known(nofile),
		       .nofile_hard = known(nofile),
		       .open_files = known(20),
		       .file_max = known(UINT64_C(100000000)),
		       .file_used = known(0),
		       .memory_total_bytes = known(1024 * GIB),
		       .memory_available_bytes = known(1024 * GIB),
		       .cgroup_memory_max_bytes = known(OS_UNLIMITED),
		       .pids_max = known(OS_UNLIMITED)},
	};
}

static const enum loop_engine engines[] = {LOOP_ENGINE_EPOLL, LOOP_ENGINE_IO_URING};

/* What holds for every plan. */
static void assert_consistent(const struct plan *plan, const char *name)
{
	const struct limit *binding = limits_binding(&plan->limits);

	ASSERT_ROW(plan->capacity.workers >= 1 && plan->capacity.workers <= 1024, name);
	ASSERT_ROW(plan->capacity.worker_connections <= plan->capacity.worker_sockets, name);
	ASSERT_ROW(plan->limits.rows[LIMIT_ID_NOFILE].connections ==
			   plan->capacity.nofile_connections,
		   name);
	assert_non_null(binding);
	ASSERT_ROW(plan->limits.order[0] == binding->id, name);
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++)
		ASSERT_ROW(binding->connections <= plan->limits.rows[i].connections, name);
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

/* Found when a gateway with back ends ran out of descriptors before max_connections. */
static void test_sockets_to_back_ends_are_no_connections(void **state)
{
	(void)state;
	struct config_backend backends[] = {
		{.name = (char *)"used", .type = CONFIG_BACKEND_WEBHOOK, .max_in_flight = 1000},
		{.name = (char *)"unused", .type = CONFIG_BACKEND_WEBHOOK, .max_in_flight = 5000},
	};
	struct config_route route = {.backend = (char *)"used"};
	struct config config = {.server = {.workers = 1},
				.bus = {.type = CONFIG_BUS_NATS},
				.routes = &route,
				.route_count = 1,
				.backends = backends,
				.backend_count = ARRAY_LEN(backends)};
	struct plan_facts facts = facts_of(LOOP_ENGINE_EPOLL, 20000);
	struct plan with, without;

	plan_make(&config, &facts, &with);
	config.route_count = 0;
	config.bus.type = CONFIG_BUS_EMBEDDED;
	plan_make(&config, &facts, &without);
	assert_int_equal(without.max_connections, 19436);
	assert_int_equal(with.max_connections, 18432);
	config.route_count = 1;
	config.server.max_connections = 19436;
	plan_make(&config, &facts, &with);
	assert_false(with.fits);
	assert_consistent(&with, "with back ends");
}

static void test_plan_of_each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config config = {.server = {.max_connections = rows[i].max_connections,
						   .workers = rows[i].workers}};
		struct plan_facts facts = facts_of(rows[i].engine, rows[i].nofile);
		struct plan plan;

		plan_make(&config, &facts, &plan);
		if (plan.fits != rows[i].fits || plan.max_connections != rows[i].want_max ||
		    plan.capacity.workers != rows[i].want_workers)
			fail_msg("row '%s': %lu connections with %lu workers", rows[i].name,
				 (unsigned long)plan.max_connections,
				 (unsigned long)plan.capacity.workers);
		if (!plan.fits || rows[i].max_connections == 0)
			ASSERT_ROW(limits_binding(&plan.limits)->id == LIMIT_ID_NOFILE,
				   rows[i].name);
		assert_consistent(&plan, rows[i].name);
	}
}

/* [bytes] for payload: no more than what is given is for connections. */
#define PAYLOAD (UINT64_C(6144) * 100)

/* Only the named fact is small. */
static const struct {
	const char *name;
	uint64_t file_max;
	uint64_t memory;
	enum limit_id binding;
	uint64_t allows;
} bindings[] = {
	{"file-max less a sixteenth", 1600, 1024 * GIB, LIMIT_ID_FILE_MAX, 1500},
	{"memory over 6 KiB", 100000000, PAYLOAD + 6144 * 1200, LIMIT_ID_MEMORY, 1200},
	{"memory below one connection", 100000000, PAYLOAD + 6143, LIMIT_ID_MEMORY, 0},
	{"the smaller of the two", 1600, PAYLOAD + 6144 * 1499, LIMIT_ID_MEMORY, 1499},
	{"memory unknown", 1600, OS_UNLIMITED, LIMIT_ID_FILE_MAX, 1500},
	{"file-max unknown", UINT64_MAX, PAYLOAD + 6144 * 1200, LIMIT_ID_MEMORY, 1200},
};

static void test_the_smallest_limit_binds_on_both_engines(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(bindings); i++) {
		const char *name = bindings[i / 2].name;
		struct plan_facts facts = facts_of(engines[i % 2], 20000);
		struct config config = {.server = {.workers = 1, .payload_memory = PAYLOAD}};
		struct plan plan;

		facts.os.file_max.value = bindings[i / 2].file_max;
		facts.os.memory_available_bytes.value = bindings[i / 2].memory;
		facts.os.memory_available_bytes.is_known = bindings[i / 2].memory != OS_UNLIMITED;
		plan_make(&config, &facts, &plan);
		ASSERT_ROW(plan.fits == (bindings[i / 2].allows > 0), name);
		ASSERT_ROW(limits_binding(&plan.limits)->id == bindings[i / 2].binding, name);
		ASSERT_ROW(plan.max_connections == bindings[i / 2].allows, name);
		assert_consistent(&plan, name);

		config.server.max_connections = bindings[i / 2].allows + 1;
		plan_make(&config, &facts, &plan);
		ASSERT_ROW(!plan.fits, name);
		ASSERT_ROW(limits_binding(&plan.limits)->id == bindings[i / 2].binding, name);
		ASSERT_ROW(plan.max_connections == config.server.max_connections, name);
	}
}

/* What is free is shared by connections and what they send. */
static void test_memory_for_payload(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t available, cgroup_max, cgroup_used; /* [bytes] */
		uint64_t wanted;                             /* max_connections */
		uint64_t payload;                            /* configured; 0: auto */
		uint64_t want_payload;
		uint64_t want_connections;
		bool fits;
	} shares[] = {
		{"a quarter of the machine", 8 * GIB, OS_UNLIMITED, 0, 0, 0, 2 * GIB, 1048576,
		 true},
		{"a quarter of the container", 8 * GIB, 64 * MIB, 4 * MIB, 0, 0, 15 * MIB, 7680,
		 true},
		{"the machine has less than the container", 32 * MIB, 64 * MIB, 0, 0, 0, 8 * MIB,
		 4096, true},
		{"few are promised", 8 * GIB, 64 * MIB, 4 * MIB, 100, 0, 15 * MIB, 100, true},
		{"many are promised: half of what they leave", 8 * GIB, 64 * MIB, 4 * MIB, 8192, 0,
		 6 * MIB, 8192, true},
		{"so many that nothing is left", 8 * GIB, 64 * MIB, 4 * MIB, 10240, 0, 2 * MIB,
		 10240, false},
		{"configured", 8 * GIB, 64 * MIB, 4 * MIB, 0, 30 * MIB, 30 * MIB, 5120, true},
		{"more than there is", 8 * GIB, 64 * MIB, 4 * MIB, 0, 100 * MIB, 100 * MIB, 0,
		 false},
	};
	for (size_t i = 0; i < 2 * ARRAY_LEN(shares); i++) {
		struct plan_facts facts = facts_of(engines[i % 2], 1000000);
		struct config config = {.server = {.workers = 8,
						   .max_connections = shares[i / 2].wanted,
						   .payload_memory = shares[i / 2].payload}};
		struct plan plan;

		facts.os.memory_available_bytes = known(shares[i / 2].available);
		facts.os.cgroup_memory_max_bytes = known(shares[i / 2].cgroup_max);
		facts.os.cgroup_memory_used_bytes = known(shares[i / 2].cgroup_used);
		plan_make(&config, &facts, &plan);
		const struct limit *row = &plan.limits.rows[LIMIT_ID_PAYLOAD_MEMORY];

		ASSERT_ROW(plan.payload_memory == shares[i / 2].want_payload, shares[i / 2].name);
		ASSERT_ROW(row->state == LIMIT_KNOWN && row->value == plan.payload_memory,
			   shares[i / 2].name);
		ASSERT_ROW(row->connections == LIMIT_NO_CAP, shares[i / 2].name);
		ASSERT_ROW(plan.fits == shares[i / 2].fits, shares[i / 2].name);
		if (plan.max_connections !=
		    MIN(shares[i / 2].want_connections, plan.capacity.nofile_connections))
			fail_msg("row '%s': %lu connections", shares[i / 2].name,
				 (unsigned long)plan.max_connections);
	}
}

/* Nothing but the descriptors is known: no number is made up for the rest. */
static void test_unknown_facts_never_bind(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		struct plan_facts facts = {
			.engine = engines[i], .cores = 2, .os = {.nofile_soft = known(1024)}};
		struct config config = {0};
		struct plan plan;

		plan_make(&config, &facts, &plan);
		assert_true(plan.fits);
		assert_int_equal(limits_binding(&plan.limits)->id, LIMIT_ID_NOFILE);
		assert_true(plan.limits.rows[LIMIT_ID_FILE_MAX].connections == LIMIT_NO_CAP);
		assert_true(plan.limits.rows[LIMIT_ID_MEMORY].connections == LIMIT_NO_CAP);
		assert_true(plan.limits.rows[LIMIT_ID_MEMORY].state == LIMIT_UNKNOWN);
	}
}

/* Workers of `auto` never take the descriptors that they are there to serve. */
static void test_many_cores_and_few_descriptors_still_hold_some(void **state)
{
	(void)state;
	static const uint64_t nofiles[] = {64, 128, 256, 1024};

	for (size_t i = 0; i < 2 * ARRAY_LEN(nofiles); i++) {
		struct plan_facts facts = facts_of(engines[i % 2], nofiles[i / 2]);
		struct config config = {0};
		struct plan plan;

		facts.cores = 256;
		plan_make(&config, &facts, &plan);
		assert_true(plan.fits);
		assert_true(plan.capacity.workers * 4 <= facts.os.nofile_soft.value);
		assert_true(plan.max_connections >= 6);
		assert_consistent(&plan, "many cores");
	}
}

/* The smallest soft limit, give or take the steps of integer roots. */
static void test_nofile_for_is_enough_and_one_less_is_not(void **state)
{
	(void)state;
	static const uint64_t wanted[] = {1, 6, 100, 19437, 60000, 900000};

	for (size_t i = 0; i < 2 * ARRAY_LEN(wanted); i++) {
		struct config_server config = {.workers = 2};
		struct capacity_facts facts = {.engine = engines[i % 2], .cores = 2};

		facts.nofile = capacity_nofile_for(&config, &facts, wanted[i / 2]);
		assert_true(facts.nofile > 0);
		assert_true(capacity_plan(&config, &facts).nofile_connections >= wanted[i / 2]);
		facts.nofile--;
		assert_true(capacity_plan(&config, &facts).nofile_connections < wanted[i / 2]);
	}
}

/* A ring's table has a bound of the kernel's own: more of them are needed then. */
static void test_workers_for_is_enough_and_one_less_is_not(void **state)
{
	(void)state;
	struct capacity_facts facts = {
		.engine = LOOP_ENGINE_IO_URING, .cores = 2, .nofile = 2000000};
	struct config_server config = {.workers = 2};

	assert_int_equal(capacity_nofile_for(&config, &facts, 4000000), 0);
	config.workers = capacity_workers_for(&facts, 4000000);
	assert_int_equal(config.workers, 4);
	assert_true(capacity_plan(&config, &facts).nofile_connections >= 4000000);
	config.workers--;
	assert_true(capacity_plan(&config, &facts).nofile_connections < 4000000);

	facts.nofile = 1024;
	assert_int_equal(capacity_workers_for(&facts, 1000000), 0);
	facts.engine = LOOP_ENGINE_EPOLL;
	assert_int_equal(capacity_workers_for(&facts, 10), 0);
}

static int load(const char *text)
{
	struct slice slice = slice_of(text, strlen(text));
	struct config_report report = {0};
	struct config config;
	int r = config_load(&(struct config_sources){.file = "test", .text = &slice}, &report,
			    &config);

	config_report_finish(&report);
	if (r == 0)
		config_finish(&config);
	return r;
}

/* However large the machine, auto is a number that could be configured. */
static void test_auto_stays_in_the_range_of_the_option(void **state)
{
	(void)state;
	struct plan_facts facts = facts_of(LOOP_ENGINE_IO_URING, 1000000);
	struct config config = {.server = {.workers = 100}};
	struct plan plan;

	facts.os.memory_available_bytes.value = 1000 * 1024 * GIB;
	plan_make(&config, &facts, &plan);
	assert_true(limits_allowed(&plan.limits) > CONFIG_CONNECTIONS_MAX);
	assert_true(plan.fits);
	assert_int_equal(plan.max_connections, CONFIG_CONNECTIONS_MAX);
	assert_int_equal(plan.limits.rows[LIMIT_ID_MAX_CONNECTIONS].value, CONFIG_CONNECTIONS_MAX);
	assert_int_equal(load("server: {max_connections: 16000000}"), 0);
	assert_true(load("server: {max_connections: 16000001}") < 0);
}

static void test_each_further_listener_costs_a_descriptor_in_each_worker(void **state)
{
	(void)state;
	struct config_server config = {.workers = 2};
	struct capacity_facts facts = {
		.engine = LOOP_ENGINE_EPOLL, .cores = 2, .nofile = 64000, .listeners = 1};
	uint64_t one = capacity_plan(&config, &facts).nofile_connections;

	facts.listeners = 0;
	assert_int_equal(capacity_plan(&config, &facts).nofile_connections, one);
	facts.listeners = 5;
	assert_int_equal(capacity_plan(&config, &facts).nofile_connections, one - 2 * 4);
	/* A ring keeps sockets for those that each of them is about to accept. */
	facts.engine = LOOP_ENGINE_IO_URING;
	uint64_t five = capacity_plan(&config, &facts).worker_connections;

	facts.listeners = 1;
	assert_int_equal(capacity_plan(&config, &facts).worker_connections, five + 4 * 16);
}

static void test_plan_that_does_not_fit_explains_itself(void **state)
{
	(void)state;
	struct plan_facts facts = facts_of(LOOP_ENGINE_EPOLL, 1024);
	struct config config = {.server = {.max_connections = 10000, .workers = 1}};
	struct plan plan;
	char text[PLAN_EXPLAIN_MAX];

	facts.can_io_uring = false;
	plan_make(&config, &facts, &plan);
	assert_false(plan.fits);
	plan_explain(&plan, text);
	assert_true(strncmp(text, "limit nofile is 1024 and allows 942 connections; shell: ", 56) ==
		    0);
	assert_non_null(strstr(text, "systemd: LimitNOFILE=10374"));
}

static void test_facts_of_this_machine_make_a_plan(void **state)
{
	(void)state;
	struct config config = {.server = {.max_connections = 1, .workers = 1}};
	struct plan_facts facts;
	struct plan plan;

	plan_facts_read(LOOP_ENGINE_EPOLL, "configured", &facts);
	assert_true(facts.cores >= 1);
	assert_true(facts.os.nofile_soft.is_known && facts.os.nofile_soft.value > 0);
	assert_true(facts.os.memory_available_bytes.is_known);
	plan_make(&config, &facts, &plan);
	assert_true(plan.fits);
	assert_int_equal(plan.max_connections, 1);
	assert_int_equal(limits_binding(&plan.limits)->id, LIMIT_ID_MAX_CONNECTIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_of_each_row),
		cmocka_unit_test(test_sockets_to_back_ends_are_no_connections),
		cmocka_unit_test(test_the_smallest_limit_binds_on_both_engines),
		cmocka_unit_test(test_memory_for_payload),
		cmocka_unit_test(test_unknown_facts_never_bind),
		cmocka_unit_test(test_many_cores_and_few_descriptors_still_hold_some),
		cmocka_unit_test(test_nofile_for_is_enough_and_one_less_is_not),
		cmocka_unit_test(test_workers_for_is_enough_and_one_less_is_not),
		cmocka_unit_test(test_auto_stays_in_the_range_of_the_option),
		cmocka_unit_test(test_each_further_listener_costs_a_descriptor_in_each_worker),
		cmocka_unit_test(test_plan_that_does_not_fit_explains_itself),
		cmocka_unit_test(test_facts_of_this_machine_make_a_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
