/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_cause.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bench/client/bench_tls.h"

static const char *const kind_names[] = {
	[BENCH_CAUSE_CONNECT] = "connect",
	[BENCH_CAUSE_CONNECT_TIMEOUT] = "connect_timeout",
	[BENCH_CAUSE_TICKET] = "ticket",
	[BENCH_CAUSE_TLS] = "tls",
	[BENCH_CAUSE_TLS_TIMEOUT] = "tls_timeout",
	[BENCH_CAUSE_TLS_LOST] = "tls_lost",
	[BENCH_CAUSE_TLS_BROKEN] = "tls_broken",
	[BENCH_CAUSE_HANDSHAKE_TIMEOUT] = "handshake_timeout",
	[BENCH_CAUSE_HANDSHAKE_LOST] = "handshake_lost",
	[BENCH_CAUSE_HTTP] = "http",
	[BENCH_CAUSE_BAD_HANDSHAKE] = "bad_handshake",
	[BENCH_CAUSE_CLOSED] = "closed",
	[BENCH_CAUSE_LOST] = "lost",
	[BENCH_CAUSE_BAD_FRAME] = "bad_frame",
	[BENCH_CAUSE_WRONG_ECHO] = "wrong_echo",
	[BENCH_CAUSE_ECHO_TIMEOUT] = "echo_timeout",
	[BENCH_CAUSE_AWAY] = "away",
	[BENCH_CAUSE_TESTER] = "tester",
	[BENCH_CAUSE_OTHER] = "other",
};

const char *bench_cause_kind_name(enum bench_cause_kind kind)
{
	return kind_names[kind];
}

