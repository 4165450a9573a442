/* SPDX-License-Identifier: Apache-2.0
 * bench_http.h - one question over HTTP, whose answer is not to be trusted.
 *
 * Layer: bench. Blocks: for the main thread. Bounded in time and size, whatever the
 * other side does. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net_addr.h"
#include "bench/load/bench_url.h"
#include "bench/load/bench_wire.h"

/* [bytes] of an answer; what comes after them is not read. */
#define BENCH_HTTP_MAX 262144

struct bench_http {
	unsigned status; /* 0: what came is not HTTP */
	size_t head_len;
	struct buf bytes;                /* head and body */
	char problem[BENCH_PROBLEM_MAX]; /* with -EPROTO */
};

/* GETs `url` at `addr`; `tls` is for https, and may else be NULL. Returns 0 with *out_answer
 * filled, which is the caller's to finish, or a negative errno: -ENODATA: closed without an answer,
 * -ETIMEDOUT: no whole head in time, -EPROTO: TLS failed, and out_answer->problem tells why. A body
 * that is cut off, by time or by the end, is still an answer. */
int bench_http_get(const struct bench_url *url, const struct net_addr *addr,
		   struct tls_context *tls, uint64_t timeout_ms, struct bench_http *out_answer);

/* The same with any method, further header fields (each with its "\r\n"), and a body, which may be
 * empty. Beyond that -ENOMEM. */
struct bench_http_request {
	const char *method;
	const char *fields; /* "" = none */
	struct slice body;
};

int bench_http_ask(const struct bench_url *url, const struct bench_http_request *request,
		   const struct net_addr *addr, struct tls_context *tls, uint64_t timeout_ms,
		   struct bench_http *out_answer);

/* "nothing listens there", "HTTP 404": what became of it, as a fragment. `r` is what
 * bench_http_get returned; `answer` is read only if that is 0 or -EPROTO. */
char *bench_http_describe(int r, const struct bench_http *answer, char *out, size_t size);

static inline struct slice bench_http_body(const struct bench_http *answer)
{
	if (answer->bytes.data == NULL)
		return (struct slice){0};
	return slice_of(answer->bytes.data + answer->head_len,
			answer->bytes.len - answer->head_len);
}

void bench_http_finish(struct bench_http *answer);
