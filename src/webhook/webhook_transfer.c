/* SPDX-License-Identifier: Apache-2.0
 * One attempt: libcurl's multi handle on our loop.
 *
 * Not curl_multi_poll on a bare thread: that looks at every transfer in each turn, and would
 * need an inbox, a wake-up and timers of its own for what the loop has already.
 *
 * libcurl says which descriptors to watch and when to call it again; what it has finished
 * is collected in webhook_settle only, never from inside one of its callbacks. */
#include "webhook/webhook_private.h"

#include <errno.h>
#include <stdlib.h>

/* Look-ups of names that are given up, in so long. */
#define LOOKUPS_MAX 64
#define LOOKUPS_NS  (30 * NS_PER_S)

struct socket_watch {
	struct watch watch;
	struct webhook *webhook;
};

/* --- sockets and the timer --- */

static void on_socket_ready(struct watch *watch, unsigned events)
{
	struct webhook *webhook = CONTAINER_OF(watch, struct socket_watch, watch)->webhook;
	int flags = (events & LOOP_READABLE ? CURL_CSELECT_IN : 0) |
		    (events & LOOP_WRITABLE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(webhook->multi, watch->fd, flags, &running);
	webhook_settle(webhook);
}

static void on_watch_closed(struct watch *watch)
{
	free(CONTAINER_OF(watch, struct socket_watch, watch));
}

/* NULL if memory is out: then nobody wakes the transfer, and it ends by its time-out. */
static struct socket_watch *socket_watch_open(struct webhook *webhook, int fd, unsigned events)
{
	struct socket_watch *self = malloc(sizeof(*self));

	if (self == NULL)
		return NULL;
	*self = (struct socket_watch){
		.watch = {.on_ready = on_socket_ready, .on_closed = on_watch_closed},
		.webhook = webhook,
	};
	if (watch_open(&self->watch, webhook->loop, fd, events) < 0) {
		free(self);
		return NULL;
	}
	return self;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct webhook *webhook = arg;
	struct socket_watch *before = socket_arg;
	unsigned events = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? LOOP_READABLE : 0u) |
			  (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? LOOP_WRITABLE : 0u);

	(void)easy;
	if (before != NULL)
		watch_close(&before->watch);
	curl_multi_assign(webhook->multi, fd,
			  events != 0 ? socket_watch_open(webhook, fd, events) : NULL);
	return 0;
}

static int on_timer_wish(CURLM *multi, long timeout_ms, void *arg)
{
	struct webhook *webhook = arg;

	(void)multi;
	loop_timer_stop(webhook->loop, &webhook->curl_timer);
	webhook->is_curl_due = timeout_ms == 0;
	if (timeout_ms > 0) {
		/* Counted from now, not from the begin of the turn: libcurl does not repeat
		 * a wish that was granted too early. */
		uint64_t late_ns = clock_now_ns() - loop_now(webhook->loop);

		loop_timer_start(webhook->loop, &webhook->curl_timer,
				 late_ns + (uint64_t)timeout_ms * NS_PER_MS);
	}
	return 0;
}

static void on_curl_timer(struct timer *timer)
{
	struct webhook *webhook = CONTAINER_OF(timer, struct webhook, curl_timer);
	long timeout_ms = -1;

	webhook->is_curl_due = true;
	webhook_settle(webhook);
	/* Its clock may run a little behind ours; then it thinks that it has asked already. */
	curl_multi_timeout(webhook->multi, &timeout_ms);
	if (timeout_ms >= 0 && !loop_timer_is_running(timer))
		loop_timer_start(webhook->loop, timer, (uint64_t)timeout_ms * NS_PER_MS);
}

/* --- a transfer's life --- */

static bool url_is_tls(const char *url)
{
	return strncasecmp(url, "https:", 6) == 0;
}

/* libcurl 7.88 fails when it uses a connection for the second time that it took to be HTTP/2
 * by prior knowledge (mended in 8.0.0). */
static bool can_keep_connections(const struct webhook_options *options)
{
	unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;

	return !options->http2 || url_is_tls(options->url) || version < 0x075800 ||
	       version >= 0x080000;
}

