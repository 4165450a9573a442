/* SPDX-License-Identifier: Apache-2.0
 * bench_proof.h - what the clients of a load test prove with who they are: --basic, --token-file.
 *
 * Layer: bench. The main thread reads it before the test, then all workers only read. Secrets:
 * never printed, overwritten at the end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "bench/load/bench_options.h"

#define BENCH_TOKEN_MAX      8192                /* [bytes] of one */
#define BENCH_TOKEN_FILE_MAX (UINT64_C(1) << 30) /* [bytes] */

/* A line with CRLF, and a NUL. Of --basic a third more than its text with all {n} replaced. */
#define BENCH_PROOF_MAX (BENCH_TOKEN_MAX + 64)

struct bench_proof {
	const char *basic; /* "user:password" with {n}; NULL: none */
	char *text;        /* of the file */
	size_t text_len;
	struct slice *tokens; /* in `text`; connection n gets the one of (n - 1) % token_count */
	size_t token_count;   /* 0: none */
};

/* Reads the file of tokens, if one is named. 0, or a negative errno with a sentence. In either
 * case to be finished. */
int bench_proof_load(const struct bench_options *options, struct bench_proof *proof, char *error,
		     size_t error_size);
void bench_proof_finish(struct bench_proof *proof);

/* The header line of connection `number` with its CRLF and a NUL, or "". Returns its length. */
size_t bench_proof_write(const struct bench_proof *proof, uint64_t number,
			 char out[BENCH_PROOF_MAX]);
