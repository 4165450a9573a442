/* SPDX-License-Identifier: Apache-2.0
 * limit_table.h - every limit that can cap connections, one line each.
 *
 * Layer: diag. The label is the name of the limit wherever it shows: this table,
 * /limits, gatehouse_limit{limit}, the Gatehouse-Limit header, the log. */
#pragma once

enum limit_scope {
	LIMIT_GATEWAY,   /* its configuration */
	LIMIT_PROCESS,   /* set for the process, e.g. by ulimit or systemd */
	LIMIT_CONTAINER, /* of the cgroup */
	LIMIT_MACHINE,
	LIMIT_NETWORK, /* of the network namespace */
};

enum limit_kind {
	LIMIT_CAPS,   /* how many connections can be held */
	LIMIT_PACES,  /* how fast they can come, or how much can be under way */
	LIMIT_COUNTS, /* no limit itself: counts what was lost to one */
	LIMIT_STATES, /* a fact that decides about other limits */
};

/* X(NAME, label, scope, kind, unit of value and used) */
#define LIMIT_TABLE(X)                                                                      \
	X(MAX_CONNECTIONS, "max_connections", GATEWAY, CAPS, "connections")                 \
	X(MAX_CONNECTIONS_PER_IP, "max_connections_per_ip", GATEWAY, PACES, "connections")  \
	X(ACCEPT_RATE, "accept_rate", GATEWAY, PACES, "connections/s")                      \
	X(BACKEND_PENDING, "backends.pending_max", GATEWAY, PACES, "bytes")                 \
	X(PAYLOAD_MEMORY, "payload_memory", GATEWAY, PACES, "bytes")                        \
	X(NOFILE, "nofile", PROCESS, CAPS, "descriptors")                                   \
	X(NOFILE_HARD, "nofile.hard", PROCESS, STATES, "descriptors")                       \
	X(NR_OPEN, "fs.nr_open", MACHINE, STATES, "descriptors")                            \
	X(FILE_MAX, "fs.file-max", MACHINE, CAPS, "files")                                  \
	X(CGROUP_MEMORY, "cgroup.memory", CONTAINER, CAPS, "bytes")                         \
	X(MEMORY, "memory", MACHINE, CAPS, "bytes")                                         \
	X(PIDS, "pids.max", CONTAINER, CAPS, "threads")                                     \
	X(CONNTRACK, "nf_conntrack_max", NETWORK, CAPS, "flows")                            \
	X(EPHEMERAL_PORTS, "ip_local_port_range", NETWORK, STATES, "ports per destination") \
	X(SOMAXCONN, "somaxconn", NETWORK, PACES, "connections")                            \
	X(SYN_BACKLOG, "tcp_max_syn_backlog", NETWORK, PACES, "connections")                \
	X(SYN_COOKIES, "tcp_syncookies", NETWORK, STATES, "")                               \
	X(TCP_MEM, "tcp_mem", NETWORK, PACES, "bytes")                                      \
	X(LISTEN_OVERFLOWS, "ListenOverflows", NETWORK, COUNTS, "connections")              \
	X(LISTEN_DROPS, "ListenDrops", NETWORK, COUNTS, "connections")                      \
	X(IO_URING, "io_uring", MACHINE, STATES, "")                                        \
	X(MEMLOCK, "memlock", PROCESS, STATES, "bytes")

#define LIMIT_ENUM(NAME, ...) LIMIT_ID_##NAME,
enum limit_id { LIMIT_TABLE(LIMIT_ENUM) LIMIT_ID_COUNT };
