/* SPDX-License-Identifier: Apache-2.0
 * test_os_limits.c - facts about limits, read from made-up trees of /proc and /sys, whole
 * and broken in every way. */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os_limits.h"

#define PID 42

/* --- a tree --- */

struct tree {
	char root[64];
};

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *at)
{
	(void)info, (void)flag, (void)at;
	return remove(path);
}

static void tree_finish(struct tree *tree)
{
	nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directories above `path`; out: root and path together. */
static void tree_path(const struct tree *tree, const char *path, char out[512])
{
	snprintf(out, 512, "%s%s", tree->root, path);
	for (char *at = out + strlen(tree->root) + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		assert_true(mkdir(out, 0755) == 0 || errno == EEXIST);
		*at = '/';
	}
}

static void tree_write(const struct tree *tree, const char *path, const char *content, size_t len)
{
	char full[512];

	tree_path(tree, path, full);
	FILE *file = fopen(full, "w");

	assert_non_null(file);
	assert_true(fwrite(content, 1, len, file) == len);
	assert_int_equal(fclose(file), 0);
}

static void tree_put(const struct tree *tree, const char *path, const char *content)
{
	tree_write(tree, path, content, strlen(content));
}

static void tree_link(const struct tree *tree, const char *path, const char *target)
{
	char full[512];

	tree_path(tree, path, full);
	unlink(full);
	assert_int_equal(symlink(target, full), 0);
}

static void tree_remove(const struct tree *tree, const char *path)
{
	char full[512];

	tree_path(tree, path, full);
	assert_int_equal(remove(full), 0);
}

#define LIMITS_HEAD \
	"Limit                     Soft Limit           Hard Limit           Units     \n"

/* A machine of which every fact can be read. */
static const struct {
	const char *path;
	const char *content;
} good[] = {
	{"/proc/42/limits", LIMITS_HEAD
	 "Max processes             96365                96365                processes \n"
	 "Max open files            1024                 4096                 files     \n"
	 "Max locked memory         unlimited            unlimited            bytes     \n"},
	{"/proc/42/status", "Name:\tserver\nVmRSS:\t    9000 kB\nRssAnon:\t    1000 kB\n"},
	{"/proc/42/fd/0", ""},
	{"/proc/42/fd/1", ""},
	{"/proc/42/fd/255", ""},
	{"/proc/42/net/sockstat", "sockets: used 20\n"
				  "TCP: inuse 3 orphan 1 tw 7 alloc 5 mem 2\n"
				  "UDP: inuse 9 mem 9\n"},
	{"/proc/42/net/netstat", "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\n"
				 "TcpExt: 0 11 12 5\n"
				 "IpExt: InNoRoutes\nIpExt: 7\n"},
	{"/proc/sys/fs/nr_open", "1048576\n"},
	{"/proc/sys/fs/file-max", "2000\n"},
	{"/proc/sys/fs/file-nr", "320\t0\t2000\n"},
	{"/proc/sys/kernel/io_uring_disabled", "1\n"},
	{"/proc/meminfo", "MemTotal:        8000 kB\nMemFree:  1 kB\nMemAvailable:    6000 kB\n"
			  "SReclaimable:    77 kB\nSUnreclaim:      500 kB\n"},
	{"/proc/sys/net/core/somaxconn", "4096\n"},
	{"/proc/sys/net/ipv4/tcp_max_syn_backlog", "512\n"},
	{"/proc/sys/net/ipv4/tcp_syncookies", "1\n"},
	{"/proc/sys/net/ipv4/tcp_mem", "10\t20\t30\n"},
	{"/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"},
	{"/proc/sys/net/netfilter/nf_conntrack_max", "262144\n"},
	{"/proc/sys/net/netfilter/nf_conntrack_count", "17\n"},
	{"/proc/42/cgroup", "0::/app\n"},
	{"/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"},
	{"/sys/fs/cgroup/app/memory.max", "1000000\n"},
	{"/sys/fs/cgroup/app/memory.current", "400000\n"},
	{"/sys/fs/cgroup/app/memory.stat", "anon 5\nactive_file 9\ninactive_file 100000\n"},
	{"/sys/fs/cgroup/app/pids.max", "100\n"},
	{"/sys/fs/cgroup/app/pids.current", "30\n"},
};

static void tree_init(struct tree *tree)
{
	snprintf(tree->root, sizeof(tree->root), "/tmp/test_os_limits.XXXXXX");
	assert_non_null(mkdtemp(tree->root));
	assert_int_equal(chmod(tree->root, 0755), 0);
}

static void tree_init_good(struct tree *tree)
{
	tree_init(tree);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		tree_put(tree, good[i].path, good[i].content);
	tree_link(tree, "/proc/42/ns/net", "net:[1]");
	tree_link(tree, "/proc/self/ns/net", "net:[1]");
}

static void tree_read(const struct tree *tree, struct os_limits *out_limits)
{
	os_limits_read(&(struct os_source){.root = tree->root, .pid = PID}, out_limits);
}

/* --- every fact of a whole tree --- */

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

static void test_every_fact_of_a_whole_tree(void **state)
{
	(void)state;
	struct tree tree;
	struct os_limits os;

	tree_init_good(&tree);
	tree_read(&tree, &os);
	const struct {
		const char *name;
		const struct os_value *value;
		uint64_t want;
	} facts[] = {
		{"nofile_soft", &os.nofile_soft, 1024},
		{"nofile_hard", &os.nofile_hard, 4096},
		{"open_files", &os.open_files, 3},
		{"memlock_bytes", &os.memlock_bytes, OS_UNLIMITED},
		{"resident_anon_bytes", &os.resident_anon_bytes, 1000 * 1024},
		{"nr_open", &os.nr_open, 1048576},
		{"file_max", &os.file_max, 2000},
		{"file_used", &os.file_used, 320},
		{"memory_total_bytes", &os.memory_total_bytes, 8000 * 1024},
		{"memory_available_bytes", &os.memory_available_bytes, 6000 * 1024},
		{"slab_bytes", &os.slab_bytes, 500 * 1024},
		{"cgroup_memory_max_bytes", &os.cgroup_memory_max_bytes, 1000000},
		{"cgroup_memory_used_bytes", &os.cgroup_memory_used_bytes, 300000},
		{"pids_max", &os.pids_max, 100},
		{"pids_used", &os.pids_used, 30},
		{"somaxconn", &os.somaxconn, 4096},
		{"syn_backlog", &os.syn_backlog, 512},
		{"syn_cookies", &os.syn_cookies, 1},
		{"tcp_mem_max_bytes", &os.tcp_mem_max_bytes, 30 * PAGE},
		{"tcp_mem_used_bytes", &os.tcp_mem_used_bytes, 2 * PAGE},
		{"tcp_sockets", &os.tcp_sockets, 5},
		{"listen_overflows", &os.listen_overflows, 11},
		{"listen_drops", &os.listen_drops, 12},
		{"conntrack_max", &os.conntrack_max, 262144},
		{"conntrack_used", &os.conntrack_used, 17},
		{"port_low", &os.port_low, 32768},
		{"port_high", &os.port_high, 60999},
		{"io_uring_disabled", &os.io_uring_disabled, 1},
	};

	assert_int_equal(sizeof(os) / sizeof(struct os_value), ARRAY_LEN(facts));
	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		ASSERT_ROW(facts[i].value->is_known, facts[i].name);
		ASSERT_ROW(facts[i].value->value == facts[i].want, facts[i].name);
		ASSERT_ROW(strstr(facts[i].value->source, tree.root) != NULL, facts[i].name);
		ASSERT_ROW(facts[i].value->problem[0] == '\0', facts[i].name);
	}
	tree_finish(&tree);
}

