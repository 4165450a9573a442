/* SPDX-License-Identifier: Apache-2.0
 * bench_kernel.h - what the kernel counted in this network namespace: connections that
 * were lost before any program saw them.
 *
 * Layer: bench. Blocks on /proc: for the main thread. Source: the kernel's
 * networking/snmp_counter. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* X(NAME, file, group and name in it). SYN retransmissions and time-outs are those of
 * connections that began here; the Listen* are of listeners here. */
#define BENCH_KERNEL_COUNTERS(X)                                    \
	X(LISTEN_OVERFLOWS, "netstat", "TcpExt", "ListenOverflows") \
	X(LISTEN_DROPS, "netstat", "TcpExt", "ListenDrops")         \
	X(REQUEST_DROPS, "netstat", "TcpExt", "TCPReqQFullDrop")    \
	X(SYN_RETRANSMITS, "netstat", "TcpExt", "TCPSynRetrans")    \
	X(TIMEOUTS, "netstat", "TcpExt", "TCPTimeouts")             \
	X(ATTEMPT_FAILS, "snmp", "Tcp", "AttemptFails")             \
	X(RETRANSMITS, "snmp", "Tcp", "RetransSegs")

#define BENCH_KERNEL_ENUM(NAME, ...) BENCH_KERNEL_##NAME,
enum bench_kernel_id { BENCH_KERNEL_COUNTERS(BENCH_KERNEL_ENUM) BENCH_KERNEL_COUNT };

struct bench_kernel {
	bool is_known[BENCH_KERNEL_COUNT];
	uint64_t values[BENCH_KERNEL_COUNT];
};

/* `root` is put before /proc; "": this machine. What cannot be read is not known. */
void bench_kernel_read(const char *root, struct bench_kernel *out_kernel);

/* What was counted between the two. */
struct bench_kernel bench_kernel_since(const struct bench_kernel *before,
				       const struct bench_kernel *now);

/* The kernel's own name, e.g. "ListenOverflows". */
const char *bench_kernel_name(enum bench_kernel_id id);
