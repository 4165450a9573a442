/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- options --- */

#define REJECT(...) (snprintf(error, size, __VA_ARGS__), -EINVAL)

static int url_check(const char *url, char *error, size_t size)
{
	CURLU *parsed = curl_url();
	char *scheme = NULL;

	if (parsed == NULL)
		return -ENOMEM;
	CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
	int r = 0;

	if (code == CURLUE_OK)
		code = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
	if (code != CURLUE_OK)
		r = REJECT("the url '%s' cannot be used: %s; wanted is http://HOST[:PORT]/PATH or "
			   "https://...",
			   url, curl_url_strerror(code));
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		r = REJECT("the url '%s' has the scheme '%s'; allowed are http and https", url,
			   scheme);
	curl_free(scheme);
	curl_url_cleanup(parsed);
	return r;
}

static int numbers_check(const struct webhook_options *options, char *error, size_t size)
{
	const struct {
		const char *name;
		uint64_t value, min, max;
	} rows[] = {
		{"connect_timeout_ms", options->connect_timeout_ms, 1, 3600000},
		{"timeout_ms", options->timeout_ms, 1, 3600000},
		{"max_in_flight", options->max_in_flight, 1, 100000},
		{"max_response_bytes", options->max_response_bytes, 1, UINT64_C(1) << 32},
		{"retry_max_ms", options->retry_max_ms, options->retry_min_ms, 3600000},
		{"retry_budget_percent", options->retry_budget_percent, 0, 100},
		{"breaker_probes", options->breaker_probes, 1, 1000},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].value < rows[i].min || rows[i].value > rows[i].max)
			return REJECT("%s: %llu is not in %llu..%llu", rows[i].name,
				      (unsigned long long)rows[i].value,
				      (unsigned long long)rows[i].min,
				      (unsigned long long)rows[i].max);
	return 0;
}

/* libcurl would find out at the first call, and at each one after it. */
static int ca_check(const char *file, char *error, size_t size)
{
	X509_STORE *store = X509_STORE_new();

	if (store == NULL)
		return -ENOMEM;
	if (access(file, R_OK) < 0) {
		X509_STORE_free(store);
		return REJECT("the CA file '%s' cannot be read: %s", file, strerror(errno));
	}
	ERR_clear_error();
	bool is_good = X509_STORE_load_file(store, file) == 1;
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	X509_STORE_free(store);
	return is_good ? 0
		       : REJECT("the CA file '%s' holds no certificates (%s); write them in PEM",
				file, reason != NULL ? reason : "unreadable");
}

/* libcurl stays set up until the process ends: others may use it too. */
static void curl_setup(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int webhook_check(const struct webhook_options *options, char *error, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, curl_setup);
	snprintf(error, size, "not enough memory or threads");
	int r = url_check(options->url, error, size);

	if (r == 0)
		r = numbers_check(options, error, size);
	if (r == 0 && options->ca_file != NULL)
		r = ca_check(options->ca_file, error, size);
	return r;
}

/* --- the thread --- */

static void report_start(struct webhook *webhook, int result)
{
	pthread_mutex_lock(&webhook->start_mutex);
	webhook->start_result = result;
	pthread_cond_signal(&webhook->start_changed);
	pthread_mutex_unlock(&webhook->start_mutex);
}

/* epoll: libcurl's descriptors are foreign ones, for which io_uring has nothing better. */
static void *thread_main(void *arg)
{
	struct webhook *webhook = arg;
	int r = loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &webhook->loop);

	if (r < 0) {
		report_start(webhook, r);
		return NULL;
	}
	r = webhook_curl_init(webhook);
	report_start(webhook, r);
	if (r == 0) {
		loop_run(webhook->loop);
		webhook_curl_finish(webhook);
	}
	loop_destroy(&webhook->loop);
	return NULL;
}

static int thread_start(struct webhook *webhook)
{
	int r = pthread_create(&webhook->thread, NULL, thread_main, webhook);

	if (r != 0)
		return -r;
	pthread_mutex_lock(&webhook->start_mutex);
	while (webhook->start_result > 0)
		pthread_cond_wait(&webhook->start_changed, &webhook->start_mutex);
	r = webhook->start_result;
	pthread_mutex_unlock(&webhook->start_mutex);
	if (r < 0)
		pthread_join(webhook->thread, NULL);
	return r;
}

/* --- life --- */

static void webhook_free(struct webhook *webhook)
{
	webhook_rules_finish(&webhook->rules);
	pthread_cond_destroy(&webhook->start_changed);
	pthread_mutex_destroy(&webhook->start_mutex);
	free(webhook);
}

static void webhook_init(struct webhook *webhook, const struct webhook_options *options)
{
	pthread_mutex_init(&webhook->start_mutex, NULL);
	pthread_cond_init(&webhook->start_changed, NULL);
	webhook->start_result = 1;
	webhook->admitted_max = (uint64_t)options->max_in_flight + options->queue_max;
	list_init(&webhook->queued);
	list_init(&webhook->flying);
	list_init(&webhook->sleeping);
	list_init(&webhook->parked);
	webhook_breaker_init(&webhook->breaker, options->breaker_failures,
			     options->breaker_open_ms * NS_PER_MS, options->breaker_probes);
	retry_budget_init(&webhook->budget, options->retry_budget_percent, options->retry_burst);
}

