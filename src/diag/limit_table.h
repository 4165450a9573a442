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

/* clang-format off */

/* X(NAME, label, scope, kind, unit of value and used, what it is: for docs/limits.md) */
#define LIMIT_TABLE(X)                                                                      \
	X(MAX_CONNECTIONS, "max_connections", GATEWAY, CAPS, "connections",                 \
	  "the configuration's own; `auto`: the least of the others")                       \
	X(MAX_CONNECTIONS_PER_IP, "max_connections_per_ip", GATEWAY, PACES, "connections",  \
	  "of one client address")                                                          \
	X(ROUTE_CONNECTIONS, "routes.max_connections", GATEWAY, PACES, "connections",       \
	  "of one route")                                                                   \
	X(ACCEPT_RATE, "accept_rate", GATEWAY, PACES, "connections/s",                      \
	  "new connections per second")                                                     \
	X(TLS_HANDSHAKES, "tls_handshakes_max", GATEWAY, PACES, "handshakes",               \
	  "TLS handshakes under way ([tls.md](tls.md)); further ones wait")                 \
	X(TLS_HANDSHAKE_RATE, "tls_handshake_rate", GATEWAY, PACES, "handshakes/s",         \
	  "TLS handshakes begun per second; further ones wait")                             \
	X(CERTIFICATE, "certificate_expiry", GATEWAY, STATES, "days",                       \
	  "until the first certificate of a listener ends")                                 \
	X(TAKEOVER_RATE, "takeover_rate", GATEWAY, PACES, "takeovers/min",                  \
	  "takeovers of one client ([clients.md](clients.md))")                             \
	X(MESSAGE_RATE, "message_rate", GATEWAY, PACES, "messages/s",                       \
	  "messages of one client ([below](#rates-of-one-client))")                         \
	X(BYTE_RATE, "byte_rate", GATEWAY, PACES, "bytes/s",                                \
	  "bytes of one client, likewise")                                                  \
	X(KEEP_ALIVE_MAX, "keep_alive_max", GATEWAY, PACES, "connections",                  \
	  "HTTP connections on the public listener that are kept for a next request")       \
	X(REFUSE_BROWSERS_MAX, "refuse_browsers_max", GATEWAY, PACES, "connections",        \
	  "refused clients that wait to be told why ([browsers.md](browsers.md))")          \
	X(AUTH_FAILURES, "auth_failures", GATEWAY, PACES, "failures/min",                   \
	  "wrong proofs of one address, or for one name ([auth.md](auth.md))")              \
	X(PASSWORD_QUEUE, "password_queue", GATEWAY, PACES, "passwords",                    \
	  "passwords of people that wait to be checked")                                    \
	X(BACKEND_PENDING, "backends.pending_max", GATEWAY, PACES, "bytes",                 \
	  "events that wait for a back end, of all its clients")                            \
	X(TICKETS, "tickets_max", GATEWAY, PACES, "tickets",                                \
	  "tickets that were made and are not used yet ([auth-tokens.md](auth-tokens.md))") \
	X(BLOCKS, "blocks_max", GATEWAY, PACES, "blocks",                                   \
	  "clients and addresses that are kept out for a time ([clients.md](clients.md#blocks))") \
	X(STREAMS, "streams_max", GATEWAY, PACES, "streams",                                \
	  "event streams of the API: consoles, and whoever watches ([api.md](api.md))")     \
	X(PAYLOAD_MEMORY, "payload_memory", GATEWAY, PACES, "bytes",                        \
	  "memory of the process for what clients send and are sent "                       \
	  "([below](#payload-memory))")                                                     \
	X(COMPRESSION_MEMORY, "compression_memory", GATEWAY, PACES, "bytes",                \
	  "windows of clients on routes with compression: window "                          \
	  "([compression.md](compression.md)); those beyond get none")                      \
	X(NOFILE, "nofile", PROCESS, CAPS, "descriptors",                                   \
	  "soft limit on descriptors: of the process with epoll (less its own, and "        \
	  "`max_in_flight` of each back end), of each ring with io_uring")                  \
	X(NOFILE_HARD, "nofile.hard", PROCESS, STATES, "descriptors",                       \
	  "how far the soft one can be raised without privilege")                           \
	X(NR_OPEN, "fs.nr_open", MACHINE, STATES, "descriptors",                            \
	  "how far the hard one can be raised at all")                                      \
	X(FILE_MAX, "fs.file-max", MACHINE, CAPS, "files",                                  \
	  "open files of the whole machine")                                                \
	X(CGROUP_MEMORY, "cgroup.memory", CONTAINER, CAPS, "bytes",                         \
	  "memory of the cgroup, v2 or v1, or of one above it that is tighter")             \
	X(MEMORY, "memory", MACHINE, CAPS, "bytes",                                         \
	  "what is available, at so many bytes for a connection")                           \
	X(PIDS, "pids.max", CONTAINER, CAPS, "threads",                                     \
	  "threads; with io_uring a further worker holds further connections")              \
	X(CONNTRACK, "nf_conntrack_max", NETWORK, CAPS, "flows",                            \
	  "tracked flows, where connection tracking counts")                                \
	X(EPHEMERAL_PORTS, "ip_local_port_range", NETWORK, STATES, "ports per destination", \
	  "ports of whoever connects *from* this machine")                                  \
	X(SOMAXCONN, "somaxconn", NETWORK, PACES, "connections",                            \
	  "connections that may wait to be accepted")                                       \
	X(SYN_BACKLOG, "tcp_max_syn_backlog", NETWORK, PACES, "connections",                \
	  "half-open connections")                                                          \
	X(SYN_COOKIES, "tcp_syncookies", NETWORK, STATES, "",                               \
	  "what happens beyond that")                                                       \
	X(TCP_MEM, "tcp_mem", NETWORK, PACES, "bytes",                                      \
	  "memory of all TCP buffers")                                                      \
	X(LISTEN_OVERFLOWS, "ListenOverflows", NETWORK, COUNTS, "connections",              \
	  "connections lost because nobody accepted them in time")                          \
	X(LISTEN_DROPS, "ListenDrops", NETWORK, COUNTS, "connections",                      \
	  "all connections lost at listeners")                                              \
	X(IO_URING, "io_uring", MACHINE, STATES, "",                                        \
	  "whether it can be used, and why not")                                            \
	X(MEMLOCK, "memlock", PROCESS, STATES, "bytes",                                     \
	  "locked memory; rings before Linux 5.12")

/* clang-format on */

#define LIMIT_ENUM(NAME, ...) LIMIT_ID_##NAME,
enum limit_id { LIMIT_TABLE(LIMIT_ENUM) LIMIT_ID_COUNT };
