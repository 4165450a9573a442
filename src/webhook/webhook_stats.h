/* SPDX-License-Identifier: Apache-2.0
 * webhook_stats.h - what a webhook counts.
 *
 * Layer: webhook. Relaxed atomics, readable from every thread: a moment's picture, not a
 * transaction. */
#pragma once

#include <stdint.h>

#include "base/durations.h"
#include "webhook/webhook_breaker.h"

/* How a call ends. X(NAME, label) */
#define WEBHOOK_OUTCOME_TABLE(X)                                                           \
	X(OK, "ok")                 /* answered 2xx */                                     \
	X(REFUSED, "refused")       /* answered 4xx: the event itself is not wanted */     \
	X(FAILED, "failed")         /* 5xx, redirect, no connection, no answer, no HTTP */ \
	X(OPEN, "open")             /* not tried: the breaker is open */                   \
	X(TOO_BIG, "too_big")       /* the answer is longer than allowed */                \
	X(UNREADABLE, "unreadable") /* the answer's Content-Encoding cannot be undone */   \
	X(CANCELLED, "cancelled")   /* by webhook_cancel or webhook_destroy */

#define WEBHOOK_OUTCOME_ENUM(name, label) WEBHOOK_##name,
enum webhook_outcome { WEBHOOK_OUTCOME_TABLE(WEBHOOK_OUTCOME_ENUM) WEBHOOK_OUTCOME_COUNT };

/* Why an attempt, or a call before any attempt, did not end with 2xx. X(NAME, label) */
#define WEBHOOK_CAUSE_TABLE(X)                                                         \
	X(NONE, "none")                                                                \
	X(CONNECT, "connect")           /* name not found, refused, not in time */     \
	X(TLS, "tls")                   /* handshake or certificate */                 \
	X(TIMEOUT, "timeout")           /* connected, no complete answer in time */    \
	X(DEADLINE, "deadline")         /* the call's own, while it was waiting */     \
	X(BROKEN, "broken")             /* the connection broke in the middle */       \
	X(PROTOCOL, "protocol")         /* what came is not HTTP */                    \
	X(SERVER_ERROR, "server_error") /* 5xx */                                      \
	X(CLIENT_ERROR, "client_error") /* 4xx */                                      \
	X(BUSY, "busy")                 /* 408, 425, 429 */                            \
	X(REDIRECT, "redirect")         /* 3xx */                                      \
	X(TOO_BIG, "too_big")                                                          \
	X(ENCODING, "encoding") /* Content-Encoding: not known, or broken */           \
	X(BREAKER, "breaker")                                                          \
	X(CANCELLED, "cancelled")                                                      \
	X(NO_SOCKET, "no_socket") /* descriptors or local ports are out on our side */ \
	X(INTERNAL, "internal")   /* memory is out on our side */

#define WEBHOOK_CAUSE_ENUM(name, label) WEBHOOK_CAUSE_##name,
enum webhook_cause { WEBHOOK_CAUSE_TABLE(WEBHOOK_CAUSE_ENUM) WEBHOOK_CAUSE_COUNT };

struct webhook_stats {
	/* gauges */
	uint64_t in_flight;     /* attempts under way */
	uint64_t waiting;       /* calls in the queue, or between two attempts */
	uint64_t breaker_state; /* enum webhook_breaker_state */
	/* counters */
	uint64_t calls_started;
	uint64_t calls_rejected; /* the queue was full */
	uint64_t calls_done[WEBHOOK_OUTCOME_COUNT];
	uint64_t attempts; /* retries included */
	uint64_t retries;
	uint64_t retries_denied;                /* by the budget */
	uint64_t answers[6];                    /* by the first digit of the status, 1 to 5 */
	uint64_t failures[WEBHOOK_CAUSE_COUNT]; /* attempts, and calls that ended without one */
	uint64_t breaker_opens;
	uint64_t connections_opened;
	/* of attempts: from handing it to the wire to the end of the answer;
	 * in buckets of durations_short_us */
	struct durations durations;
};

const char *webhook_outcome_label(enum webhook_outcome outcome);
const char *webhook_cause_label(enum webhook_cause cause);

/* `out` is the caller's own. */
void webhook_stats_copy(struct webhook_stats *out, const struct webhook_stats *stats);