int webhook_create(const struct webhook_options *options, struct webhook **out_webhook, char *error,
		   size_t error_size)
{
	int r = webhook_check(options, error, error_size);

	if (r < 0)
		return r;
	struct webhook *webhook = calloc(1, sizeof(*webhook));

	if (webhook == NULL)
		return -ENOMEM;
	webhook_init(webhook, options);
	r = webhook_rules_make(options, &webhook->rules, error, error_size);
	if (r == 0)
		r = thread_start(webhook);
	if (r < 0) {
		webhook_free(webhook);
		return r;
	}
	*out_webhook = webhook;
	return 0;
}

static void on_drain_timer(struct timer *timer)
{
	webhook_cancel_all(CONTAINER_OF(timer, struct webhook, drain_timer));
}

static void drain(struct loop_task *task)
{
	struct webhook *webhook = CONTAINER_OF(task, struct webhook, drain_task);

	loop_timer_init(&webhook->drain_timer, on_drain_timer);
	if (__atomic_load_n(&webhook->admitted, __ATOMIC_ACQUIRE) == ADMISSION_CLOSED)
		loop_stop(webhook->loop);
	else if (webhook->drain_ms == 0)
		webhook_cancel_all(webhook);
	else
		loop_timer_start(webhook->loop, &webhook->drain_timer,
				 webhook->drain_ms * NS_PER_MS);
}

void webhook_destroy(struct webhook **webhook, uint32_t drain_ms)
{
	if (*webhook == NULL)
		return;
	(*webhook)->drain_ms = drain_ms;
	(*webhook)->drain_task.run = drain;
	__atomic_fetch_or(&(*webhook)->admitted, ADMISSION_CLOSED, __ATOMIC_ACQ_REL);
	loop_post((*webhook)->loop, &(*webhook)->drain_task);
	pthread_join((*webhook)->thread, NULL);
	webhook_free(*webhook);
	*webhook = NULL;
}

/* --- calls --- */

/* Counts the call in before it is posted, so that webhook_destroy waits for it. */
static int admit(struct webhook *webhook)
{
	uint64_t max = counter_read(&webhook->admitted_max);
	uint64_t admitted = __atomic_load_n(&webhook->admitted, __ATOMIC_RELAXED);

	do {
		if (admitted & ADMISSION_CLOSED)
			return -ESHUTDOWN;
		if (admitted >= max)
			return -EAGAIN;
	} while (!__atomic_compare_exchange_n(&webhook->admitted, &admitted, admitted + 1, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return 0;
}

static void result_reset(struct webhook_call *call)
{
	webhook_call_release(call);
	call->status = 0;
	call->attempts = 0;
	call->cause = WEBHOOK_CAUSE_NONE;
	call->retry_after_ns = 0;
	call->error[0] = 0;
}

int webhook_start(struct webhook *webhook, struct webhook_call *call)
{
	result_reset(call);
	int r = webhook_request_check(call);

	if (r < 0)
		return r;
	r = admit(webhook);
	if (r == -EAGAIN)
		counter_add(&webhook->stats.calls_rejected, 1);
	if (r < 0)
		return r;
	call->own = (struct webhook_call_private){.webhook = webhook};
	list_init(&call->own.node);
	call->own.task.run = webhook_call_arrive;
	call->own.cancel_task.run = webhook_call_cancel;
	call->own.yield_task.run = webhook_call_yield;
	__atomic_store_n(&call->own.refs, 1, __ATOMIC_RELEASE);
	counter_add(&webhook->stats.calls_started, 1);
	loop_post(webhook->loop, &call->own.task);
	return 0;
}

/* A call under way does not go home before the task has come and gone. False: it is on its way
 * home, or was not started. */
static bool call_ref(struct webhook_call *call)
{
	uint32_t refs = __atomic_load_n(&call->own.refs, __ATOMIC_ACQUIRE);

	do {
		if (refs == 0)
			return false;
	} while (!__atomic_compare_exchange_n(&call->own.refs, &refs, refs + 1, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

void webhook_cancel(struct webhook_call *call)
{
	if (!__atomic_exchange_n(&call->own.is_cancel_wanted, true, __ATOMIC_ACQ_REL) &&
	    call_ref(call))
		loop_post(call->own.webhook->loop, &call->own.cancel_task);
}

void webhook_yield(struct webhook_call *call)
{
	if (!__atomic_exchange_n(&call->own.is_yield_wanted, true, __ATOMIC_ACQ_REL) &&
	    call_ref(call))
		loop_post(call->own.webhook->loop, &call->own.yield_task);
}

void webhook_call_release(struct webhook_call *call)
{
	buf_finish(&call->response);
	buf_finish(&call->wanted_text);
	for (size_t i = 0; i < call->wanted_count; i++)
		call->wanted[i].value = (struct slice){0};
}

void webhook_stats_read(struct webhook *webhook, struct webhook_stats *out_stats)
{
	uint64_t admitted = __atomic_load_n(&webhook->admitted, __ATOMIC_RELAXED);

	webhook_stats_copy(out_stats, &webhook->stats);
	admitted &= ~ADMISSION_CLOSED;
	out_stats->waiting = admitted > out_stats->in_flight ? admitted - out_stats->in_flight : 0;
}
