/* SPDX-License-Identifier: Apache-2.0
 * tracer_export.c - the thread that takes spans to the collector.
 *
 * One request at a time, with what waits, up to TRACER_BATCH_SPANS. It is tried again as the
 * specification of OTLP/HTTP has it: after 429, 502, 503 and 504 and if there was no answer, with
 * waits that double, and not before Retry-After; any other refusal is final. Meanwhile the queue
 * fills up to its limit, and what comes beyond is dropped: newer spans, since those that wait may
 * be the beginning of what went wrong. When the process ends, what is left is sent once, without
 * waits. */
#include "trace/tracer_private.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/reference.h"

#define BATCH_BYTES   (1024 * 1024) /* [bytes] of spans; one larger one leaves alone */
#define ANSWER_MAX    65536         /* [bytes] that are read of an answer */
#define RETRY_MIN_NS  (1 * NS_PER_S)
#define RETRY_MAX_NS  (15 * NS_PER_S)
#define RETRY_FOR_NS  (60 * NS_PER_S) /* a batch, all attempts together */
#define TELL_AGAIN_NS (60 * NS_PER_S)
#define TURN_MAX_MS   1000

/* What is under way. */
struct batch {
	struct list_node items;
	uint64_t spans, bytes;
	struct tracer_target *target; /* NULL: tracing is off */
	uint64_t begun_ns;
	uint32_t failures;
	char *body;
	size_t len;
};

/* How one request ended. */
struct outcome {
	bool is_good;
	bool is_final;     /* not good: no other attempt would be */
	uint64_t rejected; /* good: of its spans */
	uint64_t wait_ns;  /* as the collector asks; 0: it does not */
	char error[320];
};

/* --- what waits --- */

static bool is_due(const struct tracer *tracer, uint64_t now_ns, uint64_t *out_wait_ns)
{
	uint64_t interval_ns = tracer->target == NULL ? 0 : tracer->target->interval_ms * NS_PER_MS;

	*out_wait_ns = MAX(interval_ns, NS_PER_MS);
	if (list_is_empty(&tracer->queue))
		return false;
	uint64_t oldest_ns = CONTAINER_OF(tracer->queue.next, struct trace_item, node)->taken_ns;

	if (tracer->is_stopping || tracer->queue_spans >= TRACER_BATCH_SPANS ||
	    oldest_ns + interval_ns <= now_ns)
		return true;
	*out_wait_ns = oldest_ns + interval_ns - now_ns;
	return false;
}

static void batch_fill(struct tracer *tracer, struct batch *batch)
{
	while (!list_is_empty(&tracer->queue) && batch->spans < TRACER_BATCH_SPANS) {
		struct trace_item *item = CONTAINER_OF(tracer->queue.next, struct trace_item, node);

		if (batch->spans > 0 && batch->bytes + item->len > BATCH_BYTES)
			break;
		list_remove(&item->node);
		list_append(&batch->items, &item->node);
		batch->spans++;
		batch->bytes += item->len;
	}
}

/* False: nothing is due, for so long as *out_wait_ns; or nothing is left, and *out_is_over. */
static bool batch_take(struct tracer *tracer, struct batch *batch, uint64_t *out_wait_ns,
		       bool *out_is_over)
{
	*batch = (struct batch){.begun_ns = clock_now_ns()};
	list_init(&batch->items);
	pthread_mutex_lock(&tracer->mutex);
	bool is_taken = is_due(tracer, batch->begun_ns, out_wait_ns);

	if (is_taken) {
		batch_fill(tracer, batch);
		batch->target = tracer->target;
		if (batch->target != NULL)
			reference_take(&batch->target->references);
	}
	*out_is_over = !is_taken && tracer->is_stopping;
	pthread_mutex_unlock(&tracer->mutex);
	return is_taken;
}

/* When requests must be over; UINT64_MAX: nobody is stopping. */
static uint64_t stop_ns(struct tracer *tracer)
{
	pthread_mutex_lock(&tracer->mutex);
	uint64_t at_ns = tracer->is_stopping ? tracer->stop_ns : UINT64_MAX;

	pthread_mutex_unlock(&tracer->mutex);
	return at_ns;
}

static void nap(struct tracer *tracer, uint64_t wait_ns)
{
	int ready;

	curl_multi_poll(tracer->multi, NULL, 0, (int)MIN(wait_ns / NS_PER_MS + 1, UINT64_C(60000)),
			&ready);
}

/* --- the request --- */