/* --- one broken file at a time --- */

#define FACT(name) offsetof(struct os_limits, name)

static const struct {
	const char *name;
	const char *path;
	const char *content; /* NULL: the file is removed */
	size_t fact;
	const char *problem; /* NULL: the fact is known, and is `want` */
	uint64_t want;
} broken[] = {
	{"limits missing", "/proc/42/limits", NULL, FACT(nofile_soft), "No such file"},
	{"limits empty", "/proc/42/limits", "", FACT(nofile_soft), "is empty"},
	{"limits without the line", "/proc/42/limits", LIMITS_HEAD, FACT(nofile_hard),
	 "has no line \"Max open files \""},
	{"limits cut", "/proc/42/limits", "Max open files            1024", FACT(nofile_hard),
	 "a number is missing"},
	{"limits cut, first", "/proc/42/limits", "Max open files            1024",
	 FACT(nofile_soft), NULL, 1024},
	{"limits unlimited", "/proc/42/limits", "Max open files   unlimited   unlimited  files\n",
	 FACT(nofile_soft), NULL, OS_UNLIMITED},
	{"number glued to letters", "/proc/sys/fs/nr_open", "123abc\n", FACT(nr_open),
	 "is not a number"},
	{"negative", "/proc/sys/fs/nr_open", "-1\n", FACT(nr_open), "is not a number"},
	{"words", "/proc/sys/fs/nr_open", "a lot\n", FACT(nr_open), "is not a number"},
	{"blank", "/proc/sys/fs/nr_open", "  \n", FACT(nr_open), "a number is missing"},
	{"empty", "/proc/sys/fs/nr_open", "", FACT(nr_open), "is empty"},
	{"largest", "/proc/sys/fs/nr_open", "18446744073709551614", FACT(nr_open), NULL,
	 UINT64_MAX - 1},
	{"one too large", "/proc/sys/fs/nr_open", "18446744073709551616\n", FACT(nr_open),
	 "the number is too large"},
	{"far too large", "/proc/sys/fs/nr_open", "99999999999999999999999999999\n", FACT(nr_open),
	 "the number is too large"},
	{"too large in bytes", "/proc/meminfo", "MemTotal: 18446744073709551615 kB\n",
	 FACT(memory_total_bytes), "the number is too large"},
	{"meminfo of an old kernel", "/proc/meminfo", "MemTotal: 8 kB\nMemFree: 8 kB\n",
	 FACT(memory_available_bytes), "has no line \"MemAvailable:\""},
	{"no end of line", "/proc/sys/net/core/somaxconn", "128", FACT(somaxconn), NULL, 128},
	{"file-max of systemd", "/proc/sys/fs/file-max", "9223372036854775807\n", FACT(file_max),
	 NULL, OS_UNLIMITED},
	{"tcp_mem with two numbers", "/proc/sys/net/ipv4/tcp_mem", "10\t20\n",
	 FACT(tcp_mem_max_bytes), "a number is missing"},
	{"ports with one number", "/proc/sys/net/ipv4/ip_local_port_range", "1024\n",
	 FACT(port_high), "a number is missing"},
	{"sockstat of another kind", "/proc/42/net/sockstat", "TCP: used 4\n", FACT(tcp_sockets),
	 "has no line"},
	{"netstat without the counter", "/proc/42/net/netstat", "TcpExt: A B\nTcpExt: 1 2\n",
	 FACT(listen_drops), "has no counter TcpExt ListenDrops"},
	{"netstat with a shorter line of numbers", "/proc/42/net/netstat",
	 "TcpExt: A ListenDrops\nTcpExt: 1\n", FACT(listen_drops), "a number is missing"},
	{"netstat without numbers", "/proc/42/net/netstat", "TcpExt: A ListenDrops",
	 FACT(listen_drops), "is not a number"},
	{"netstat with a name that only begins so", "/proc/42/net/netstat",
	 "TcpExt: ListenDropsX ListenDrops\nTcpExt: 1 2\n", FACT(listen_drops), NULL, 2},
	{"netstat empty", "/proc/42/net/netstat", "", FACT(listen_overflows), "has no counter"},
	{"netstat missing", "/proc/42/net/netstat", NULL, FACT(listen_overflows), "No such file"},
	{"no module for connection tracking", "/proc/sys/net/netfilter/nf_conntrack_count", NULL,
	 FACT(conntrack_used), "No such file"},
	{"kernel before 6.6", "/proc/sys/kernel/io_uring_disabled", NULL, FACT(io_uring_disabled),
	 "No such file"},
	{"no mounts", "/proc/self/mountinfo", NULL, FACT(cgroup_memory_max_bytes), "No such file"},
	{"mounts empty", "/proc/self/mountinfo", "", FACT(pids_max), "no mount shows"},
	{"mounts garbage", "/proc/self/mountinfo", "\n\n - \n - cgroup2\na b c d e - cgroup2\n",
	 FACT(pids_max), "no mount shows"},
	{"no groups", "/proc/42/cgroup", NULL, FACT(pids_max), "No such file"},
	{"groups empty", "/proc/42/cgroup", "", FACT(pids_max), "names no group"},
	{"groups garbage", "/proc/42/cgroup", ":\n::\nx\n1:a\n", FACT(pids_max), "names no group"},
	{"memory.max garbage", "/sys/fs/cgroup/app/memory.max", "?\n",
	 FACT(cgroup_memory_max_bytes), "is not a number"},
	{"memory.current missing", "/sys/fs/cgroup/app/memory.current", NULL,
	 FACT(cgroup_memory_used_bytes), "No such file"},
	{"memory.current missing, the limit is known all the same",
	 "/sys/fs/cgroup/app/memory.current", NULL, FACT(cgroup_memory_max_bytes), NULL, 1000000},
	{"memory.stat missing: nothing can be reclaimed", "/sys/fs/cgroup/app/memory.stat", NULL,
	 FACT(cgroup_memory_used_bytes), NULL, 400000},
	{"more to reclaim than used", "/sys/fs/cgroup/app/memory.stat", "inactive_file 500000\n",
	 FACT(cgroup_memory_used_bytes), NULL, 0},
};

