/* SPDX-License-Identifier: Apache-2.0
 * test_limits.c - the limits table of made-up machines: what each row says, and which
 * one binds. */
#include "limits_unit.h"

/* --- names --- */

static void test_every_limit_has_its_own_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		assert_true(limit_label(i)[0] != '\0' && limit_scope_name(i)[0] != '\0');
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(limit_label(i), limit_label(j));
	}
	assert_string_equal(limit_label(LIMIT_ID_FILE_MAX), "fs.file-max");
	assert_string_equal(limit_unit(LIMIT_ID_MEMORY), "bytes");
	assert_string_equal(limit_scope_name(LIMIT_ID_CGROUP_MEMORY), "container");
	assert_string_equal(limit_kind_name(LIMIT_ID_LISTEN_DROPS), "counts");
	assert_int_equal(limit_kind(LIMIT_ID_SOMAXCONN), LIMIT_PACES);
	assert_string_equal(limit_state_name(LIMIT_OFF), "off");
}

/* --- what a row says --- */

/* clang-format off */
static const struct {
	const char *name;
	enum limit_id id;
	enum loop_engine engine;
	struct change changes[3];
	uint64_t connections; /* held now */
	enum limit_state state;
	uint64_t value;
	uint64_t used;
	uint64_t allows;
	const char *cost;
	const char *note; /* part of it */
} rows[] = {
	{"descriptors of epoll", LIMIT_ID_NOFILE, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 20000,
	 20, 19436, "1 descriptor", "less what 1 worker, admin and handshakes need"},
	{"descriptors of a ring", LIMIT_ID_NOFILE, LOOP_ENGINE_IO_URING, {{0}}, 0, LIMIT_KNOWN,
	 20000, 0, 19488, "1 slot in the ring of its worker", "per ring; 1 worker with one each"},
	{"descriptors unknown", LIMIT_ID_NOFILE, LOOP_ENGINE_EPOLL, {{FACT(nofile_soft),
	 UNKNOWN}}, 0, LIMIT_UNKNOWN, 0, NONE, LIMIT_NO_CAP, "", "/there: broken"},
	{"open files unknown", LIMIT_ID_NOFILE, LOOP_ENGINE_EPOLL, {{FACT(open_files), UNKNOWN}},
	 0, LIMIT_KNOWN, 20000, NONE, 19436, "1 descriptor", "use unknown: /there: broken"},
	{"hard limit", LIMIT_ID_NOFILE_HARD, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 30000,
	 NONE, LIMIT_NO_CAP, "", "can be raised to it without privilege"},
	{"hard limit reached", LIMIT_ID_NOFILE_HARD, LOOP_ENGINE_EPOLL, {{FACT(nofile_hard),
	 20000}}, 0, LIMIT_KNOWN, 20000, NONE, LIMIT_NO_CAP, "", "is there already"},
	{"nr_open", LIMIT_ID_NR_OPEN, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 1048576, NONE,
	 LIMIT_NO_CAP, "", "the most that a hard limit"},
	{"files of the machine", LIMIT_ID_FILE_MAX, LOOP_ENGINE_EPOLL, {{FACT(file_max), 1600},
	 {FACT(file_used), 300}}, 200, LIMIT_KNOWN, 1600, 300, 1400, "1 file", "a sixteenth"},
	{"files of the machine used up", LIMIT_ID_FILE_MAX, LOOP_ENGINE_EPOLL, {{FACT(file_max),
	 1600}, {FACT(file_used), 1600}}, 200, LIMIT_KNOWN, 1600, 1600, 200, "1 file", ""},
	{"files of the machine unlimited", LIMIT_ID_FILE_MAX, LOOP_ENGINE_EPOLL, {{FACT(file_max),
	 OS_UNLIMITED}}, 0, LIMIT_UNLIMITED, 0, NONE, LIMIT_NO_CAP, "", ""},
	{"files in use unknown", LIMIT_ID_FILE_MAX, LOOP_ENGINE_EPOLL, {{FACT(file_used),
	 UNKNOWN}}, 0, LIMIT_KNOWN, 10000000, NONE, LIMIT_NO_CAP, "", "use unknown"},
	{"memory of the container", LIMIT_ID_CGROUP_MEMORY, LOOP_ENGINE_EPOLL,
	 {{FACT(cgroup_memory_max_bytes), 16 * MIB}}, 100, LIMIT_KNOWN, 16 * MIB, 10 * MIB, 100 +
	 6 * 1024 * 1024 / 6144, "6144 bytes (assumed)", ""},
	{"memory of the container exceeded", LIMIT_ID_CGROUP_MEMORY, LOOP_ENGINE_EPOLL,
	 {{FACT(cgroup_memory_max_bytes), 9 * MIB}}, 100, LIMIT_KNOWN, 9 * MIB, 10 * MIB, 100,
	 "6144 bytes (assumed)", ""},
	{"memory of the container unlimited", LIMIT_ID_CGROUP_MEMORY, LOOP_ENGINE_EPOLL, {{0}}, 0,
	 LIMIT_UNLIMITED, 0, NONE, LIMIT_NO_CAP, "", ""},
	{"memory", LIMIT_ID_MEMORY, LOOP_ENGINE_EPOLL, {{FACT(memory_total_bytes), 100 * 6144},
	 {FACT(memory_available_bytes), 60 * 6144 + 1}}, 7, LIMIT_KNOWN, 100 * 6144, 40 * 6144 -
	 1, 67, "6144 bytes (assumed)", ""},
	{"memory without a total", LIMIT_ID_MEMORY, LOOP_ENGINE_EPOLL, {{FACT(memory_total_bytes),
	 UNKNOWN}, {FACT(memory_available_bytes), 60 * 6144}}, 0, LIMIT_KNOWN, 60 * 6144, NONE,
	 60, "6144 bytes (assumed)", "the value is what is available"},
	{"memory unknown", LIMIT_ID_MEMORY, LOOP_ENGINE_EPOLL, {{FACT(memory_available_bytes),
	 UNKNOWN}}, 0, LIMIT_UNKNOWN, 0, NONE, LIMIT_NO_CAP, "", "/there: broken"},
	{"threads with epoll", LIMIT_ID_PIDS, LOOP_ENGINE_EPOLL, {{FACT(pids_max), 20}}, 0,
	 LIMIT_KNOWN, 20, 10, LIMIT_NO_CAP, "", "more connections need no more threads"},
	{"threads with io_uring", LIMIT_ID_PIDS, LOOP_ENGINE_IO_URING, {{FACT(pids_max), 20}}, 0,
	 LIMIT_KNOWN, 20, 10, 9 * 19488, "1 worker for each 19488", "more workers"},
	{"threads used up", LIMIT_ID_PIDS, LOOP_ENGINE_IO_URING, {{FACT(pids_max), 10}}, 0,
	 LIMIT_KNOWN, 10, 10, 0, "1 worker for each 19488", ""},
	{"no module for flows", LIMIT_ID_CONNTRACK, LOOP_ENGINE_EPOLL, {{FACT(conntrack_used),
	 ABSENT}}, 0, LIMIT_OFF, 0, NONE, LIMIT_NO_CAP, "", "connection tracking is not loaded"},
	{"nothing of the network can be seen", LIMIT_ID_CONNTRACK, LOOP_ENGINE_EPOLL,
	 {{FACT(conntrack_used), ABSENT}, {FACT(conntrack_max), ABSENT}, {FACT(somaxconn),
	 ABSENT}}, 0, LIMIT_UNKNOWN, 0, NONE, LIMIT_NO_CAP, "", "/there: broken"},
	{"no rule counts flows", LIMIT_ID_CONNTRACK, LOOP_ENGINE_EPOLL, {{0}}, 50, LIMIT_OFF,
	 262144, 0, LIMIT_NO_CAP, "", "counts no flow"},
	{"flows", LIMIT_ID_CONNTRACK, LOOP_ENGINE_EPOLL, {{FACT(conntrack_used), 1000}}, 50,
	 LIMIT_KNOWN, 262144, 1000, 261194, "1 flow", "time out"},
	{"ports", LIMIT_ID_EPHEMERAL_PORTS, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 28232, NONE,
	 LIMIT_NO_CAP, "", "not the connections that a server accepts"},
	{"ports the wrong way round", LIMIT_ID_EPHEMERAL_PORTS, LOOP_ENGINE_EPOLL,
	 {{FACT(port_high), 100}}, 0, LIMIT_KNOWN, 0, NONE, LIMIT_NO_CAP, "", ""},
	{"ports unknown", LIMIT_ID_EPHEMERAL_PORTS, LOOP_ENGINE_EPOLL, {{FACT(port_high),
	 UNKNOWN}}, 0, LIMIT_UNKNOWN, 0, NONE, LIMIT_NO_CAP, "", "broken"},
	{"accept queue", LIMIT_ID_SOMAXCONN, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 4096, NONE,
	 LIMIT_NO_CAP, "", "1, 3, 7 s"},
	{"half-open", LIMIT_ID_SYN_BACKLOG, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 512, NONE,
	 LIMIT_NO_CAP, "", "half-open connections"},
	{"no cookies", LIMIT_ID_SYN_COOKIES, LOOP_ENGINE_EPOLL, {{FACT(syn_cookies), 0}}, 0,
	 LIMIT_KNOWN, 0, NONE, LIMIT_NO_CAP, "", "are lost"},
	{"cookies of a later kernel", LIMIT_ID_SYN_COOKIES, LOOP_ENGINE_EPOLL,
	 {{FACT(syn_cookies), 9}}, 0, LIMIT_KNOWN, 9, NONE, LIMIT_NO_CAP, "", ""},
	{"TCP memory", LIMIT_ID_TCP_MEM, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 100 * MIB,
	 4096, LIMIT_NO_CAP, "", "all TCP buffers"},
	{"overflows", LIMIT_ID_LISTEN_OVERFLOWS, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 3,
	 NONE, LIMIT_NO_CAP, "", "queue was full"},
	{"drops unknown", LIMIT_ID_LISTEN_DROPS, LOOP_ENGINE_EPOLL, {{FACT(listen_drops),
	 UNKNOWN}}, 0, LIMIT_UNKNOWN, 0, NONE, LIMIT_NO_CAP, "", "/there: broken"},
	{"io_uring not used", LIMIT_ID_IO_URING, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 1,
	 NONE, LIMIT_NO_CAP, "", "engine: epoll (configured); kernel.io_uring_disabled is 0"},
	{"io_uring of a kernel before 6.6", LIMIT_ID_IO_URING, LOOP_ENGINE_IO_URING,
	 {{FACT(io_uring_disabled), ABSENT}}, 0, LIMIT_KNOWN, 1, NONE, LIMIT_NO_CAP, "",
	 "kernel.io_uring_disabled unknown"},
	{"locked memory", LIMIT_ID_MEMLOCK, LOOP_ENGINE_EPOLL, {{0}}, 0, LIMIT_KNOWN, 8 * MIB,
	 NONE, LIMIT_NO_CAP, "", "from Linux 5.12 on"},
	{"no limit for each address", LIMIT_ID_MAX_CONNECTIONS_PER_IP, LOOP_ENGINE_EPOLL, {{0}},
	 0, LIMIT_OFF, 0, NONE, LIMIT_NO_CAP, "", "any number"},
};
/* clang-format on */

