/* SPDX-License-Identifier: Apache-2.0
 * refusal_table.h - every limit that can refuse a client before the upgrade.
 *
 * Layer: server. The label is the name of the limit: in the Gatehouse-Limit header,
 * in the body of the answer, in gatehouse_connections_refused_total{limit} and in the
 * log. */
#pragma once

/* X(NAME, label, status, title, remedy) */
#define REFUSAL_TABLE(X)                                                            \
	X(MAX_CONNECTIONS, "max_connections", 503, "The gateway is full",           \
	  "raise server.max_connections")                                           \
	X(NOFILE, "nofile", 503, "The gateway is out of descriptors",               \
	  "raise the descriptor limit (ulimit -n, LimitNOFILE=) or server.workers") \
	X(FILE_MAX, "fs.file-max", 503, "The machine is out of files",              \
	  "raise it (sysctl -w fs.file-max=N)")                                     \
	X(DRAINING, "draining", 503, "The gateway is shutting down",                \
	  "connect again, to another node or after the restart")                    \
	X(MEMORY, "memory", 503, "The gateway is out of memory",                    \
	  "give it more memory or lower server.max_connections")

#define REFUSAL_ENUM(NAME, ...) REFUSAL_##NAME,
enum refusal { REFUSAL_TABLE(REFUSAL_ENUM) REFUSAL_COUNT };

struct refusal_entry {
	const char *label;
	const char *title;
	const char *remedy;
	unsigned status;
};

extern const struct refusal_entry refusal_table[REFUSAL_COUNT];