static const struct os_value *fact_at(const struct os_limits *os, size_t offset)
{
	return (const struct os_value *)(const void *)((const char *)os + offset);
}

static void assert_unknown(const struct os_value *value, const char *problem, const char *name)
{
	ASSERT_ROW(!value->is_known, name);
	if (strstr(value->problem, problem) == NULL)
		fail_msg("row '%s': '%s'", name, value->problem);
	ASSERT_ROW(value->source[0] == '/', name);
	ASSERT_ROW(strncmp(value->problem, value->source, strlen(value->source)) == 0, name);
}

static void test_each_broken_file_is_named_with_the_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct tree tree;
		struct os_limits os;

		tree_init_good(&tree);
		if (broken[i].content == NULL)
			tree_remove(&tree, broken[i].path);
		else
			tree_put(&tree, broken[i].path, broken[i].content);
		tree_read(&tree, &os);
		const struct os_value *value = fact_at(&os, broken[i].fact);

		if (broken[i].problem != NULL) {
			assert_unknown(value, broken[i].problem, broken[i].name);
			ASSERT_ROW(value->is_absent ==
					   (strstr(broken[i].problem, "No such") != NULL),
				   broken[i].name);
		} else {
			ASSERT_ROW(value->is_known, broken[i].name);
			ASSERT_ROW(value->value == broken[i].want, broken[i].name);
		}
		tree_finish(&tree);
	}
}