static void assert_row(size_t i, const struct limit *row)
{
	const char *name = rows[i].name;

	ASSERT_ROW(row->id == rows[i].id && row->state == rows[i].state, name);
	ASSERT_ROW(row->value == rows[i].value, name);
	ASSERT_ROW(row->has_used == (rows[i].used != NONE), name);
	ASSERT_ROW(!row->has_used || row->used == rows[i].used, name);
	if (row->connections != rows[i].allows)
		fail_msg("row '%s' allows %" PRIu64, name, row->connections);
	ASSERT_ROW(strcmp(row->cost, rows[i].cost) == 0, name);
	if (strstr(row->note, rows[i].note) == NULL)
		fail_msg("row '%s' notes '%s'", name, row->note);
	ASSERT_ROW(row->source[0] != '\0', name);
}

static void test_what_each_row_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world world;

		world_init(&world);
		world.input.engine = rows[i].engine;
		world.input.connections = rows[i].connections;
		for (size_t j = 0; j < ARRAY_LEN(rows[i].changes); j++)
			if (rows[i].changes[j].value != 0 || rows[i].changes[j].fact != 0)
				fact_change(&world, &rows[i].changes[j]);
		world_build(&world);
		assert_row(i, &world.limits.rows[rows[i].id]);
	}
}

