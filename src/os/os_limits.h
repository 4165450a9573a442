/* SPDX-License-Identifier: Apache-2.0
 * os_limits.h - facts about the limits of a process, its container and this machine.
 *
 * Layer: os. Reads only, except os_limits_raise_nofile. Blocks on /proc and
 * /sys/fs/cgroup: for start-up, commands and the main or admin thread, never for a
 * worker. Each fact that cannot be read says why; none is left out or guessed.
 * Sources: proc(5), getrlimit(2), cgroups(7), the kernel's
 * admin-guide/cgroup-v2, admin-guide/cgroup-v1/memory and networking/ip-sysctl. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OS_UNLIMITED UINT64_MAX

/* One fact: a value, or the reason why there is none. */
struct os_value {
	bool is_known;
	bool is_absent;    /* unknown because there is no such file */
	uint64_t value;    /* only if known; OS_UNLIMITED: no limit is set */
	char source[256];  /* where it was (to be) read: a path, or "getrlimit" */
	char problem[512]; /* only if unknown: path and reason, one sentence fragment */
};

/* X(name, meaning): every fact. Bytes are named so; all else are plain counts. */
#define OS_FACTS(X)                                                                      \
	X(nofile_soft, "RLIMIT_NOFILE, soft")                                            \
	X(nofile_hard, "RLIMIT_NOFILE, hard")                                            \
	X(open_files, "descriptors open in the process")                                 \
	X(memlock_bytes, "RLIMIT_MEMLOCK, soft")                                         \
	X(resident_anon_bytes, "anonymous memory of the process")                        \
	X(nr_open, "fs.nr_open")                                                         \
	X(file_max, "fs.file-max")                                                       \
	X(file_used, "files open on the machine (fs.file-nr)")                           \
	X(memory_total_bytes, "MemTotal")                                                \
	X(memory_available_bytes, "MemAvailable")                                        \
	X(slab_bytes, "SUnreclaim: kernel memory, of which sockets are a part")          \
	X(cgroup_memory_max_bytes, "the tightest limit from the cgroup up to the root")  \
	X(cgroup_memory_used_bytes, "of that cgroup, without what can be reclaimed")     \
	X(pids_max, "the tightest limit from the cgroup up to the root")                 \
	X(pids_used, "of that cgroup")                                                   \
	X(somaxconn, "net.core.somaxconn")                                               \
	X(syn_backlog, "net.ipv4.tcp_max_syn_backlog")                                   \
	X(syn_cookies, "net.ipv4.tcp_syncookies: 0, 1 or 2")                             \
	X(tcp_mem_max_bytes, "net.ipv4.tcp_mem, third value")                            \
	X(tcp_mem_used_bytes, "TCP buffers in use (/proc/net/sockstat)")                 \
	X(tcp_sockets, "TCP sockets of the machine, as explained in os_network.c")       \
	X(listen_overflows, "TcpExt ListenOverflows: connections that no listener took") \
	X(listen_drops, "TcpExt ListenDrops: all that were lost at a listener")          \
	X(conntrack_max, "net.netfilter.nf_conntrack_max")                               \
	X(conntrack_used, "net.netfilter.nf_conntrack_count")                            \
	X(port_low, "net.ipv4.ip_local_port_range, first")                               \
	X(port_high, "net.ipv4.ip_local_port_range, last")                               \
	X(io_uring_disabled, "kernel.io_uring_disabled: 0 allowed, 1 privileged, 2 nobody")

struct os_limits {
#define OS_FACT_FIELD(name, meaning) struct os_value name;
	OS_FACTS(OS_FACT_FIELD)
};

/* What to read from. A zeroed struct: this process, this machine. */
struct os_source {
	const char *root; /* put before /proc and /sys; NULL: none. Tests have a tree of
			   * their own, a container may see its host's. */
	pid_t pid;        /* 0: this process */
};

/* Reads every fact. Network facts are those of the process's network namespace. */
void os_limits_read(const struct os_source *source, struct os_limits *out_limits);

/* --- single questions of this process --- */

/* CPUs that this process may run on; 1 if unknown. */
unsigned os_limits_cores(void);

struct os_nofile {
	uint64_t soft; /* OS_UNLIMITED possible */
	uint64_t hard;
};

struct os_nofile os_limits_nofile(void);

/* Raises the soft limit to the hard one. Returns what holds afterwards. */
struct os_nofile os_limits_raise_nofile(void);

/* Descriptors open in this process now; 0 if /proc cannot be read. */
uint64_t os_limits_open_files(void);