/* Whatever a file holds, every other fact is as it was, and nothing crashes. */
static void test_every_file_as_garbage(void **state)
{
	(void)state;
	static const char *const garbage[] = {"",           "\n",           " ",           ":",
					      "::",         "\\",           "max",         " - ",
					      "TcpExt: \n", "\xff\xfe\x80", "%s%n 1 2 3\n"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct tree tree;
		struct os_limits os;

		tree_init_good(&tree);
		for (size_t j = 0; j < ARRAY_LEN(garbage); j++) {
			tree_put(&tree, good[i].path, garbage[j]);
			tree_read(&tree, &os);
			tree_write(&tree, good[i].path, "\0\0\0", 3);
			tree_read(&tree, &os);
			assert_int_equal(os.open_files.value, 3);
		}
		tree_finish(&tree);
	}
}

static void test_directory_in_place_of_a_file(void **state)
{
	(void)state;
	struct tree tree;
	struct os_limits os;
	char full[512];

	tree_init_good(&tree);
	tree_remove(&tree, "/proc/sys/fs/nr_open");
	tree_path(&tree, "/proc/sys/fs/nr_open", full);
	assert_int_equal(mkdir(full, 0755), 0);
	tree_read(&tree, &os);
	assert_unknown(&os.nr_open, "Is a directory", "nr_open");
	tree_finish(&tree);
}