/* What a peer sent ends on a terminal and in JSON: nothing but printable ASCII. */
static void printable_copy(struct slice from, char *out, size_t size)
{
	size_t len = MIN(from.len, size - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = from.data[i] >= ' ' && from.data[i] < 0x7f ? (char)from.data[i] : '?';
	out[len] = 0;
}

/* Behind that stands how long this one shall wait, which is another time for each. */
static const char wait_mark[] = "retry-after=";

/* "retry-after=N" stands for any of them. */
static void wait_hide(char *label)
{
	char *at = strstr(label, wait_mark);

	if (at == NULL)
		return;
	at += sizeof(wait_mark) - 1;
	size_t digits = strspn(at, "0123456789");

	if (digits == 0)
		return;
	*at = 'N';
	memmove(at + 1, at + digits, strlen(at + digits) + 1);
}

uint32_t bench_retry_after_s(struct slice reason)
{
	const uint8_t *at = reason.len == 0 ? NULL
					    : memmem(reason.data, reason.len, wait_mark,
						     sizeof(wait_mark) - 1);
	uint64_t seconds = 0;

	if (at == NULL)
		return 0;
	for (at += sizeof(wait_mark) - 1; at < reason.data + reason.len; at++) {
		if (*at < '0' || *at > '9')
			break;
		seconds = MIN(seconds * 10 + (uint64_t)(*at - '0'), BENCH_RETRY_AFTER_MAX_S);
	}
	return (uint32_t)seconds;
}

static bool is_same(const struct bench_cause *a, const struct bench_cause *b)
{
	if (a->kind != b->kind || a->code != b->code)
		return false;
	if (a->kind != BENCH_CAUSE_HTTP)
		return strcmp(a->label, b->label) == 0;
	size_t name_len = strcspn(a->label, ";");

	return name_len == strcspn(b->label, ";") && memcmp(a->label, b->label, name_len) == 0;
}

/* The row for a cause like `wanted`, new ones with a count of 0. The last row is
 * kept for what no longer fits. */
static struct bench_cause *row_for(struct bench_causes *causes, const struct bench_cause *wanted)
{
	for (unsigned i = 0; i < causes->count; i++)
		if (is_same(&causes->rows[i], wanted))
			return &causes->rows[i];
	if (causes->count == BENCH_CAUSES_MAX)
		return &causes->rows[BENCH_CAUSES_MAX - 1];
	struct bench_cause *row = &causes->rows[causes->count++];

	*row = *wanted;
	row->count = 0;
	if (causes->count == BENCH_CAUSES_MAX)
		*row = (struct bench_cause){.kind = BENCH_CAUSE_OTHER,
					    .first_number = wanted->first_number,
					    .first_s = wanted->first_s,
					    .last_s = wanted->last_s};
	return row;
}

static void cause_add(struct bench_causes *causes, const struct bench_cause *cause)
{
	struct bench_cause *row = row_for(causes, cause);

	row->count += cause->count;
	row->first_s = MIN(row->first_s, cause->first_s);
	row->last_s = MAX(row->last_s, cause->last_s);
}

void bench_causes_add(struct bench_causes *causes, enum bench_cause_kind kind, int code,
		      struct slice label, struct slice example, uint64_t number, double at_s)
{
	struct bench_cause cause = {
		.kind = kind,
		.code = code,
		.count = 1,
		.first_number = number,
		.first_s = at_s,
		.last_s = at_s,
	};

	printable_copy(label, cause.label, sizeof(cause.label));
	printable_copy(example, cause.example, sizeof(cause.example));
	if (kind == BENCH_CAUSE_CLOSED)
		wait_hide(cause.label);
	cause_add(causes, &cause);
}

void bench_causes_merge(struct bench_causes *into, const struct bench_causes *from)
{
	for (unsigned i = 0; i < from->count; i++)
		cause_add(into, &from->rows[i]);
}

static int by_count(const void *left, const void *right)
{
	const struct bench_cause *a = left, *b = right;

	return a->count < b->count ? 1 : a->count > b->count ? -1 : 0;
}

void bench_causes_sort(struct bench_causes *causes)
{
	qsort(causes->rows, causes->count, sizeof(causes->rows[0]), by_count);
}

bool bench_cause_is_early(const struct bench_cause *cause)
{
	return cause->kind <= BENCH_CAUSE_BAD_HANDSHAKE || cause->kind == BENCH_CAUSE_TESTER;
}

/* Whose an errno of connect, or of the tester itself, is: the tester's means
 * ran out, the other side said no, or nobody answered. */
static enum bench_side errno_side(int code)
{
	switch (code) {
	case ETIMEDOUT:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
		return BENCH_BETWEEN;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return BENCH_YOURS;
	default:
		return BENCH_MINE;
	}
}

/* Credentials are ours to give. */
static bool is_proof_missing(int status)
{
	return status == 401 || status == 403;
}

enum bench_side bench_cause_side(const struct bench_cause *cause)
{
	switch (cause->kind) {
	case BENCH_CAUSE_CONNECT:
		return errno_side(cause->code);
	case BENCH_CAUSE_TLS:
	case BENCH_CAUSE_TLS_BROKEN:
		return bench_tls_side(cause->code);
	case BENCH_CAUSE_TICKET:
		return is_proof_missing(cause->code) ? BENCH_MINE : BENCH_YOURS;
	case BENCH_CAUSE_CONNECT_TIMEOUT:
	case BENCH_CAUSE_TLS_TIMEOUT:
	case BENCH_CAUSE_HANDSHAKE_TIMEOUT:
	case BENCH_CAUSE_ECHO_TIMEOUT:
		return BENCH_BETWEEN;
	case BENCH_CAUSE_TLS_LOST:
	case BENCH_CAUSE_HANDSHAKE_LOST:
	case BENCH_CAUSE_LOST:
		/* 0 is the peer's end of stream. */
		return cause->code == 0 ? BENCH_YOURS : errno_side(cause->code);
	case BENCH_CAUSE_TESTER:
		return BENCH_MINE;
	case BENCH_CAUSE_HTTP:
	case BENCH_CAUSE_BAD_HANDSHAKE:
	case BENCH_CAUSE_CLOSED:
	case BENCH_CAUSE_BAD_FRAME:
	case BENCH_CAUSE_WRONG_ECHO:
	case BENCH_CAUSE_AWAY:
	case BENCH_CAUSE_OTHER: /* only a peer can think up so many */
		return BENCH_YOURS;
	}
	return BENCH_YOURS;
}

const char *bench_side_name(enum bench_side side)
{
	static const char *const names[] = {
		[BENCH_MINE] = "mine", [BENCH_YOURS] = "yours", [BENCH_BETWEEN] = "between"};

	return names[side];
}

uint64_t bench_causes_not_listening(const struct bench_causes *causes)
{
	uint64_t refused = 0, own = 0;

	for (unsigned i = 0; i < causes->count; i++) {
		const struct bench_cause *cause = &causes->rows[i];

		if (cause->kind == BENCH_CAUSE_CONNECT && cause->code == ECONNREFUSED)
			refused += cause->count;
		if (cause->kind == BENCH_CAUSE_BAD_HANDSHAKE &&
		    strcmp(cause->label, BENCH_OWN_REQUEST) == 0)
			own += cause->count;
	}
	return refused > 0 ? refused + own : 0;
}

/* "ECONNREFUSED (Connection refused)" */
static char *errno_text(int code, char *out, size_t size)
{
	const char *name = strerrorname_np(code);

	snprintf(out, size, "%s (%s)", name == NULL ? "errno" : name, strerrordesc_np(code));
	return out;
}

static char *lost_text(const struct bench_cause *cause, const char *when, char *out, size_t size)
{
	char error[128];

	if (cause->code == 0)
		snprintf(out, size, "closed by the other side %s", when);
	else
		snprintf(out, size, "%s %s", errno_text(cause->code, error, sizeof(error)), when);
	return out;
}

static char *http_text(const struct bench_cause *cause, char *out, size_t size)
{
	if (cause->label[0] == 0)
		snprintf(out, size, "HTTP %d", cause->code);
	else
		snprintf(out, size, "HTTP %d (Gatehouse-Limit: %s)", cause->code, cause->label);
	return out;
}

static char *ticket_text(const struct bench_cause *cause, char *out, size_t size)
{
	if (cause->code == 0)
		snprintf(out, size, "no ticket: %s", cause->label);
	else
		snprintf(out, size, "no ticket: HTTP %d", cause->code);
	return out;
}

char *bench_cause_text(const struct bench_cause *cause, char *out, size_t size)
{
	char error[128];

	switch (cause->kind) {
	case BENCH_CAUSE_CONNECT:
		snprintf(out, size, "connect: %s", errno_text(cause->code, error, sizeof(error)));
		break;
	case BENCH_CAUSE_CONNECT_TIMEOUT:
		snprintf(out, size, "connect: time out, TCP was not answered");
		break;
	case BENCH_CAUSE_TICKET:
		return ticket_text(cause, out, size);
	case BENCH_CAUSE_TLS:
	case BENCH_CAUSE_TLS_BROKEN:
		snprintf(out, size, "TLS: %s (%s)", bench_tls_text(cause->code), cause->label);
		break;
	case BENCH_CAUSE_TLS_TIMEOUT:
		snprintf(out, size, "TLS: time out, connected but no handshake");
		break;
	case BENCH_CAUSE_TLS_LOST:
		return lost_text(cause, "in the TLS handshake", out, size);
	case BENCH_CAUSE_HANDSHAKE_TIMEOUT:
		snprintf(out, size, "handshake: time out, connected but no answer");
		break;
	case BENCH_CAUSE_HANDSHAKE_LOST:
		return lost_text(cause, "before it answered the handshake", out, size);
	case BENCH_CAUSE_HTTP:
		return http_text(cause, out, size);
	case BENCH_CAUSE_BAD_HANDSHAKE:
		snprintf(out, size, "bad handshake: %s", cause->label);
		break;
	case BENCH_CAUSE_CLOSED:
		snprintf(out, size, "closed with %d%s%s%s", cause->code,
			 cause->label[0] == 0 ? "" : " \"", cause->label,
			 cause->label[0] == 0 ? "" : "\"");
		break;
	case BENCH_CAUSE_LOST:
		return lost_text(cause, "while open, without a close frame", out, size);
	case BENCH_CAUSE_BAD_FRAME:
		snprintf(out, size, "bad frame (%d): %s", cause->code, cause->label);
		break;
	case BENCH_CAUSE_WRONG_ECHO:
		snprintf(out, size, "wrong echo: %s", cause->label);
		break;
	case BENCH_CAUSE_ECHO_TIMEOUT:
		snprintf(out, size, "echo: time out, a message was not answered");
		break;
	case BENCH_CAUSE_AWAY:
		snprintf(out, size, "did not come back before the end");
		break;
	case BENCH_CAUSE_TESTER:
		snprintf(out, size, "the tester itself: %s",
			 errno_text(cause->code, error, sizeof(error)));
		break;
	case BENCH_CAUSE_OTHER:
		snprintf(out, size, "other causes, more kinds than are told apart");
		break;
	}
	return out;
}

/* A gateway's close code for a connection whose client came again (docs/clients.md). */
#define CLOSED_TAKEN_OVER 4001

static const char *errno_advice(int code)
{
	static const struct {
		int code;
		const char *advice;
	} rows[] = {
		{ECONNREFUSED, "nothing listens there: is the gateway up, is this its port? "
			       "(--wait-ready waits)"},
		{EADDRNOTAVAIL, "the tester's source ports are used up: widen "
				"net.ipv4.ip_local_port_range, or use an IPv4 loopback target, "
				"which is spread over 127.0.0.0/8"},
		{EMFILE, "the tester's descriptor limit: raise 'ulimit -Hn', or use "
			 "--engine io_uring"},
		{ENFILE, "with io_uring the ring's table is full: raise 'ulimit -Hn' or leave "
			 "--workers out; else the machine's files are: raise fs.file-max"},
		{ENOBUFS, "the kernel has no memory for sockets: see net.ipv4.tcp_mem"},
		{ENOMEM, "memory is out: fewer connections, or a larger machine"},
		{ETIMEDOUT, "TCP was not answered: a full listen backlog (net.core.somaxconn), a "
			    "packet filter or a wrong address"},
		{ENETUNREACH, "no route to that address"},
		{EHOSTUNREACH, "no route to that address"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == code)
			return rows[i].advice;
	return NULL;
}

#define ONE_ID_ADVICE                                                                          \
	"the server knows the client of this path already: give each connection an id of its " \
	"own, "                                                                                \
	"{n} in the URL becomes its number"

static const char *http_advice(int status)
{
	switch (status) {
	case 409:
		return ONE_ID_ADVICE;
	case 200:
	case 404:
	case 426:
		return "an HTTP server answered, but not as a WebSocket: check port and path";
	case 401:
	case 403:
		return "credentials are wanted: --basic, --token-file, --ticket-url, --cert or "
		       "--header 'Authorization: ...'";
	case 429:
	case 503:
		return "the other side is at a limit: raise the one it names, or open slower with "
		       "--rate";
	default:
		return NULL;
	}
}

bool bench_cause_is_limit(const struct bench_cause *cause)
{
	return (cause->kind == BENCH_CAUSE_HTTP || cause->kind == BENCH_CAUSE_TICKET) &&
	       (cause->code == 429 || cause->code == 503);
}

const char *bench_cause_advice(const struct bench_cause *cause)
{
	switch (cause->kind) {
	case BENCH_CAUSE_CONNECT:
	case BENCH_CAUSE_TESTER:
		return errno_advice(cause->code);
	case BENCH_CAUSE_CONNECT_TIMEOUT:
		return errno_advice(ETIMEDOUT);
	case BENCH_CAUSE_HTTP:
		return http_advice(cause->code);
	case BENCH_CAUSE_TICKET:
		return cause->code == 0 ? "--ticket-url must answer a POST with JSON that has a "
					  "member 'ticket'"
					: http_advice(cause->code);
	case BENCH_CAUSE_TLS:
	case BENCH_CAUSE_TLS_BROKEN:
		return bench_tls_advice(cause->code);
	case BENCH_CAUSE_TLS_LOST:
		return "it gave up without a word: is TLS spoken at that port? Its log may say "
		       "more";
	case BENCH_CAUSE_TLS_TIMEOUT:
		return "is TLS spoken at that port? It may be overloaded, too; "
		       "--handshake-timeout waits longer";
	case BENCH_CAUSE_HANDSHAKE_TIMEOUT:
		return "it may be out of descriptors or overloaded; --handshake-timeout waits "
		       "longer";
	case BENCH_CAUSE_CLOSED:
		return cause->code == CLOSED_TAKEN_OVER ? ONE_ID_ADVICE : NULL;
	case BENCH_CAUSE_ECHO_TIMEOUT:
		return "is it an echo? --echo-timeout waits longer";
	case BENCH_CAUSE_AWAY:
		return "see why its attempts failed, at Away; a longer --hold gives more time";
	default:
		return NULL;
	}
}