static void set_options(struct webhook_transfer *transfer)
{
	struct webhook *webhook = transfer->webhook;
	const struct webhook_options *options = &webhook->rules.options;
	long version = !options->http2            ? CURL_HTTP_VERSION_1_1
		       : url_is_tls(options->url) ? CURL_HTTP_VERSION_2TLS
						  : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
	CURL *easy = transfer->easy;

	curl_easy_setopt(easy, CURLOPT_URL, options->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* nor one of the environment */
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, options->user_agent);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, WEBHOOK_ACCEPT_ENCODING);
	/* Rather share a connection that is being made than make one more. */
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
			 options->http2 && webhook->keeps_connections ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, webhook->keeps_connections ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)options->max_response_bytes);
	if (options->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, webhook_answer_on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, webhook_answer_on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, webhook_socket_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
}

static struct webhook_transfer *transfer_get(struct webhook *webhook)
{
	struct webhook_transfer *transfer;

	if (!list_is_empty(&webhook->parked)) {
		transfer = CONTAINER_OF(webhook->parked.prev, struct webhook_transfer, node);
		list_remove(&transfer->node);
		return transfer;
	}
	transfer = calloc(1, sizeof(*transfer));
	if (transfer == NULL)
		return NULL;
	list_init(&transfer->node);
	transfer->webhook = webhook;
	transfer->rules_number = webhook->rules_number;
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL) {
		free(transfer);
		return NULL;
	}
	set_options(transfer);
	return transfer;
}

static void transfer_free(struct webhook_transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	buf_finish(&transfer->head);
	free(transfer->lines);
	free(transfer);
}

/* It may be freed. */
static void transfer_park(struct webhook_transfer *transfer)
{
	transfer->call->own.transfer = NULL;
	transfer->call = NULL;
	if (transfer->rules_number != transfer->webhook->rules_number)
		transfer_free(transfer);
	else
		list_append(&transfer->webhook->parked, &transfer->node);
}

static CURLMcode transfer_launch(struct webhook_transfer *transfer, uint64_t limit_ms)
{
	struct webhook_call *call = transfer->call;
	CURL *easy = transfer->easy;

	/* NULL would let it read standard input. */
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
			 call->body.len > 0 ? (const char *)call->body.data : "");
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->lines);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)limit_ms);
	/* On a kept connection that turns out to be dead libcurl sends once more by itself. */
	bool may_share = call->may_retry && transfer->webhook->keeps_connections;

	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, may_share ? 0L : 1L);
	return curl_multi_add_handle(transfer->webhook->multi, easy);
}

int webhook_transfer_begin(struct webhook *webhook, struct webhook_call *call, uint32_t ticket,
			   uint64_t limit_ms)
{
	struct webhook_transfer *transfer = transfer_get(webhook);

	if (transfer == NULL)
		return -ENOMEM;
	call->own.transfer = transfer;
	webhook_answer_forget(call);
	transfer->call = call;
	transfer->ticket = ticket;
	transfer->started_at_ns = clock_now_ns();
	transfer->head_bytes = 0;
	transfer->is_head_too_big = false;
	transfer->is_head_whole = false;
	transfer->is_body_too_big = false;
	transfer->is_out_of_memory = false;
	transfer->socket_error = 0;
	transfer->peer_len = 0;
	transfer->curl_error[0] = 0;
	if (webhook_request_write(transfer, clock_wall_ns() / NS_PER_S) < 0 ||
	    transfer_launch(transfer, limit_ms) != CURLM_OK) {
		transfer_park(transfer);
		return -ENOMEM;
	}
	return 0;
}

#if LIBCURL_VERSION_NUM >= 0x075700
/* libcurl waits for its thread that looks up a name, however long the resolver takes, and with it
 * all other calls would. So it is left to itself; but no more of them in a while than the machine
 * has room for, and one that is waited for holds back whoever asks for more. */