/* A pipe that nobody writes to must not hang the reader. */
static void test_pipe_in_place_of_a_file(void **state)
{
	(void)state;
	struct tree tree;
	struct os_limits os;
	char full[512];

	tree_init_good(&tree);
	tree_remove(&tree, "/proc/sys/fs/nr_open");
	tree_path(&tree, "/proc/sys/fs/nr_open", full);
	assert_int_equal(mkfifo(full, 0644), 0);
	tree_read(&tree, &os);
	assert_unknown(&os.nr_open, "is empty", "nr_open");
	tree_finish(&tree);
}

/* Root may read everything, so it puts its rights away for the moment. */
static void test_file_that_is_not_ours_to_read(void **state)
{
	(void)state;
	struct tree tree;
	struct os_limits os;
	char full[512];
	bool is_root = geteuid() == 0;

	tree_init_good(&tree);
	tree_path(&tree, "/proc/42/limits", full);
	assert_int_equal(chmod(full, 0), 0);
	tree_path(&tree, "/proc/42/fd", full);
	assert_int_equal(chmod(full, 0), 0);
	tree_path(&tree, "/sys/fs/cgroup/app/memory.max", full);
	assert_int_equal(chmod(full, 0), 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	tree_read(&tree, &os);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_unknown(&os.nofile_soft, "Permission denied", "nofile_soft");
	assert_unknown(&os.open_files, "Permission denied", "open_files");
	assert_unknown(&os.cgroup_memory_max_bytes, "Permission denied", "memory");
	assert_true(os.pids_max.is_known && os.somaxconn.is_known);
	tree_path(&tree, "/proc/42/fd", full);
	assert_int_equal(chmod(full, 0755), 0);
	tree_finish(&tree);
}

static void test_tree_with_nothing_in_it(void **state)
{
	(void)state;
	struct tree tree;
	struct os_limits os;

	tree_init(&tree);
	tree_read(&tree, &os);
	for (size_t at = 0; at < sizeof(os); at += sizeof(struct os_value))
		assert_unknown(fact_at(&os, at), "No such file", "empty tree");
	tree_finish(&tree);
}

/* --- network namespaces --- */

static void test_sysctls_of_another_network_namespace_are_not_taken(void **state)
{
	(void)state;
	struct tree tree;
	struct os_limits os;

	tree_init_good(&tree);
	tree_link(&tree, "/proc/42/ns/net", "net:[2]");
	tree_read(&tree, &os);
	assert_unknown(&os.somaxconn, "process 42 is in another", "somaxconn");
	assert_unknown(&os.port_high, "process 42 is in another", "ports");
	assert_false(os.conntrack_used.is_absent);
	/* These are asked by way of the process. */
	assert_int_equal(os.listen_drops.value, 12);
	assert_int_equal(os.tcp_sockets.value, 5);

	tree_remove(&tree, "/proc/42/ns/net");
	tree_read(&tree, &os);
	assert_unknown(&os.somaxconn, "cannot be told: No such file", "somaxconn");
	tree_finish(&tree);
}

/* --- control groups --- */

struct cgroup_file {
	const char *path;
	const char *content;
};

/* clang-format off */
static const struct {
	const char *name;
	const char *groups;
	const char *mounts;
	struct cgroup_file files[12];
	const char *source;  /* of the limit: the end of its path */
	const char *problem; /* NULL: the limit is known */
	uint64_t max;
	uint64_t used; /* UINT64_MAX: not looked at */
} cgroups[] = {
	{"v2, the group's own", "0::/a\n", "30 23 0:26 / /cg rw shared:4 - cgroup2 cgroup rw\n",
	 {{"/cg/a/memory.max", "1000"}, {"/cg/a/memory.current", "10"}}, "/cg/a/memory.max", NULL,
	 1000, 10},
	{"v2, the tightest in the middle", "0::/a/b/c\n",
	 "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n", {{"/cg/a/memory.max", "9000"},
	 {"/cg/a/memory.current", "600"}, {"/cg/a/b/memory.max", "1000"},
	 {"/cg/a/b/memory.current", "500"}, {"/cg/a/b/c/memory.max", "max"},
	 {"/cg/a/b/c/memory.current", "100"}}, "/cg/a/b/memory.max", NULL, 1000, 500},
	{"v2, the larger limit has less room", "0::/a/b\n",
	 "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n", {{"/cg/a/memory.max", "9000"},
	 {"/cg/a/memory.current", "8900"}, {"/cg/a/b/memory.max", "1000"},
	 {"/cg/a/b/memory.current", "500"}}, "/cg/a/memory.max", NULL, 9000, 8900},
	{"v2, what can be reclaimed is room", "0::/a/b\n",
	 "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n", {{"/cg/a/memory.max", "9000"},
	 {"/cg/a/memory.current", "8900"}, {"/cg/a/memory.stat",
	 "active_file 3\ninactive_file 8000\n"}, {"/cg/a/b/memory.max", "1000"},
	 {"/cg/a/b/memory.current", "500"}}, "/cg/a/b/memory.max", NULL, 1000, 500},
	{"v2, used beyond the limit", "0::/a\n", "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n",
	 {{"/cg/a/memory.max", "1000"}, {"/cg/a/memory.current", "1200"}}, "/cg/a/memory.max",
	 NULL, 1000, 1200},
	{"v2, no limit anywhere", "0::/a/b\n", "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n",
	 {{"/cg/a/memory.max", "max"}, {"/cg/a/b/memory.max", "max\n"}, {"/cg/a/b/memory.current",
	 "77"}}, "/cg/a/b/memory.max", NULL, OS_UNLIMITED, 77},
	{"v2, the root has no such file", "0::/\n", "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n",
	 {{"/cg/cgroup.procs", ""}}, "/cg/memory.max", NULL, OS_UNLIMITED, UINT64_MAX},
	{"v2, the controller is not passed on to the group", "0::/a/b\n",
	 "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n", {{"/cg/a/memory.max", "1000"},
	 {"/cg/a/memory.current", "1"}, {"/cg/a/b/x", ""}}, "/cg/a/memory.max", NULL, 1000, 1},
	{"v2, a namespace: the group looks like the root", "0::/\n",
	 "30 23 0:26 / /cg ro - cgroup2 cgroup rw\n", {{"/cg/memory.max", "1000"},
	 {"/cg/memory.current", "5"}}, "/cg/memory.max", NULL, 1000, 5},
	{"v2, a mount of a group further down", "0::/docker/x/y\n",
	 "30 23 0:26 /docker/x /cg ro - cgroup2 cgroup rw\n", {{"/cg/memory.max", "1000"},
	 {"/cg/memory.current", "5"}, {"/cg/y/memory.max", "900"}, {"/cg/y/memory.current", "5"}},
	 "/cg/y/memory.max", NULL, 900, 5},
	{"v2, of two mounts the one that shows more", "0::/a\n",
	 "30 23 0:26 /a /one rw - cgroup2 cgroup rw\n31 23 0:26 / /two rw - cgroup2 cgroup rw\n",
	 {{"/one/memory.max", "1"}, {"/two/a/memory.max", "1000"}}, "/two/a/memory.max", NULL,
	 1000, UINT64_MAX},
	{"v2, a mount point with blanks in its name", "0::/a\n",
	 "30 23 0:26 / /c\\040g rw - cgroup2 cgroup rw\n", {{"/c g/a/memory.max", "1000"}},
	 "/c g/a/memory.max", NULL, 1000, UINT64_MAX},
	{"v2, outside of our namespace", "0::/../../other\n",
	 "30 23 0:26 /x /cg rw - cgroup2 cgroup rw\n", {{"/cg/memory.max", "1000"}}, "mountinfo",
	 "no mount shows the memory controller of group /../../other", 0, 0},
	{"v2, mounted before the namespace was made", "0::/\n",
	 "30 23 0:26 /../.. /cg rw - cgroup2 cgroup rw\n", {{"/cg/memory.max", "1000"}},
	 "mountinfo", "no mount shows", 0, 0},
	{"v2, a group whose name begins like the mount's", "0::/abc\n",
	 "30 23 0:26 /ab /cg rw - cgroup2 cgroup rw\n", {{"/cg/memory.max", "1000"}}, "mountinfo",
	 "no mount shows", 0, 0},
	{"v2, the directory is not there", "0::/gone\n",
	 "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n", {{"/cg/x", ""}}, "/cg/gone", "No such file",
	 0, 0},
	{"v2, one level cannot be understood", "0::/a/b\n",
	 "30 23 0:26 / /cg rw - cgroup2 cgroup rw\n", {{"/cg/a/memory.max", "lots"},
	 {"/cg/a/b/memory.max", "1000"}}, "/cg/a/memory.max", "is not a number", 0, 0},
	{"v1", "5:cpu,cpuacct:/x\n4:memory:/a\n",
	 "30 23 0:26 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
	 "31 23 0:27 / /cg/memory rw - cgroup cgroup rw,memory\n",
	 {{"/cg/memory/a/memory.limit_in_bytes", "1000000"},
	 {"/cg/memory/a/memory.usage_in_bytes", "5000"}, {"/cg/memory/a/memory.stat",
	 "inactive_file 1\ntotal_active_file 9\ntotal_inactive_file 2000\n"},
	 {"/cg/memory/memory.limit_in_bytes", "9223372036854771712"}}, "/a/memory.limit_in_bytes",
	 NULL, 1000000, 3000},
	{"v1, unlimited with pages of 4 KiB", "4:memory:/a\n",
	 "31 23 0:27 / /cg rw - cgroup cgroup rw,memory\n", {{"/cg/a/memory.limit_in_bytes",
	 "9223372036854771712"}, {"/cg/a/memory.usage_in_bytes", "5000"}},
	 "/cg/a/memory.limit_in_bytes", NULL, OS_UNLIMITED, 5000},
	{"v1, unlimited with pages of 64 KiB", "4:memory:/\n",
	 "31 23 0:27 / /cg rw - cgroup cgroup rw,memory\n", {{"/cg/memory.limit_in_bytes",
	 "9223372036854710272"}}, "/cg/memory.limit_in_bytes", NULL, OS_UNLIMITED, UINT64_MAX},
	{"v1 in a container without a namespace", "4:memory:/docker/abc\n",
	 "31 23 0:27 /docker/abc /cg ro - cgroup cgroup rw,memory\n",
	 {{"/cg/memory.limit_in_bytes", "1000000"}, {"/cg/memory.usage_in_bytes", "1"}},
	 "/cg/memory.limit_in_bytes", NULL, 1000000, 1},
	{"hybrid, memory in v1", "4:memory:/a\n1:name=systemd:/s\n0::/u\n",
	 "30 23 0:26 / /cg/unified rw - cgroup2 cgroup2 rw\n"
	 "31 23 0:27 / /cg/memory rw - cgroup cgroup rw,memory\n",
	 {{"/cg/memory/a/memory.limit_in_bytes", "1000"}, {"/cg/memory/a/memory.usage_in_bytes",
	 "1"}, {"/cg/unified/u/memory.max", "5"}}, "/a/memory.limit_in_bytes", NULL, 1000, 1},
	{"hybrid, memory in v2", "4:pids:/a\n0::/u\n",
	 "30 23 0:26 / /cg/unified rw - cgroup2 cgroup2 rw\n"
	 "31 23 0:27 / /cg/pids rw - cgroup cgroup rw,pids\n", {{"/cg/unified/u/memory.max",
	 "1000"}, {"/cg/unified/u/memory.current", "1"}}, "/cg/unified/u/memory.max", NULL, 1000,
	 1},
	{"v1, not mounted", "4:memory:/a\n", "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n",
	 {{"/cg/a/memory.max", "1000"}}, "mountinfo",
	 "no mount shows the memory controller of group /a", 0, 0},
	{"no cgroup at all", "1:name=systemd:/\n", "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n",
	 {{"/cg/x", ""}}, "/cgroup", "names no group of the memory controller", 0, 0},
};
/* clang-format on */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static void assert_cgroup(size_t i, const struct os_limits *os)
{
	const struct os_value *max = &os->cgroup_memory_max_bytes;
	const char *name = cgroups[i].name;

	if (!ends_with(max->source, cgroups[i].source))
		fail_msg("row '%s': source %s", name, max->source);
	if (cgroups[i].problem != NULL) {
		assert_unknown(max, cgroups[i].problem, name);
		ASSERT_ROW(!os->cgroup_memory_used_bytes.is_known, name);
		return;
	}
	ASSERT_ROW(max->is_known && max->value == cgroups[i].max, name);
	if (cgroups[i].used != UINT64_MAX)
		ASSERT_ROW(os->cgroup_memory_used_bytes.value == cgroups[i].used, name);
}

static void test_the_tightest_group_of_every_layout(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cgroups); i++) {
		struct tree tree;
		struct os_limits os;

		tree_init(&tree);
		tree_put(&tree, "/proc/42/cgroup", cgroups[i].groups);
		tree_put(&tree, "/proc/self/mountinfo", cgroups[i].mounts);
		for (const struct cgroup_file *file = cgroups[i].files; file->path != NULL; file++)
			tree_put(&tree, file->path, file->content);
		tree_read(&tree, &os);
		assert_cgroup(i, &os);
		tree_finish(&tree);
	}
}