static int body_write(struct batch *batch)
{
	static const char end[] = "]}]}]}";
	struct slice head = buf_slice(&batch->target->resource);
	char *at = malloc(head.len + batch->bytes + batch->spans + sizeof(end));

	if (at == NULL)
		return -ENOMEM;
	batch->body = at;
	memcpy(at, head.data, head.len);
	at += head.len;
	for (struct list_node *node = batch->items.next; node != &batch->items; node = node->next) {
		const struct trace_item *item = CONTAINER_OF(node, struct trace_item, node);

		if (node != batch->items.next)
			*at++ = ',';
		memcpy(at, item->json, item->len);
		at += item->len;
	}
	memcpy(at, end, sizeof(end) - 1);
	batch->len = (size_t)(at - batch->body) + sizeof(end) - 1;
	return 0;
}

/* More than ANSWER_MAX is not looked at. */
static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
	struct buf *answer = arg;

	buf_append(answer, data, MIN(size * count, ANSWER_MAX - answer->len), ANSWER_MAX);
	return size * count;
}

static CURL *easy_create(const struct batch *batch, struct buf *answer, char *error,
			 uint64_t limit_ms)
{
	const struct tracer_target *target = batch->target;
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_URL, target->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* nor one of the environment */
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* libcurl's own thread may hang at a resolver that does not answer: this one may not,
	 * since the end of the process waits for it. One at a time, so they are few. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, target->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, batch->body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)batch->len);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)limit_ms);
	if (target->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, target->ca_file);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
	return easy;
}

