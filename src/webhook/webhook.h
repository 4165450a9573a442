/* SPDX-License-Identifier: Apache-2.0
 * webhook.h - delivers events to a back end by HTTP POST, and brings back its answers.
 *
 * Layer: webhook (may include base and io). Knows nothing of connections. A webhook is one
 * back end: one URL, one thread with a loop and one libcurl multi handle, which keeps the
 * connections, retries, and stops asking while the back end is down. Calls run in parallel;
 * an order among them is the caller's business. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/loop.h"
#include "webhook/webhook_stats.h"

struct webhook;

struct webhook_header {
	struct slice name;
	struct slice value;
	bool is_list; /* of one that is wanted: all of that name, with commas between */
};

struct webhook_options {
	const char *url;            /* http:// or https:// */
	const char *const *secrets; /* "whsec_..."; all sign */
	size_t secret_count;        /* 0: not signed */
	const char *ca_file;        /* PEM; NULL: the system's */
	/* With every request; each good for webhook_static_header_check. */
	const struct webhook_header *headers;
	size_t header_count;
	const char *user_agent;
	/* https: where the server offers it. http: with prior knowledge (h2c); with libcurl 7.88
	 * that takes a new connection for each call. */
	bool http2;

	uint32_t connect_timeout_ms;
	uint32_t timeout_ms; /* of one attempt, connecting included */
	uint32_t max_in_flight;
	uint32_t queue_max; /* calls that wait, for a place or for the next attempt */
	size_t max_response_bytes;

	uint32_t retries; /* after the first attempt */
	uint32_t retry_min_ms, retry_max_ms;
	uint32_t retry_after_max_ms;   /* Retry-After is honoured up to here */
	uint32_t retry_budget_percent; /* of first attempts */
	uint32_t retry_burst;          /* retries that the budget allows at once */

	uint32_t breaker_failures; /* in a row that open it; 0: never */
	uint32_t breaker_open_ms;
	uint32_t breaker_probes; /* that must go well to close it, from 1 */
};

enum webhook_call_state {
	WEBHOOK_CALL_NEW,
	WEBHOOK_CALL_QUEUED,
	WEBHOOK_CALL_FLYING,
	WEBHOOK_CALL_SLEEPING, /* until the next attempt */
	WEBHOOK_CALL_ENDED,
};

/* The webhook's part of a call. */
struct webhook_call_private {
	struct webhook *webhook;
	struct webhook_transfer *transfer; /* while flying */
	struct list_node node;
	struct loop_task task; /* the way in, later the way back */
	struct loop_task cancel_task;
	struct loop_task yield_task;
	struct timer timer;
	uint32_t refs;         /* atomic; the last one gone sends the call home */
	bool is_cancel_wanted; /* atomic */
	bool is_yield_wanted;  /* atomic */
	bool is_last;          /* no attempt follows this one */
	enum webhook_call_state state;
};

/* What became of each attempt, for whoever wants to know: of the first ones, and of the last. */
#define WEBHOOK_TRAIL_MAX 8
struct webhook_trail {
	char url[256];  /* where they went, without user and query, which may be secrets */
	uint32_t count; /* of attempts; those between are not told of */
	struct {
		uint64_t begun_ns, ended_ns; /* since the epoch */
		uint32_t status;             /* of its answer; 0: none */
		enum webhook_cause cause;
	} attempts[WEBHOOK_TRAIL_MAX];
};

/* In the caller's memory, zeroed before its first use; it and everything that it points to
 * are lent from webhook_start until on_done. */