/* --- this process on this machine --- */

static void test_this_process(void **state)
{
	(void)state;
	struct os_limits os;
	struct os_limits same;
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	os_limits_read(&(struct os_source){0}, &os);
	os_limits_read(&(struct os_source){.pid = getpid()}, &same);
	assert_true(os.nofile_soft.is_known && os.nofile_soft.value == limit.rlim_cur);
	assert_true(same.nofile_soft.value == limit.rlim_cur);
	assert_string_equal(os.nofile_soft.source, "getrlimit");
	assert_int_equal(os.open_files.value, os_limits_open_files());
	assert_int_equal(same.open_files.value, os.open_files.value);
	for (size_t at = 0; at < sizeof(os); at += sizeof(struct os_value))
		assert_true(fact_at(&os, at)->is_known || fact_at(&os, at)->problem[0] != '\0');
}

static void test_process_that_is_gone(void **state)
{
	(void)state;
	struct os_limits os;

	os_limits_read(&(struct os_source){.pid = 0x7fffffff}, &os);
	assert_unknown(&os.nofile_soft, "No such file", "nofile");
	assert_unknown(&os.open_files, "No such file", "open_files");
	assert_unknown(&os.pids_max, "No such file", "pids");
	assert_true(os.nr_open.is_known == (access("/proc/sys/fs/nr_open", R_OK) == 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_fact_of_a_whole_tree),
		cmocka_unit_test(test_each_broken_file_is_named_with_the_reason),
		cmocka_unit_test(test_every_file_as_garbage),
		cmocka_unit_test(test_directory_in_place_of_a_file),
		cmocka_unit_test(test_pipe_in_place_of_a_file),
		cmocka_unit_test(test_file_that_is_not_ours_to_read),
		cmocka_unit_test(test_tree_with_nothing_in_it),
		cmocka_unit_test(test_sysctls_of_another_network_namespace_are_not_taken),
		cmocka_unit_test(test_the_tightest_group_of_every_layout),
		cmocka_unit_test(test_this_process),
		cmocka_unit_test(test_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