/* Until it is over; earlier if the process is to end before. */
static CURLcode perform(struct tracer *tracer, CURL *easy)
{
	CURLcode result = CURLE_OPERATION_TIMEDOUT;
	int running = 1, left;
	CURLMsg *message;

	if (curl_multi_add_handle(tracer->multi, easy) != CURLM_OK)
		return CURLE_OUT_OF_MEMORY;
	while (running > 0 && clock_now_ns() < stop_ns(tracer)) {
		curl_multi_perform(tracer->multi, &running);
		if (running > 0)
			curl_multi_poll(tracer->multi, NULL, 0,
					stop_ns(tracer) == UINT64_MAX ? TURN_MAX_MS : 20, NULL);
	}
	while ((message = curl_multi_info_read(tracer->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			result = message->data.result;
	curl_multi_remove_handle(tracer->multi, easy);
	return result;
}

/* 0: none, or what is no number of spans, such as "-1", which strtoull() would make a large one. */
static uint64_t count_read(const json_t *count)
{
	json_int_t number = json_is_string(count) ? strtoll(json_string_value(count), NULL, 10)
						  : json_integer_value(count);

	return (uint64_t)MAX(number, (json_int_t)0);
}

/* {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "..."}}: the number may be a text. */
static uint64_t rejected_read(const struct buf *answer, char *error, size_t size)
{
	json_t *body = json_loadb((const char *)answer->data, answer->len, 0, NULL);
	const json_t *partial = json_object_get(body, "partialSuccess");
	const char *message = json_string_value(json_object_get(partial, "errorMessage"));
	uint64_t rejected = count_read(json_object_get(partial, "rejectedSpans"));

	if (rejected > 0)
		snprintf(error, size,
			 "the collector did not take %llu of the spans of a request%s%s",
			 (unsigned long long)rejected, message == NULL ? "" : ": ",
			 message == NULL ? "" : message);
	json_decref(body);
	return rejected;
}

static bool may_try_again(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static void judge(const struct batch *batch, CURL *easy, CURLcode result, const struct buf *answer,
		  const char *curl_error, struct outcome *out)
{
	const char *url = batch->target->url;
	int shown = (int)strcspn(url, "?#"); /* its query may be a secret */
	curl_off_t wait_s = 0;
	long status = 0;

	if (result != CURLE_OK) {
		snprintf(out->error, sizeof(out->error), "%.*s: %s", shown, url,
			 curl_error[0] != 0 ? curl_error : curl_easy_strerror(result));
		return;
	}
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait_s);
	out->is_good = status >= 200 && status < 300;
	out->is_final = !may_try_again(status);
	out->wait_ns = MIN((uint64_t)MAX(wait_s, (curl_off_t)0) * NS_PER_S, RETRY_FOR_NS);
	if (out->is_good)
		out->rejected = MIN(rejected_read(answer, out->error, sizeof(out->error)),
				    batch->spans);
	else
		snprintf(out->error, sizeof(out->error), "%.*s answered %ld; wanted: 200", shown,
			 url, status);
}

static void attempt(struct tracer *tracer, struct batch *batch, struct outcome *out)
{
	char curl_error[CURL_ERROR_SIZE] = "";
	struct buf answer = {0};
	uint64_t now_ns = clock_now_ns(), until_ns = stop_ns(tracer);
	uint64_t limit_ms = MIN((uint64_t)batch->target->timeout_ms,
				until_ns > now_ns ? (until_ns - now_ns) / NS_PER_MS + 1 : 1);

	*out = (struct outcome){0};
	CURL *easy = easy_create(batch, &answer, curl_error, limit_ms);

	counter_add(&tracer->stats.requests, 1);
	if (easy == NULL) {
		snprintf(out->error, sizeof(out->error), "memory is out");
	} else {
		judge(batch, easy, perform(tracer, easy), &answer, curl_error, out);
		curl_easy_cleanup(easy);
	}
	if (!out->is_good)
		counter_add(&tracer->stats.failures, 1);
	buf_finish(&answer);
}

/* --- a batch --- */

static void tell(struct tracer *tracer, const char *error)
{
	uint64_t now_ns = clock_now_ns();
	bool is_news = tracer->is_failing != (error != NULL) ||
		       (error != NULL && now_ns >= tracer->told_ns + TELL_AGAIN_NS);

	tracer->is_failing = error != NULL;
	if (!is_news)
		return;
	tracer->told_ns = now_ns;
	tracer->told(tracer->told_arg, error);
}

static void batch_end(struct tracer *tracer, struct batch *batch)
{
	tracer_items_free(tracer, &batch->items);
	tracer_target_unref(&batch->target);
	free(batch->body);
}

static void drop(struct tracer *tracer, const struct batch *batch, enum trace_drop reason)
{
	counter_add(&tracer->stats.dropped[reason], batch->spans);
}

static void take_success(struct tracer *tracer, const struct batch *batch,
			 const struct outcome *outcome)
{
	counter_add(&tracer->stats.exported, batch->spans - outcome->rejected);
	counter_add(&tracer->stats.dropped[TRACE_DROP_PARTIAL], outcome->rejected);
	tell(tracer, outcome->rejected > 0 ? outcome->error : NULL);
}

/* True: once more, after a wait. */
static bool goes_on(struct tracer *tracer, struct batch *batch, const struct outcome *outcome)
{
	if (outcome->is_good) {
		take_success(tracer, batch, outcome);
		return false;
	}
	tell(tracer, outcome->error);
	if (outcome->is_final) {
		drop(tracer, batch, TRACE_DROP_REJECTED);
		return false;
	}
	if (stop_ns(tracer) != UINT64_MAX) {
		drop(tracer, batch, TRACE_DROP_SHUTDOWN);
		return false;
	}
	uint64_t wait_ns = backoff_half_ns(RETRY_MIN_NS, RETRY_MAX_NS, ++batch->failures,
					   random_u32(&tracer->random));

	wait_ns = MAX(wait_ns, outcome->wait_ns);
	if (clock_now_ns() + wait_ns >= batch->begun_ns + RETRY_FOR_NS) {
		drop(tracer, batch, TRACE_DROP_UNREACHABLE);
		return false;
	}
	uint64_t until_ns = clock_now_ns() + wait_ns;

	for (uint64_t now_ns;
	     (now_ns = clock_now_ns()) < until_ns && stop_ns(tracer) == UINT64_MAX;)
		nap(tracer, until_ns - now_ns);
	return true;
}

static void batch_send(struct tracer *tracer, struct batch *batch)
{
	struct outcome outcome;

	if (batch->target == NULL || clock_now_ns() >= stop_ns(tracer)) {
		drop(tracer, batch, TRACE_DROP_SHUTDOWN);
	} else if (body_write(batch) < 0) {
		drop(tracer, batch, TRACE_DROP_MEMORY);
	} else {
		do
			attempt(tracer, batch, &outcome);
		while (goes_on(tracer, batch, &outcome));
	}
	batch_end(tracer, batch);
}

void *tracer_thread(void *arg)
{
	struct tracer *tracer = arg;
	bool is_over = false;

	while (!is_over) {
		struct batch batch;
		uint64_t wait_ns;

		if (batch_take(tracer, &batch, &wait_ns, &is_over))
			batch_send(tracer, &batch);
		else if (!is_over)
			nap(tracer, wait_ns);
	}
	return NULL;
}
