/* SPDX-License-Identifier: Apache-2.0
 * test_limit_remedies.c - how each limit is raised: word for word, and that it helps. */
#include "limits_unit.h"

/* --- how to raise it --- */

/* Each as "place: text", one below the other. */
static void remedies_text(const struct world *world, enum limit_id id, uint64_t wanted,
			  char out[2048])
{
	struct limit_remedy list[LIMIT_REMEDIES_MAX];
	size_t count = limit_remedies(&world->input, &world->limits.rows[id], wanted, list);
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(out + at, 2048 - at, "%s: %s\n", list[i].place,
				       list[i].text);
}

/* clang-format off */
static const struct {
	const char *name;
	enum limit_id id;
	enum loop_engine engine;
	bool cannot_io_uring;
	uint64_t max_connections;
	struct change change;
	uint64_t wanted;
	const char *want;
} remedies[] = {
	{"descriptors of epoll, below the hard limit", LIMIT_ID_NOFILE, LOOP_ENGINE_EPOLL, true,
	 0, {0}, 25000, "shell: ulimit -n 25564\nsystemd: LimitNOFILE=25564\n"
	 "compose: ulimits: { nofile: { soft: 25564, hard: 25564 } }\n"
	 "docker: --ulimit nofile=25564:25564\n"
	 "kubernetes: LimitNOFILE=25564 for the container runtime: a pod has no field for it\n"},
	{"descriptors of epoll, over the hard limit and nr_open", LIMIT_ID_NOFILE,
	 LOOP_ENGINE_EPOLL, false, 0, {0}, 2000000,
	 "configuration: server.engine: io_uring, server.workers: 106\n"
	 "sysctl: sysctl -w fs.nr_open=2000564\n"
	 "shell: ulimit -n 2000564 # as root: it is over the hard limit\n"
	 "systemd: LimitNOFILE=2000564\n"
	 "compose: ulimits: { nofile: { soft: 2000564, hard: 2000564 } }\n"
	 "docker: --ulimit nofile=2000564:2000564\n"
	 "kubernetes: LimitNOFILE=2000564 for the container runtime: a pod has no field for it\n"},
	{"one ring is enough", LIMIT_ID_NOFILE, LOOP_ENGINE_EPOLL, false, 0, {0}, 19437,
	 "configuration: server.engine: io_uring\n"
	 "shell: ulimit -n 20001\nsystemd: LimitNOFILE=20001\n"
	 "compose: ulimits: { nofile: { soft: 20001, hard: 20001 } }\n"
	 "docker: --ulimit nofile=20001:20001\n"
	 "kubernetes: LimitNOFILE=20001 for the container runtime: a pod has no field for it\n"},
	{"more rings than the kernel's bound on one holds", LIMIT_ID_NOFILE, LOOP_ENGINE_IO_URING,
	 false, 0, {0}, 2000000, "configuration: server.workers: 106\n"},
	{"it suffices", LIMIT_ID_NOFILE, LOOP_ENGINE_EPOLL, false, 0, {0}, 19436, ""},
	{"it is unknown", LIMIT_ID_NOFILE, LOOP_ENGINE_EPOLL, false, 0, {FACT(nofile_soft),
	 UNKNOWN}, 25000, ""},
	{"configured number", LIMIT_ID_MAX_CONNECTIONS, LOOP_ENGINE_EPOLL, false, 1000, {0},
	 10000, "configuration: server.max_connections: 10000\n"},
	{"beyond what can be configured", LIMIT_ID_MAX_CONNECTIONS, LOOP_ENGINE_EPOLL, false,
	 1000, {0}, 16000001, ""},
	{"auto follows the others", LIMIT_ID_MAX_CONNECTIONS, LOOP_ENGINE_EPOLL, false, 0, {0},
	 100000, ""},
	{"files", LIMIT_ID_FILE_MAX, LOOP_ENGINE_EPOLL, false, 0, {FACT(file_max), 1600}, 14000,
	 "sysctl: sysctl -w fs.file-max=16000\n"},
	{"memory of the container", LIMIT_ID_CGROUP_MEMORY, LOOP_ENGINE_EPOLL, false, 0,
	 {FACT(cgroup_memory_max_bytes), 20 * MIB}, 10000, "systemd: MemoryMax=69M\n"
	 "compose: mem_limit: 69m # or deploy: { resources: { limits: { memory: 69m } } }\n"
	 "docker: --memory 69m\n" "kubernetes: resources: { limits: { memory: 69Mi } }\n"},
	{"memory", LIMIT_ID_MEMORY, LOOP_ENGINE_EPOLL, false, 0, {FACT(memory_available_bytes), 20
	 * MIB}, 10000, "machine: 39 MiB more memory\n"},
	{"threads", LIMIT_ID_PIDS, LOOP_ENGINE_IO_URING, false, 0, {FACT(pids_max), 12}, 40000,
	 "systemd: TasksMax=14\ncompose: pids_limit: 14\ndocker: --pids-limit 14\n"
	 "kubernetes: podPidsLimit: 14 in the kubelet's configuration\n"},
	{"flows", LIMIT_ID_CONNTRACK, LOOP_ENGINE_EPOLL, false, 0, {FACT(conntrack_used), 5},
	 262144, "sysctl: sysctl -w net.netfilter.nf_conntrack_max=262149\n"},
	{"accept queue, doubled", LIMIT_ID_SOMAXCONN, LOOP_ENGINE_EPOLL, false, 0, {0}, 1,
	 "sysctl: sysctl -w net.core.somaxconn=8192\n"},
	{"SYN backlog, doubled", LIMIT_ID_SYN_BACKLOG, LOOP_ENGINE_EPOLL, false, 0, {0}, 1,
	 "sysctl: sysctl -w net.ipv4.tcp_max_syn_backlog=1024\n"},
	{"SYN cookies", LIMIT_ID_SYN_COOKIES, LOOP_ENGINE_EPOLL, false, 0, {FACT(syn_cookies), 0},
	 1, "sysctl: sysctl -w net.ipv4.tcp_syncookies=1\n"},
	{"SYN cookies are on", LIMIT_ID_SYN_COOKIES, LOOP_ENGINE_EPOLL, false, 0, {0}, 1, ""},
	{"ports", LIMIT_ID_EPHEMERAL_PORTS, LOOP_ENGINE_EPOLL, false, 0, {0}, 1,
	 "sysctl: sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"\n"},
	{"ports all", LIMIT_ID_EPHEMERAL_PORTS, LOOP_ENGINE_EPOLL, false, 0, {FACT(port_low), 1},
	 1, "sysctl: sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"\n"},
	{"nr_open, doubled", LIMIT_ID_NR_OPEN, LOOP_ENGINE_EPOLL, false, 0, {0}, 1,
	 "sysctl: sysctl -w fs.nr_open=2097152\n"},
	{"locked memory, doubled", LIMIT_ID_MEMLOCK, LOOP_ENGINE_EPOLL, false, 0, {0}, 1,
	 "shell: ulimit -l 16384\nsystemd: LimitMEMLOCK=16777216\n"
	 "compose: ulimits: { memlock: { soft: 16777216, hard: 16777216 } }\n"
	 "docker: --ulimit memlock=16777216:16777216\n"},
	{"io_uring forbidden", LIMIT_ID_IO_URING, LOOP_ENGINE_EPOLL, true, 0,
	 {FACT(io_uring_disabled), 2}, 1, "sysctl: sysctl -w kernel.io_uring_disabled=0\n"},
	{"io_uring refused for another reason", LIMIT_ID_IO_URING, LOOP_ENGINE_EPOLL, true, 0,
	 {0}, 1, ""},
	{"a counter has no limit to raise", LIMIT_ID_LISTEN_DROPS, LOOP_ENGINE_EPOLL, false, 0,
	 {0}, 1, ""},
};
/* clang-format on */

static void test_each_remedy_word_for_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(remedies); i++) {
		struct world world;
		char text[2048];

		world_init(&world);
		world.input.engine = remedies[i].engine;
		world.input.can_io_uring = !remedies[i].cannot_io_uring;
		world.config.server.max_connections = remedies[i].max_connections;
		if (remedies[i].change.fact != 0 || remedies[i].change.value != 0)
			fact_change(&world, &remedies[i].change);
		world_build(&world);
		remedies_text(&world, remedies[i].id, remedies[i].wanted, text);
		if (strcmp(text, remedies[i].want) != 0)
			fail_msg("row '%s':\n%s", remedies[i].name, text);
	}
}

