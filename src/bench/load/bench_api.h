/* SPDX-License-Identifier: Apache-2.0
 * bench_api.h - the API of a gateway: who asks it, and what became of that.
 *
 * Layer: bench. Blocks: for the main thread, or for one of its helpers. */
#pragma once

#include "bench/load/bench_http.h"
#include "bench/load/bench_options.h"

#define BENCH_API_SEEN_MAX 512

struct bench_api {
	const struct bench_options *options;
	struct tls_context *tls; /* NULL: no URL is TLS */
	char *proof;             /* the header with the token; "": none; the API's own */
};

/* Reads the token, resolves the name, and asks who is there, if the test needs the API at all. 0,
 * or a negative errno with a sentence. Finish in either case. */
int bench_api_open(struct bench_api *api, const struct bench_options *options,
		   struct tls_context *tls, char *error, size_t error_size);
void bench_api_finish(struct bench_api *api);

struct bench_api_question {
	const struct bench_url *url;
	const char *method;
	const char *type; /* of the body; NULL: there is none */
	struct slice body;
};

/* The status of the answer, within the time, or 0; in `seen` what came, a fragment of printable
 * ASCII: "HTTP 409: upgrade: ...". The token goes to --api alone, not to another server. */
unsigned bench_api_ask(const struct bench_api *api, const struct bench_api_question *question,
		       uint64_t within_ms, char seen[BENCH_API_SEEN_MAX]);