static void test_what_goes_on_is_shown_as_used(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world.config.server.max_connections = 500;
	world.config.server.max_connections_per_ip = 7;
	world.input.engine = LOOP_ENGINE_IO_URING;
	world.input.connections = 400;
	world.input.fullest_ring = 300;
	world.input.fullest_ip = 6;
	world.input.cost = (struct limit_cost){.bytes = 5000, .is_measured = true};
	world_build(&world);
	const struct limit *limits = world.limits.rows;

	assert_int_equal(limits[LIMIT_ID_MAX_CONNECTIONS].used, 400);
	assert_int_equal(limits[LIMIT_ID_NOFILE].used, 300);
	assert_int_equal(limits[LIMIT_ID_MAX_CONNECTIONS_PER_IP].value, 7);
	assert_int_equal(limits[LIMIT_ID_MAX_CONNECTIONS_PER_IP].used, 6);
	assert_string_equal(limits[LIMIT_ID_MEMORY].cost, "5000 bytes (measured)");
	assert_true(limits[LIMIT_ID_MEMORY].connections == 400 + 60 * GIB / 5000);
}

static void test_accept_rate(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world.input.accept_rate_now = 90;
	world_build(&world);
	const struct limit *row = &world.limits.rows[LIMIT_ID_ACCEPT_RATE];

	assert_int_equal(row->state, LIMIT_OFF);
	assert_string_equal(row->note, "0: connections are taken as fast as they come");
	world.config.server.accept_rate = 100;
	world_build(&world);
	assert_int_equal(row->value, 100);
	assert_int_equal(limit_percent(row), 90);
	assert_string_equal(row->note, "after 100 at once (accept_burst)");
	world.config.server.accept_burst = 700;
	world_build(&world);
	assert_string_equal(row->note, "after 700 at once (accept_burst)");
}