static void test_remedy_line_is_one_line_and_is_cut_at_its_end(void **state)
{
	(void)state;
	struct world world;
	char line[LIMIT_REMEDY_LINE_MAX];

	world_init(&world);
	world.os.file_max = known(1600);
	world_build(&world);
	assert_string_equal(
		limit_remedy_line(&world.input, &world.limits.rows[LIMIT_ID_FILE_MAX], 14000, line),
		"sysctl: sysctl -w fs.file-max=16000");
	limit_remedy_line(&world.input, &world.limits.rows[LIMIT_ID_NOFILE], 2000000, line);
	assert_non_null(strstr(line, "server.workers: 106; sysctl: sysctl -w fs.nr_open="));
	assert_non_null(strstr(line, "; docker: --ulimit nofile="));
	assert_true(strlen(line) < LIMIT_REMEDY_LINE_MAX);
	limit_remedy_line(&world.input, &world.limits.rows[LIMIT_ID_SYN_COOKIES], 1, line);
	assert_string_equal(line, "");
}

/* Does what the remedy says. False: it is a remedy without a number for the facts. */
static bool apply(struct world *world, const char *text)
{
	uint64_t n;
	char engine[16];

	if (sscanf(text, "LimitNOFILE=%" SCNu64, &n) == 1)
		world->os.nofile_soft = world->os.nofile_hard = known(n);
	else if (sscanf(text, "server.engine: io_uring, server.max_connections: %" SCNu64, &n) == 1)
		world->input.engine = LOOP_ENGINE_IO_URING,
		world->config.server.max_connections = n;
	else if (sscanf(text, "server.engine: io_uring, server.workers: %" SCNu64, &n) == 1)
		world->input.engine = LOOP_ENGINE_IO_URING, world->config.server.workers = n;
	else if (sscanf(text, "server.engine: %15[a-z_]", engine) == 1)
		world->input.engine = LOOP_ENGINE_IO_URING;
	else if (sscanf(text, "server.workers: %" SCNu64, &n) == 1)
		world->config.server.workers = n;
	else if (sscanf(text, "server.max_connections: %" SCNu64, &n) == 1)
		world->config.server.max_connections = n;
	else if (sscanf(text, "sysctl -w fs.file-max=%" SCNu64, &n) == 1)
		world->os.file_max = known(n);
	else if (sscanf(text, "sysctl -w net.netfilter.nf_conntrack_max=%" SCNu64, &n) == 1)
		world->os.conntrack_max = known(n);
	else if (sscanf(text, "MemoryMax=%" SCNu64 "M", &n) == 1)
		world->os.cgroup_memory_max_bytes = known(n * MIB);
	else if (sscanf(text, "%" SCNu64 " MiB more", &n) == 1)
		world->os.memory_available_bytes.value += n * MIB;
	else if (sscanf(text, "TasksMax=%" SCNu64, &n) == 1)
		world->os.pids_max = known(n);
	else
		return false;
	return true;
}

