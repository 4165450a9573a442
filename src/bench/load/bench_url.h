/* SPDX-License-Identifier: Apache-2.0
 * bench_url.h - the target of a load test: a URL in which {n} is the connection's
 * number.
 *
 * Layer: bench. Pure functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_HOST_MAX 256
#define BENCH_PATH_MAX 2048

/* A connection's number has at most 8 digits, three characters stand for it. */
#define BENCH_TARGET_MAX (BENCH_PATH_MAX * 8 / 3 + 1)

struct bench_url {
	bool is_tls; /* wss, https */
	uint16_t port;
	char host[BENCH_HOST_MAX];          /* without brackets, to be looked up */
	char authority[BENCH_HOST_MAX + 8]; /* as the Host header needs it */
	char path[BENCH_PATH_MAX];          /* path and query, {n} not yet replaced */
};

/* Parses `text`, whose scheme must be `scheme` ("ws" or "http") or that with an "s". Returns NULL
 * and fills *out, or says what is wrong (static text, fits behind "the URL"). */
const char *bench_url_parse(const char *text, const char *scheme, struct bench_url *out);

/* Writes the request target of connection `number` (at most 8 digits) with a NUL;
 * returns its length. */
size_t bench_url_target(const struct bench_url *url, uint64_t number, char out[BENCH_TARGET_MAX]);

/* "https" for "http", "wss" for "ws" if it is TLS. Static text. */
const char *bench_url_scheme(const struct bench_url *url, const char *scheme);

/* Writes `text` with a NUL, and the number for each {n} in it: at most 8 bytes for 3. Returns the
 * length. */
size_t bench_number_write(const char *text, uint64_t number, char *out);
