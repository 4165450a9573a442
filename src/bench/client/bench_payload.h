/* SPDX-License-Identifier: Apache-2.0
 * bench_payload.h - messages whose echo can be checked without keeping them.
 *
 * Layer: bench. A message is a function of the connection's number, its own
 * sequence number and its send time. The first BENCH_STAMP_LEN bytes carry the
 * send time and a check value over all three; the rest is a window into one shared
 * block of noise (or of JSON), at a place that the same check value picks. A smaller message is
 * the beginning of the check value alone. Text is printable ASCII. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define BENCH_STAMP_LEN  16
#define BENCH_STAMP_MASK ((UINT64_C(1) << 48) - 1) /* the bits of a send time that travel */

struct bench_payload {
	uint8_t *noise; /* read-only, shared by all workers */
	size_t size;    /* [bytes] of a message */
};

/* What fills messages behind the stamp. */
enum bench_filling {
	BENCH_FILL_TEXT,   /* noise of 64 characters, of which compression leaves three quarters */
	BENCH_FILL_BINARY, /* noise of all bytes, which does not shrink */
	BENCH_FILL_JSON,   /* records as services send them */
};

/* 0 or -ENOMEM. */
int bench_payload_init(struct bench_payload *payload, size_t size, enum bench_filling filling);
void bench_payload_finish(struct bench_payload *payload);

struct bench_message {
	uint64_t number;   /* of the connection */
	uint64_t sequence; /* 0 is the connection's first */
	uint64_t sent_ns;  /* by the monotonic clock; BENCH_STAMP_MASK of it travels */
};

/* Writes the message, masked with `key`, to `out` (payload->size bytes). */
void bench_payload_write(const struct bench_payload *payload, const struct bench_message *message,
			 const uint8_t key[4], uint8_t *out);

/* Compares an echo with the message `number`, `sequence`. Returns NULL if it is
 * right, and fills *out_sent_ns if the message carried its send time (see
 * bench_payload_has_stamp); else what differs (static text). */
const char *bench_payload_check(const struct bench_payload *payload, uint64_t number,
				uint64_t sequence, struct slice echo, uint64_t *out_sent_ns);

static inline bool bench_payload_has_stamp(const struct bench_payload *payload)
{
	return payload->size >= BENCH_STAMP_LEN;
}

/* Time since a 48-bit send time, which wraps after 78 hours. */
static inline uint64_t bench_payload_age(uint64_t sent_ns, uint64_t now_ns)
{
	return (now_ns - sent_ns) & BENCH_STAMP_MASK;
}