/* Every limit small, so that each one is in the way. */
static void world_init_small(struct world *world, unsigned variant)
{
	static const uint64_t nofiles[] = {64, 1024, 1023, 20000};
	static const uint64_t connections[] = {0, 17};

	world_init(world);
	world->os.nofile_soft = world->os.nofile_hard = known(nofiles[variant % 4]);
	world->os.file_max = known(1333);
	world->os.memory_available_bytes = known(3 * MIB + 1);
	world->os.cgroup_memory_max_bytes = known(12 * MIB + 7);
	world->os.pids_max = known(13);
	world->os.conntrack_used = known(100);
	world->os.conntrack_max = known(117);
	world->config.server.max_connections = 20;
	variant /= 4;
	world->config.server.workers = variant % 2;
	variant /= 2;
	world->input.engine = variant % 2 == 0 ? LOOP_ENGINE_EPOLL : LOOP_ENGINE_IO_URING;
	variant /= 2;
	world->input.connections = connections[variant % 2];
	world->input.is_running = variant % 2 == 1;
	variant /= 2;
	world->is_foreign = variant % 2 == 1 && world->input.engine == LOOP_ENGINE_EPOLL;
	world->others = 21;
}

#define VARIANTS (4 * 2 * 2 * 2 * 2)

/* Returns how many remedies were tried. */
static unsigned try_remedies(unsigned variant, enum limit_id id, uint64_t wanted)
{
	struct limit_remedy list[LIMIT_REMEDIES_MAX];
	struct world world;
	unsigned tried = 0;

	world_init_small(&world, variant);
	world_build(&world);
	size_t count = limit_remedies(&world.input, &world.limits.rows[id], wanted, list);

	for (size_t i = 0; i < count; i++) {
		struct world after;

		world_init_small(&after, variant);
		if (!apply(&after, list[i].text))
			continue;
		world_build(&after);
		if (after.limits.rows[id].connections < wanted)
			fail_msg("%s, variant %u: '%s' allows %" PRIu64 " of %" PRIu64,
				 limit_label(id), variant, list[i].text,
				 after.limits.rows[id].connections, wanted);
		tried++;
	}
	return tried;
}

/* The value that is named is enough, on every kind of machine. */
static void test_doing_what_a_remedy_says_is_enough(void **state)
{
	(void)state;
	static const uint64_t wanted[] = {1, 21, 1000, 19500, 60000, 1000000, 15999999};
	unsigned tried[LIMIT_ID_COUNT] = {0};

	for (unsigned variant = 0; variant < VARIANTS; variant++)
		for (unsigned id = 0; id < LIMIT_ID_COUNT; id++)
			for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
				if (limit_kind(id) == LIMIT_CAPS)
					tried[id] += try_remedies(variant, id, wanted[i]);
	for (unsigned id = 0; id < LIMIT_ID_COUNT; id++)
		if (limit_kind(id) == LIMIT_CAPS && tried[id] < 20)
			fail_msg("%s: only %u remedies were tried", limit_label(id), tried[id]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_remedy_word_for_word),
		cmocka_unit_test(test_remedy_line_is_one_line_and_is_cut_at_its_end),
		cmocka_unit_test(test_doing_what_a_remedy_says_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
