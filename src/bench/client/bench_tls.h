/* SPDX-License-Identifier: Apache-2.0
 * bench_tls.h - why TLS to a server failed, as the one who tests sees it: whose fault, and what to
 * do about it.
 *
 * Layer: bench. Pure functions. */
#pragma once

#include <stddef.h>

#include "bench/client/bench_cause.h"
#include "tls/tls_failure.h"

/* The code of a BENCH_CAUSE_TLS: the trouble, and who complained of it. */
int bench_tls_code(const struct tls_failure *failure);

enum bench_side bench_tls_side(int code);

/* "the server's certificate has expired". Static text. */
const char *bench_tls_text(int code);

/* What to do; static text, NULL: the text says it all. */
const char *bench_tls_advice(int code);

/* The three in a sentence with OpenSSL's words, for who asks one question; a NUL at the end. */
void bench_tls_explain(const struct tls_failure *failure, char *out, size_t size);