/* The workers' threads are among those in use once they exist. */
static void test_threads_of_a_gateway_that_runs(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world.os.pids_max = known(12);
	world.input.engine = LOOP_ENGINE_IO_URING;
	world.input.is_running = true;
	world_build(&world);
	assert_int_equal(world.limits.rows[LIMIT_ID_PIDS].connections, 3 * 19488);
}

static void test_foreign_program(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world.is_foreign = true;
	world.others = 30;
	world_build(&world);
	assert_int_equal(world.limits.rows[LIMIT_ID_NOFILE].connections, 19970);
	assert_non_null(strstr(world.limits.rows[LIMIT_ID_NOFILE].note,
			       "less 30 descriptors that are no sockets"));
	static const enum limit_id ours[] = {LIMIT_ID_MAX_CONNECTIONS,
					     LIMIT_ID_MAX_CONNECTIONS_PER_IP, LIMIT_ID_ACCEPT_RATE,
					     LIMIT_ID_BACKEND_PENDING, LIMIT_ID_IO_URING};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		assert_int_equal(world.limits.rows[ours[i]].state, LIMIT_OFF);
		assert_true(world.limits.rows[ours[i]].note[0] != '\0');
	}
	assert_int_equal(limits_binding(&world.limits)->id, LIMIT_ID_NOFILE);
}

/* --- which one binds --- */

static void assert_order(const struct world *world, enum limit_id first, enum limit_id second)
{
	assert_int_equal(world->limits.order[0], first);
	assert_int_equal(world->limits.order[1], second);
}

