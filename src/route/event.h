/* SPDX-License-Identifier: Apache-2.0
 * event.h - what back ends are told, as CloudEvents 1.0 in the binary content mode.
 *
 * Layer: route. Pure but for memory. docs/backend-contract.md is the contract. */
#pragma once

#include "base/buf.h"
#include "session/session.h"
#include "trace/trace_context.h"

struct event_road;
struct tcp_tls_facts;
struct tracer;

/* X(NAME, label). Numbers of it pass from process to process (event_state.c): new ones come last.
 */
#define EVENT_TABLE(X)            \
	X(CONNECT, "connect")     \
	X(CONNECTED, "connected") \
	X(MESSAGE, "message")     \
	X(DISCONNECTED, "disconnected")

#define EVENT_ENUM(NAME, label) EVENT_##NAME,
enum event_type { EVENT_TABLE(EVENT_ENUM) EVENT_TYPE_COUNT };

const char *event_type_label(enum event_type type);

/* What is the same in all events of a node from its start to its end. */
struct event_source {
	char uri[96];    /* "/gatehouse/<node>" */
	char run_id[14]; /* tells one start from another; no '-' or '.' in it */
	/* Atomic. To the process that this one has taken over from, or that takes over; NULL: there
	 * is none. */
	struct event_road *road;
	struct tracer *tracer; /* NULL: nothing is traced */
};

static inline struct event_road *event_source_road(const struct event_source *source)
{
	return __atomic_load_n(&source->road, __ATOMIC_ACQUIRE);
}

void event_source_init(struct event_source *source, const char *node);

/* Takes the run_id of another. False: it is none. */
bool event_source_keep_run_id(struct event_source *source, struct slice run_id);

struct event_facts {
	const struct event_source *source;
	const struct presence *presence;
	struct slice traceparent; /* the client's; may be empty */
	struct slice tracestate;
	const struct trace_context *hop; /* of the span of its delivery; NULL: none */
	/* CONNECT */
	const struct tcp_tls_facts *tls; /* NULL: none */
	struct slice path, query, origin;
	enum event_type type;
	uint64_t sequence; /* from 1, in one connection */
	uint64_t time_ns;  /* since the epoch */
	/* MESSAGE */
	bool is_text;
	enum message_mark mark;
	/* DISCONNECTED */
	const char *reason;
	uint16_t code;
};

#define EVENT_ATTRIBUTES_MAX 48

/* [bytes] of path, query and origin, each before it is encoded. Servers take 8 KiB of header lines,
 * some less, and there are others: what is longer is left out, and stands in the request. */
#define EVENT_REQUEST_VALUE_MAX 2048

struct event_attribute {
	struct slice name;  /* of the header */
	struct slice value; /* never empty */
};

/* The attributes as header lines, "ce-..." each. Zero-initialise. */
struct event_head {
	struct buf text; /* what the attributes point into */
	struct event_attribute attributes[EVENT_ATTRIBUTES_MAX];
	size_t count;
	struct slice id; /* ce-id: the same for the same facts; unique among all nodes */
	struct slice content_type;
};

/* 0 or -ENOMEM. */
int event_head_write(struct event_head *head, const struct event_facts *facts);
void event_head_finish(struct event_head *head);

/* For event_tls.c: what is appended to the text in between is the value. The buffer does not
 * move: event_head_write has made room. */
void event_head_add(struct event_head *head, struct slice name, size_t start);
void event_head_encode(struct event_head *head, struct slice text);
