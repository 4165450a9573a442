/* SPDX-License-Identifier: Apache-2.0
 * bench_ready.h - waits until a service says that it is ready.
 *
 * Layer: bench. Blocks: for the main thread, before the test. */
#pragma once

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/load/bench_url.h"
#include "tls/tls_context.h"

/* Looks up and asks `url` over HTTP, again and again, until it answers 200; `tls` is for
 * https, and may else be NULL. Returns 0, or
 * -ETIMEDOUT with a sentence in `error` that tells what was seen last, or -EINTR if
 * *is_interrupted has become non-zero. It can exceed the timeout: an answer asked for
 * before the end is waited for (2 s at most), and the resolver has time limits of its
 * own. If it has to wait, a line in `notices` (NULL: none) says for what. */
int bench_ready_wait(const struct bench_url *url, struct tls_context *tls, uint64_t timeout_ms,
		     FILE *notices, const volatile sig_atomic_t *is_interrupted, char *error,
		     size_t error_size);