static void test_configured_number_binds_then_what_is_next(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world.config.server.max_connections = 19436; /* as many as the descriptors allow */
	world_build(&world);
	assert_int_equal(limits_binding(&world.limits)->id, LIMIT_ID_MAX_CONNECTIONS);
	assert_int_equal(limits_next(&world.limits)->id, LIMIT_ID_NOFILE);
	assert_int_equal(limits_allowed(&world.limits), 19436);
	assert_order(&world, LIMIT_ID_MAX_CONNECTIONS, LIMIT_ID_NOFILE);

	world.config.server.max_connections = 19437;
	world_build(&world);
	assert_int_equal(limits_binding(&world.limits)->id, LIMIT_ID_NOFILE);
	assert_int_equal(limits_next(&world.limits)->id, LIMIT_ID_MAX_CONNECTIONS);
	assert_int_equal(limits_allowed(&world.limits), 19436);
}

static void test_auto_never_binds_itself(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world_build(&world);
	const struct limit *row = &world.limits.rows[LIMIT_ID_MAX_CONNECTIONS];

	assert_int_equal(row->value, 19436);
	assert_string_equal(row->note, "auto: taken from nofile");
	assert_int_equal(limits_binding(&world.limits)->id, LIMIT_ID_NOFILE);
	assert_int_equal(limits_next(&world.limits)->id, LIMIT_ID_FILE_MAX);
	assert_order(&world, LIMIT_ID_NOFILE, LIMIT_ID_MAX_CONNECTIONS);

	world.input.max_connections = 1000; /* from when there was less */
	world_build(&world);
	assert_int_equal(row->value, 1000);
	assert_string_equal(row->note, "auto: worked out at start; now nofile allows 19436");
	assert_int_equal(limits_binding(&world.limits)->id, LIMIT_ID_NOFILE);
	assert_order(&world, LIMIT_ID_NOFILE, LIMIT_ID_MAX_CONNECTIONS);
}

/* Those that do not cap stay in the order of the table, behind those that do. */
static void test_order_is_by_what_is_allowed(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world.os.memory_available_bytes = known(6144 * 100);
	world.config.server.max_connections = 5000;
	world_build(&world);
	for (unsigned i = 1; i < LIMIT_ID_COUNT; i++) {
		enum limit_id before = world.limits.order[i - 1];
		enum limit_id id = world.limits.order[i];
		uint64_t allows_before = world.limits.rows[before].connections;
		uint64_t allows = world.limits.rows[id].connections;

		assert_true(allows_before < allows || (allows_before == allows && before < id));
	}
	assert_order(&world, LIMIT_ID_MEMORY, LIMIT_ID_MAX_CONNECTIONS);
}

static void test_nothing_known_caps_nothing(void **state)
{
	(void)state;
	struct os_limits nothing = {0};
	struct limits limits;
	struct limits_input input = {.os = &nothing, .cost = {.bytes = 1}};

	limits_build(&input, &limits);
	assert_null(limits_binding(&limits));
	assert_null(limits_next(&limits));
	assert_true(limits_allowed(&limits) == LIMIT_NO_CAP);
}

static void test_percent(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct limit limit;
		unsigned want;
	} cases[] = {
		{"half", {.value = 10, .has_used = true, .used = 5}, 50},
		{"rounded down", {.value = 1000, .has_used = true, .used = 799}, 79},
		{"beyond it", {.value = 10, .has_used = true, .used = 12}, 120},
		{"large", {.value = UINT64_MAX / 2, .has_used = true, .used = UINT64_MAX / 4}, 50},
		{"nothing to be used", {.value = 0, .has_used = true, .used = 5}, 0},
		{"use unknown", {.value = 10, .used = 5}, 0},
		{"off", {.state = LIMIT_OFF, .value = 10, .has_used = true, .used = 5}, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ASSERT_ROW(limit_percent(&cases[i].limit) == cases[i].want, cases[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_limit_has_its_own_name),
		cmocka_unit_test(test_what_each_row_says),
		cmocka_unit_test(test_what_goes_on_is_shown_as_used),
		cmocka_unit_test(test_accept_rate),
		cmocka_unit_test(test_threads_of_a_gateway_that_runs),
		cmocka_unit_test(test_foreign_program),
		cmocka_unit_test(test_configured_number_binds_then_what_is_next),
		cmocka_unit_test(test_auto_never_binds_itself),
		cmocka_unit_test(test_order_is_by_what_is_allowed),
		cmocka_unit_test(test_nothing_known_caps_nothing),
		cmocka_unit_test(test_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