struct webhook_call {
	/* what the caller sets */
	struct loop *loop; /* where on_done runs */
	/* Once for each webhook_start that returned 0. The call may be started again in it. */
	void (*on_done)(struct webhook_call *call);
	struct slice event_id;     /* webhook-id, the same in every attempt */
	struct slice content_type; /* empty: application/octet-stream */
	struct slice body;
	const struct webhook_header *headers;
	size_t header_count;
	/* Names of answer headers that are wanted; the values arefilled in (the first of that
	 * name, or all; data == NULL: there was none), and belong to the call. */
	struct webhook_header *wanted;
	size_t wanted_count;
	/* Of clock_now_ns, for all attempts; 0: none. An attempt that it cuts short counts as a
	 * time-out, also for the breaker. */
	uint64_t deadline_ns;
	/* False: only tried again if nothing of the request can have been sent. */
	bool may_retry;
	struct webhook_trail *trail; /* filled in; NULL: nobody wants to know */

	/* the result, from on_done until webhook_call_release or the next start */
	enum webhook_outcome outcome;
	enum webhook_cause cause; /* of the last attempt */
	uint32_t status;          /* of the last answer; 0: none */
	uint32_t attempts;
	/* Not OK: trying sooner is pointless, says the breaker or, up to retry_after_max_ms,
	 * Retry-After. 0: not known. */
	uint64_t retry_after_ns;
	struct buf response;    /* body of the last answer, at most max_response_bytes */
	struct buf wanted_text; /* what `wanted` points into */
	char error[320];        /* not OK: what happened, in words; also after -EINVAL */

	struct webhook_call_private own;
};

/* Whether webhook_create would take the options: 0, or -EINVAL with what is wrong and what is
 * allowed in `error`, or -ENOMEM. Nothing is started. */
int webhook_check(const struct webhook_options *options, char *error, size_t error_size);

/* Can it go with every request? False: `problem` says why not, without the value. */
bool webhook_static_header_check(const struct webhook_header *header, char *problem, size_t size);

/* Starts the thread. `options` are copied. Returns 0; -EINVAL with what is wrong and what is
 * allowed in `error`; or another negative errno. */
int webhook_create(const struct webhook_options *options, struct webhook **out_webhook, char *error,
		   size_t error_size);

/* --- other options, while it works --- */

struct webhook_change;

/* All that can fail of it; as webhook_create. */
int webhook_change_prepare(const struct webhook_options *options,
			   struct webhook_change **out_change, char *error, size_t error_size);

/* Attempts that begin from now on have these options, also of calls that were started before;
 * those under way end by the ones that they began with. Returns when the thread has taken them
 * over. Where the url is another one the breaker is closed. Clears the pointer. */
void webhook_change_apply(struct webhook *webhook, struct webhook_change **change);

/* NULL is fine; clears the pointer. */
void webhook_change_discard(struct webhook_change **change);

/* Takes no more calls, gives those under way `drain_ms` to end, cancels the rest, waits for the
 * thread and frees the webhook. No on_done is posted afterwards; those posted before still run
 * in their loops, which must not end before. NULL is fine. Nobody may be inside another
 * function of this webhook when it returns. */
void webhook_destroy(struct webhook **webhook, uint32_t drain_ms);

/* Thread-safe. Returns 0: on_done will come; -EAGAIN: max_in_flight and queue_max are used up;
 * -EINVAL: a header or the id cannot be sent, call->error says which; -ESHUTDOWN: the webhook
 * is being destroyed. */
int webhook_start(struct webhook *webhook, struct webhook_call *call);

/* Ends the call as soon as may be; on_done comes as always, with WEBHOOK_CANCELLED unless it
 * had already ended. From the thread of call->loop, or any that knows that on_done has not
 * run; harmless if repeated, and on a call that was not started. */
void webhook_cancel(struct webhook_call *call);

/* Ends the call soon, without giving up what may have reached the back end: an attempt under way is
 * the last, and without one it ends as if it was cancelled. Else as webhook_cancel. */
void webhook_yield(struct webhook_call *call);

/* Frees what the result holds. */
void webhook_call_release(struct webhook_call *call);

/* Thread-safe. */
void webhook_stats_read(struct webhook *webhook, struct webhook_stats *out_stats);
