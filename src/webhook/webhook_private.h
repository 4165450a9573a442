/* SPDX-License-Identifier: Apache-2.0
 * webhook_private.h - what the files of webhook/ share.
 *
 * Layer: webhook; only its own files include it. webhook.c is the door: options, threads,
 * start, cancel, destroy; webhook_rules.c is what the options come to, and their change.
 * webhook_call.c is the life of a call in the webhook's thread. webhook_transfer.c is one attempt
 * of it, with libcurl behind it. webhook_verdict.c judges how an attempt ended, webhook_request.c
 * what may be sent. */
#pragma once

#include <pthread.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/backoff.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/random.h"
#include "base/reference.h"
#include "webhook/webhook.h"
#include "webhook/webhook_retry_budget.h"
#include "webhook/webhook_sign.h"

/* What the options come to; webhook_rules.c. */
struct webhook_rules {
	struct webhook_options options; /* its texts are copies; without secrets and headers */
	struct webhook_signer *signer;  /* NULL: nothing is signed */
	struct buf static_lines;        /* options.headers, each with a NUL */
};

/* Everything that the thread has, it alone touches, but what is marked. */
struct webhook {
	struct webhook_rules rules; /* of attempts that begin */
	uint32_t rules_number;      /* grows with each change of them */
	uint64_t admitted_max;      /* atomic: max_in_flight and queue_max */
	struct loop *loop;
	pthread_t thread;
	pthread_mutex_t start_mutex; /* guards the next two */
	pthread_cond_t start_changed;
	int start_result; /* 1: not yet */

	uint64_t admitted;          /* atomic: calls accepted and not done; ADMISSION_CLOSED */
	struct webhook_stats stats; /* atomics */

	struct list_node queued;
	struct list_node flying;
	struct list_node sleeping;
	uint32_t in_flight;
	struct webhook_breaker breaker;
	struct retry_budget budget;
	struct random_source random;

	CURLM *multi;
	struct timer curl_timer;
	bool keeps_connections;
	bool is_curl_due;          /* libcurl wants to run at once */
	uint64_t lookups_since_ns; /* webhook_transfer.c */
	uint32_t lookups_left;     /* since then */
	struct list_node parked;   /* transfers without a call */

	struct loop_task drain_task;
	struct timer drain_timer;
	uint32_t drain_ms;
	bool is_cancelling; /* what still arrives is cancelled */
};

#define ADMISSION_CLOSED (UINT64_C(1) << 63)

#define WEBHOOK_ANSWER_HEAD_MAX 65536 /* [bytes] all lines of all heads of one attempt */

/* What a back end may compress an answer with; libcurl decodes it piece by piece, so that what
 * comes out is held to max_response_bytes as what comes in is. */
#define WEBHOOK_ACCEPT_ENCODING "gzip, deflate"

/* One attempt: a libcurl easy handle with all that it points to; used again and again. */
struct webhook_transfer {
	struct list_node node; /* in webhook->parked */
	struct webhook *webhook;
	struct webhook_call *call;
	CURL *easy;
	uint64_t started_at_ns;
	uint32_t ticket; /* of the breaker */
	uint32_t rules_number;
	size_t head_bytes;
	bool is_head_too_big;
	bool is_head_whole; /* of the last head so far its end was there */
	bool is_body_too_big;
	bool is_out_of_memory;
	int socket_error;             /* why there is no socket for it; 0: there was one */
	struct sockaddr_storage peer; /* of the last socket */
	socklen_t peer_len;
	struct buf head;          /* the request's lines, each with a NUL */
	struct curl_slist *lines; /* an array, linked, that points into `head` */
	size_t line_cap;
	char curl_error[CURL_ERROR_SIZE];
};

enum retry_rule {
	RETRY_NEVER,
	RETRY_IF_ALLOWED, /* the back end may have seen it */
	RETRY_ALWAYS,     /* it cannot have */
};

struct verdict {
	enum webhook_outcome outcome;
	enum webhook_cause cause;
	enum retry_rule retry;
	enum webhook_health health;
	uint64_t retry_after_ns; /* as the back end asked */
};

/* --- webhook_rules.c --- */

/* Of options that webhook_check takes. 0, or a negative errno with `error`; webhook_rules_finish in
 * either case. */
int webhook_rules_make(const struct webhook_options *options, struct webhook_rules *out_rules,
		       char *error, size_t size);

/* Zeroed is fine. */
void webhook_rules_finish(struct webhook_rules *rules);

/* --- webhook_call.c; all in the webhook's thread --- */

/* A call has come in by webhook_start. */
void webhook_call_arrive(struct loop_task *task);
void webhook_call_cancel(struct loop_task *task);
void webhook_call_yield(struct loop_task *task);
void webhook_cancel_all(struct webhook *webhook);

/* An attempt has ended; the transfer is parked already. */
void webhook_call_attempt_ended(struct webhook *webhook, struct webhook_call *call,
				const struct verdict *verdict, uint32_t ticket);

/* Begins attempts while there are calls and places. */
void webhook_dispatch(struct webhook *webhook);

/* --- webhook_transfer.c; likewise --- */

int webhook_curl_init(struct webhook *webhook);

/* After other options have come. */
void webhook_curl_tune(struct webhook *webhook);
void webhook_curl_finish(struct webhook *webhook);

/* Begins an attempt; `limit_ms` is its time. 0, or -ENOMEM. */
int webhook_transfer_begin(struct webhook *webhook, struct webhook_call *call, uint32_t ticket,
			   uint64_t limit_ms);

/* Ends it without a result; returns its ticket. */
uint32_t webhook_transfer_abort(struct webhook_call *call);

/* Lets libcurl do what is due, and deals with what has ended; after whatever was asked of
 * libcurl, so that nothing waits for the next turn. */
void webhook_settle(struct webhook *webhook);

/* --- webhook_answer.c --- */

/* CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION, with the transfer. */
size_t webhook_answer_on_head(char *data, size_t size, size_t count, void *arg);
size_t webhook_answer_on_body(char *data, size_t size, size_t count, void *arg);

/* Of the attempt before. */
void webhook_answer_forget(struct webhook_call *call);

/* The values of the fields that are wanted. 0, or a negative errno. */
int webhook_answer_take(struct webhook_transfer *transfer);

/* --- webhook_verdict.c --- */

/* Judges the attempt by libcurl's result, and writes call->status and, unless it is
 * good, call->error. */
struct verdict webhook_judge(struct webhook_transfer *transfer, CURLcode result);

/* --- webhook_socket.c: is it the back end that cannot be reached, or is it us? --- */

/* CURLOPT_OPENSOCKETFUNCTION, with the transfer. */
curl_socket_t webhook_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address);

/* 0: there was a socket; else what this process or machine has run out of, as an errno. */
int webhook_socket_error(const struct webhook_transfer *transfer, CURLcode result);

/* Which limit that is, what is in force, and what to do. */
void webhook_socket_describe(int error, char *out, size_t size);

/* --- webhook_request.c --- */

/* options.headers into static_lines. 0 or -ENOMEM. */
int webhook_static_lines_write(struct buf *lines, const struct webhook_options *options);

/* 0, or -EINVAL and call->error: the id or a header cannot be sent as it is. */
int webhook_request_check(struct webhook_call *call);

/* Writes the lines of the head into transfer->head and links them. 0 or -ENOMEM. */
int webhook_request_write(struct webhook_transfer *transfer, uint64_t timestamp_s);
