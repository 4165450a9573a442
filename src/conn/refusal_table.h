/* SPDX-License-Identifier: Apache-2.0
 * refusal_table.h - every limit that can refuse a client before the upgrade.
 *
 * Layer: conn. The label is the name of the limit: in the Gatehouse-Limit header,
 * in the body of the answer, in gatehouse_connections_refused_total{limit} and in the
 * log. */
#pragma once

/* One for each limit of diag/limit_table.h that caps connections, under its name there:
 * with `max_connections: auto` any of them can be the one. And the others that refuse.
 * X(NAME, label, status, title, remedy) */
#define REFUSAL_TABLE(X)                                                                       \
	X(MAX_CONNECTIONS, "max_connections", 503, "The gateway is full",                      \
	  "raise server.max_connections")                                                      \
	X(MAX_CONNECTIONS_PER_IP, "max_connections_per_ip", 429,                               \
	  "This address has too many connections",                                             \
	  "raise server.max_connections_per_ip, or name the proxy in front in "                \
	  "server.trusted_proxies")                                                            \
	X(ROUTE_CONNECTIONS, "routes.max_connections", 503, "This route is full",              \
	  "raise routes[].max_connections")                                                    \
	X(ACCEPT_RATE, "accept_rate", 429, "Too many connections at once",                     \
	  "raise server.accept_rate or server.accept_burst")                                   \
	X(TAKEOVER_RATE, "takeover_rate", 429, "This client is taken over too often",          \
	  "give each device an id of its own (the log names both addresses); else raise "      \
	  "server.takeover_rate")                                                              \
	X(AUTH_FAILURES, "auth_failures", 429, "Too many wrong proofs came from this address", \
	  "give the client the right secret (the log names it); else raise "                   \
	  "server.auth_failures")                                                              \
	X(PASSWORD_QUEUE, "password_queue", 503, "Too many passwords are being checked",       \
	  "give machines keys instead of passwords (docs/auth.md), or raise "                  \
	  "server.password_queue")                                                             \
	X(BACKEND_PENDING, "backends.pending_max", 503, "Too much waits for the back end",     \
	  "bring it back (see the log) or raise backends[].pending_max")                       \
	X(NOFILE, "nofile", 503, "The gateway is out of descriptors",                          \
	  "raise the descriptor limit (ulimit -n, LimitNOFILE=) or server.workers")            \
	X(FILE_MAX, "fs.file-max", 503, "The machine is out of files",                         \
	  "raise it (sysctl -w fs.file-max=N)")                                                \
	X(PIDS, "pids.max", 503, "The container is out of threads",                            \
	  "raise it (TasksMax=, pids_limit, --pids-limit)")                                    \
	X(CONNTRACK, "nf_conntrack_max", 503, "The machine's connection tracking is full",     \
	  "raise it (sysctl -w net.netfilter.nf_conntrack_max=N)")                             \
	X(CGROUP_MEMORY, "cgroup.memory", 503, "The container is out of memory",               \
	  "raise its limit (MemoryMax=, mem_limit, --memory) or lower server.max_connections") \
	X(MEMORY, "memory", 503, "The gateway is out of memory",                               \
	  "give it more memory or lower server.max_connections")                               \
	X(PAYLOAD_MEMORY, "payload_memory", 503, "Memory for messages is used up",             \
	  "raise server.payload_memory (more memory, if it is auto), or lower "                \
	  "server.max_message_size and server.send_queue_max")                                 \
	X(STARTING, "starting", 503, "The gateway is starting",                                \
	  "connect again in a moment; /health tells when it is ready")                         \
	X(DRAINING, "draining", 503, "The gateway is shutting down",                           \
	  "connect again, to another node or after the restart")

#define REFUSAL_ENUM(NAME, ...) REFUSAL_##NAME,
enum refusal { REFUSAL_TABLE(REFUSAL_ENUM) REFUSAL_COUNT };

struct refusal_entry {
	const char *label;
	const char *title;
	const char *remedy;
	unsigned status;
};

extern const struct refusal_entry refusal_table[REFUSAL_COUNT];
