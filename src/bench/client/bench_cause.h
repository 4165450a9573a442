/* SPDX-License-Identifier: Apache-2.0
 * bench_cause.h - why connections failed, counted by cause.
 *
 * Layer: bench. Fixed size, whatever a hostile server thinks up: what does not fit
 * the table is counted as BENCH_CAUSE_OTHER. One table per worker, merged for the
 * report. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define BENCH_CAUSES_MAX 32

/* The label of BENCH_CAUSE_BAD_HANDSHAKE if the answer is our own request. */
#define BENCH_OWN_REQUEST "our own request came back: a connection to itself, or an echo service"

enum bench_cause_kind {
	BENCH_CAUSE_CONNECT,           /* code: errno */
	BENCH_CAUSE_CONNECT_TIMEOUT,   /* TCP did not connect */
	BENCH_CAUSE_TICKET,            /* code: status, or 0; label: what went wrong */
	BENCH_CAUSE_TLS,               /* code: of bench_tls.h; label: OpenSSL's words */
	BENCH_CAUSE_TLS_TIMEOUT,       /* connected, but hands are not shaken */
	BENCH_CAUSE_TLS_LOST,          /* code: errno, or 0 if the peer closed */
	BENCH_CAUSE_HANDSHAKE_TIMEOUT, /* connected, but no answer */
	BENCH_CAUSE_HANDSHAKE_LOST,    /* code: errno, or 0 if the peer closed */
	BENCH_CAUSE_HTTP,              /* code: status; label: Gatehouse-Limit, if sent */
	BENCH_CAUSE_BAD_HANDSHAKE,     /* label: what is wrong */
	BENCH_CAUSE_CLOSED,            /* open, then: code: of the close frame; label: reason */
	BENCH_CAUSE_LOST,              /* open, then: code: errno, or 0 if the peer closed */
	BENCH_CAUSE_TLS_BROKEN,        /* open, then: code and label as TLS */
	BENCH_CAUSE_BAD_FRAME,         /* code: what we would answer; label: what is wrong */
	BENCH_CAUSE_WRONG_ECHO,        /* label: what differs */
	BENCH_CAUSE_ECHO_TIMEOUT,
	BENCH_CAUSE_AWAY,   /* --reconnect: was ended, and did not come back before the end */
	BENCH_CAUSE_TESTER, /* code: errno; our own side lacks something */
	BENCH_CAUSE_OTHER,
};

/* Who has to do something about it. */
enum bench_side {
	BENCH_MINE,    /* the tester, its machine and container */
	BENCH_YOURS,   /* the server: it answered, and that was the failure */
	BENCH_BETWEEN, /* nobody answered: the network, or a server too busy to */
};
#define BENCH_SIDES 3

struct bench_cause {
	enum bench_cause_kind kind;
	int code;
	uint64_t count;
	uint64_t first_number;  /* the connection of the example */
	double first_s, last_s; /* since the start of the test */
	char label[96];         /* printable ASCII; "" if none */
	char example[256];      /* more of what one peer said; "" if nothing */
};

struct bench_causes {
	unsigned count;
	struct bench_cause rows[BENCH_CAUSES_MAX];
};

/* Counts one failure of connection `number`, `at_s` after the start; `label` and `example` may be
 * empty and may hold any bytes. Two causes are the same if kind, code and label are; of
 * BENCH_CAUSE_HTTP's label only the limit's name counts, up to ';', and of "retry-after=N" not
 * the N. */
void bench_causes_add(struct bench_causes *causes, enum bench_cause_kind kind, int code,
		      struct slice label, struct slice example, uint64_t number, double at_s);

void bench_causes_merge(struct bench_causes *into, const struct bench_causes *from);

/* N of "retry-after=N" in the reason of a close frame; 0: it asks for no wait. */
#define BENCH_RETRY_AFTER_MAX_S 86400
uint32_t bench_retry_after_s(struct slice reason);

/* How many were refused by TCP: nobody listened. If any was, a connection that met itself
 * was on a port without a listener too. */
uint64_t bench_causes_not_listening(const struct bench_causes *causes);

/* Largest count first. */
void bench_causes_sort(struct bench_causes *causes);

/* Happened before the connection was open? Then it failed, else it was dropped. */
bool bench_cause_is_early(const struct bench_cause *cause);

enum bench_side bench_cause_side(const struct bench_cause *cause);

/* "mine", "yours", "between" */
const char *bench_side_name(enum bench_side side);

/* One line such as "HTTP 503 (Gatehouse-Limit: max_connections; ...)", with a NUL. */
char *bench_cause_text(const struct bench_cause *cause, char *out, size_t size);

/* A stable word for JSON: "connect", "http", ... */
const char *bench_cause_kind_name(enum bench_cause_kind kind);

/* A refusal that says that the server is at one of its limits. */
bool bench_cause_is_limit(const struct bench_cause *cause);

/* What to do about it, one line of static text; NULL if the text says it all. */
const char *bench_cause_advice(const struct bench_cause *cause);
