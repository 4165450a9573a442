/* SPDX-License-Identifier: Apache-2.0
 * bench_wire.h - a byte stream to a server, sealed by TLS if the URL is https or wss.
 *
 * Layer: bench. Blocks, until a deadline for all of it: for the main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net_addr.h"
#include "base/slice.h"
#include "bench/load/bench_url.h"
#include "tls/tls_stream.h"

#define BENCH_PROBLEM_MAX 384

struct bench_wire {
	int fd; /* -1: none */
	uint64_t deadline_ns;
	struct tls_stream *stream; /* NULL: plain */
	struct tls_crypt *crypt;
	struct buf sealed;               /* that came, and is not yet opened */
	bool has_ended;                  /* the peer has said so, in TLS */
	char problem[BENCH_PROBLEM_MAX]; /* with -EPROTO: what TLS failed for, and what to do */
};

/* Connects to `addr` and, if the URL is TLS, shakes hands for its host by `tls`. 0 or a negative
 * errno; in either case to be closed. */
int bench_wire_open(struct bench_wire *wire, const struct bench_url *url,
		    const struct net_addr *addr, struct tls_context *tls, uint64_t deadline_ns);
void bench_wire_close(struct bench_wire *wire);

/* 0 or a negative errno: -ETIMEDOUT, -EPROTO, ... */
int bench_wire_send(struct bench_wire *wire, struct slice bytes);

/* Appends what comes next, at least a byte of it. 0 or a negative errno: -ENODATA is the end. */
int bench_wire_recv(struct bench_wire *wire, struct buf *into);