static bool may_leave_lookup(struct webhook *webhook)
{
	uint64_t now_ns = loop_now(webhook->loop);

	if (now_ns - webhook->lookups_since_ns >= LOOKUPS_NS) {
		webhook->lookups_since_ns = now_ns;
		webhook->lookups_left = 0;
	}
	return webhook->lookups_left++ < LOOKUPS_MAX;
}

static bool is_looking_up(struct webhook_transfer *transfer)
{
	curl_off_t lookup_us = 0, connect_us = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &lookup_us);
	curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
	return lookup_us == 0 && connect_us == 0;
}
#endif

static void leave_multi(struct webhook_transfer *transfer)
{
	struct webhook *webhook = transfer->webhook;

#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(transfer->easy, CURLOPT_QUICK_EXIT,
			 is_looking_up(transfer) && may_leave_lookup(webhook) ? 1L : 0L);
#endif
	curl_multi_remove_handle(webhook->multi, transfer->easy);
}

uint32_t webhook_transfer_abort(struct webhook_call *call)
{
	struct webhook_transfer *transfer = call->own.transfer;

	uint32_t ticket = transfer->ticket;

	leave_multi(transfer);
	transfer_park(transfer);
	return ticket;
}

static void transfer_ended(struct webhook_transfer *transfer, CURLcode result)
{
	struct webhook *webhook = transfer->webhook;
	struct webhook_call *call = transfer->call;
	long connects = 0;

	if (result == CURLE_OK && webhook_answer_take(transfer) < 0)
		result = CURLE_OUT_OF_MEMORY;
	struct verdict verdict = webhook_judge(transfer, result);

	curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
	counter_add(&webhook->stats.connections_opened, (uint64_t)connects);
	durations_record(&webhook->stats.durations, durations_short_us,
			 clock_now_ns() - transfer->started_at_ns);
	if (result != CURLE_OK) /* part of an answer is none */
		webhook_answer_forget(call);
	uint32_t ticket = transfer->ticket;

	leave_multi(transfer);
	transfer_park(transfer);
	webhook_call_attempt_ended(webhook, call, &verdict, ticket);
}

void webhook_settle(struct webhook *webhook)
{
	struct webhook_transfer *transfer;
	CURLMsg *message;
	int count;

	do {
		while (webhook->is_curl_due) {
			webhook->is_curl_due = false;
			curl_multi_socket_action(webhook->multi, CURL_SOCKET_TIMEOUT, 0, &count);
		}
		while ((message = curl_multi_info_read(webhook->multi, &count)) != NULL) {
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
			transfer_ended(transfer, message->data.result);
		}
		webhook_dispatch(webhook);
	} while (webhook->is_curl_due);
}

static void parked_free(struct webhook *webhook)
{
	while (!list_is_empty(&webhook->parked))
		transfer_free(
			CONTAINER_OF(list_pop(&webhook->parked), struct webhook_transfer, node));
}

/* Transfers under way have the older options set, and are not used again. */
void webhook_curl_tune(struct webhook *webhook)
{
	long in_flight = (long)webhook->rules.options.max_in_flight;

	parked_free(webhook);
	webhook->keeps_connections = can_keep_connections(&webhook->rules.options);
	webhook->rules_number++;
	curl_multi_setopt(webhook->multi, CURLMOPT_MAXCONNECTS, in_flight);
}

int webhook_curl_init(struct webhook *webhook)
{
	loop_timer_init(&webhook->curl_timer, on_curl_timer);
	webhook->multi = curl_multi_init();
	if (webhook->multi == NULL)
		return -ENOMEM;
	curl_multi_setopt(webhook->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(webhook->multi, CURLMOPT_SOCKETDATA, webhook);
	curl_multi_setopt(webhook->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	curl_multi_setopt(webhook->multi, CURLMOPT_TIMERDATA, webhook);
	webhook_curl_tune(webhook);
	return 0;
}

void webhook_curl_finish(struct webhook *webhook)
{
	parked_free(webhook);
	curl_multi_cleanup(webhook->multi);
	loop_timer_stop(webhook->loop, &webhook->curl_timer);
}
