/* SPDX-License-Identifier: Apache-2.0
 * webhook_verdict.c - what an answer, or the lack of one, means (webhook_private.h): delivered,
 * refused, to be tried again; and whether the breaker counts it. */
#include "webhook/webhook_private.h"

#include <stdio.h>

/* What libcurl's results mean. Every other one is a connection that broke. */
static const struct {
	CURLcode result;
	struct verdict verdict;
} results[] = {
	{CURLE_COULDNT_RESOLVE_HOST,
	 {WEBHOOK_FAILED, WEBHOOK_CAUSE_CONNECT, RETRY_ALWAYS, WEBHOOK_ILL}},
	{CURLE_COULDNT_CONNECT, {WEBHOOK_FAILED, WEBHOOK_CAUSE_CONNECT, RETRY_ALWAYS, WEBHOOK_ILL}},
	{CURLE_SSL_CONNECT_ERROR, {WEBHOOK_FAILED, WEBHOOK_CAUSE_TLS, RETRY_ALWAYS, WEBHOOK_ILL}},
	{CURLE_PEER_FAILED_VERIFICATION,
	 {WEBHOOK_FAILED, WEBHOOK_CAUSE_TLS, RETRY_NEVER, WEBHOOK_ILL}},
	{CURLE_SSL_CACERT_BADFILE, {WEBHOOK_FAILED, WEBHOOK_CAUSE_TLS, RETRY_NEVER, WEBHOOK_ILL}},
	{CURLE_OPERATION_TIMEDOUT,
	 {WEBHOOK_FAILED, WEBHOOK_CAUSE_TIMEOUT, RETRY_IF_ALLOWED, WEBHOOK_ILL}},
	{CURLE_UNSUPPORTED_PROTOCOL, /* what came does not begin with HTTP/ */
	 {WEBHOOK_FAILED, WEBHOOK_CAUSE_PROTOCOL, RETRY_IF_ALLOWED, WEBHOOK_ILL}},
	{CURLE_WEIRD_SERVER_REPLY,
	 {WEBHOOK_FAILED, WEBHOOK_CAUSE_PROTOCOL, RETRY_IF_ALLOWED, WEBHOOK_ILL}},
	{CURLE_HTTP2, {WEBHOOK_FAILED, WEBHOOK_CAUSE_PROTOCOL, RETRY_IF_ALLOWED, WEBHOOK_ILL}},
	{CURLE_FILESIZE_EXCEEDED,
	 {WEBHOOK_TOO_BIG, WEBHOOK_CAUSE_TOO_BIG, RETRY_NEVER, WEBHOOK_HEALTHY}},
	/* It has the event: sent again, it would come twice. */
	{CURLE_BAD_CONTENT_ENCODING,
	 {WEBHOOK_UNREADABLE, WEBHOOK_CAUSE_ENCODING, RETRY_NEVER, WEBHOOK_HEALTHY}},
	{CURLE_OUT_OF_MEMORY,
	 {WEBHOOK_FAILED, WEBHOOK_CAUSE_INTERNAL, RETRY_NEVER, WEBHOOK_UNKNOWN}},
};

static struct verdict judge_result(const struct webhook_transfer *transfer, CURLcode result)
{
	struct verdict verdict = {WEBHOOK_FAILED, WEBHOOK_CAUSE_BROKEN, RETRY_IF_ALLOWED,
				  WEBHOOK_ILL};
	curl_off_t sent_at_us = 0;

	if (transfer->is_out_of_memory)
		result = CURLE_OUT_OF_MEMORY;
	else if (transfer->is_head_too_big || transfer->is_body_too_big)
		result = CURLE_FILESIZE_EXCEEDED;
	if (webhook_socket_error(transfer, result) != 0)
		return (struct verdict){WEBHOOK_FAILED, WEBHOOK_CAUSE_NO_SOCKET, RETRY_ALWAYS,
					WEBHOOK_UNKNOWN};
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		if (results[i].result == result)
			verdict = results[i].verdict;
	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_at_us);
	if (verdict.cause == WEBHOOK_CAUSE_TIMEOUT && sent_at_us == 0) {
		verdict.cause = WEBHOOK_CAUSE_CONNECT;
		verdict.retry = RETRY_ALWAYS;
	}
	return verdict;
}

static struct verdict judge_status(uint32_t status)
{
	if (status >= 200 && status < 300)
		return (struct verdict){WEBHOOK_OK, WEBHOOK_CAUSE_NONE, RETRY_NEVER,
					WEBHOOK_HEALTHY};
	if (status >= 300 && status < 400)
		return (struct verdict){WEBHOOK_FAILED, WEBHOOK_CAUSE_REDIRECT, RETRY_NEVER,
					WEBHOOK_HEALTHY};
	if (status == 408 || status == 425 || status == 429)
		return (struct verdict){WEBHOOK_REFUSED, WEBHOOK_CAUSE_BUSY, RETRY_IF_ALLOWED,
					WEBHOOK_HEALTHY};
	if (status >= 400 && status < 500)
		return (struct verdict){WEBHOOK_REFUSED, WEBHOOK_CAUSE_CLIENT_ERROR, RETRY_NEVER,
					WEBHOOK_HEALTHY};
	if (status >= 500 && status < 600)
		return (struct verdict){WEBHOOK_FAILED, WEBHOOK_CAUSE_SERVER_ERROR,
					RETRY_IF_ALLOWED, WEBHOOK_ILL};
	return (struct verdict){WEBHOOK_FAILED, WEBHOOK_CAUSE_PROTOCOL, RETRY_IF_ALLOWED,
				WEBHOOK_ILL};
}

static uint64_t retry_after_ns(CURL *easy)
{
	curl_off_t seconds = 0;

	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
	return seconds > 0 ? (uint64_t)MIN(seconds, (curl_off_t)86400 * 365) * NS_PER_S : 0;
}

/* --- in words --- */

static void describe_redirect(struct webhook_transfer *transfer)
{
	struct webhook_call *call = transfer->call;
	struct curl_header *location;

	if (curl_easy_header(transfer->easy, "Location", 0, CURLH_HEADER, -1, &location) ==
	    CURLHE_OK)
		snprintf(call->error, sizeof(call->error),
			 "the back end answered %u, a redirect to '%.150s'; redirects are not "
			 "followed: set the url of the back end to where it answers itself",
			 call->status, location->value);
	else
		snprintf(call->error, sizeof(call->error),
			 "the back end answered %u; it must answer 2xx", call->status);
}

static void describe_too_big(struct webhook_transfer *transfer)
{
	struct webhook_call *call = transfer->call;
	struct curl_header *length;

	if (transfer->is_head_too_big)
		snprintf(call->error, sizeof(call->error),
			 "the head of the back end's answer has at least %zu bytes; allowed are %d",
			 transfer->head_bytes, WEBHOOK_ANSWER_HEAD_MAX);
	else if (!transfer->is_body_too_big &&
		 curl_easy_header(transfer->easy, "Content-Length", 0, CURLH_HEADER, -1, &length) ==
			 CURLHE_OK)
		snprintf(call->error, sizeof(call->error),
			 "the back end's answer (status %u) has %.20s bytes; allowed are %zu",
			 call->status, length->value,
			 transfer->webhook->rules.options.max_response_bytes);
	else
		snprintf(call->error, sizeof(call->error),
			 "the back end's answer (status %u) has more than the %zu bytes allowed",
			 call->status, transfer->webhook->rules.options.max_response_bytes);
}

static void describe_encoding(struct webhook_transfer *transfer)
{
	struct webhook_call *call = transfer->call;
	struct curl_header *encoding;
	const char *seen = "";

	if (curl_easy_header(transfer->easy, "Content-Encoding", 0, CURLH_HEADER, -1, &encoding) ==
	    CURLHE_OK)
		seen = encoding->value;
	snprintf(call->error, sizeof(call->error),
		 "the back end's answer (status %u) has Content-Encoding '%.40s', which is not "
		 "known here, or its bytes are not that; the request allowed: %s",
		 call->status, seen, WEBHOOK_ACCEPT_ENCODING);
}

static const char *what_happened(enum webhook_cause cause)
{
	switch (cause) {
	case WEBHOOK_CAUSE_CONNECT:
		return "cannot connect to the back end";
	case WEBHOOK_CAUSE_TLS:
		return "no TLS connection to the back end";
	case WEBHOOK_CAUSE_TIMEOUT:
		return "no complete answer of the back end in time";
	case WEBHOOK_CAUSE_PROTOCOL:
		return "what the back end answered is not HTTP";
	case WEBHOOK_CAUSE_INTERNAL:
		return "the gateway is out of memory";
	default:
		return "the connection to the back end broke";
	}
}

static void describe(struct webhook_transfer *transfer, CURLcode result, enum webhook_cause cause)
{
	struct webhook_call *call = transfer->call;
	const char *detail = transfer->curl_error[0] != 0 ? transfer->curl_error
							  : curl_easy_strerror(result);

	if (cause == WEBHOOK_CAUSE_TOO_BIG)
		describe_too_big(transfer);
	else if (cause == WEBHOOK_CAUSE_REDIRECT)
		describe_redirect(transfer);
	else if (cause == WEBHOOK_CAUSE_ENCODING)
		describe_encoding(transfer);
	else if (cause == WEBHOOK_CAUSE_NO_SOCKET)
		webhook_socket_describe(webhook_socket_error(transfer, result), call->error,
					sizeof(call->error));
	else if (result == CURLE_OK)
		snprintf(call->error, sizeof(call->error), "the back end answered %u",
			 call->status);
	else
		snprintf(call->error, sizeof(call->error), "%s: %.160s", what_happened(cause),
			 detail);
}

/* A back end that refused the event, or failed, has not taken it, however much it says of that and
 * in whatever encoding: nobody needs its words. */
static bool is_told_by_status(const struct webhook_transfer *transfer, CURLcode result)
{
	bool is_unusable = result == CURLE_FILESIZE_EXCEEDED ||
			   result == CURLE_BAD_CONTENT_ENCODING || transfer->is_head_too_big ||
			   transfer->is_body_too_big;

	return is_unusable && transfer->call->status >= 300;
}

struct verdict webhook_judge(struct webhook_transfer *transfer, CURLcode result)
{
	struct webhook_call *call = transfer->call;
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	call->status = (uint32_t)status;
	if (result == CURLE_OK && !transfer->is_head_whole)
		result = CURLE_RECV_ERROR;
	if (is_told_by_status(transfer, result))
		result = CURLE_OK;
	struct verdict verdict = result == CURLE_OK ? judge_status(call->status)
						    : judge_result(transfer, result);

	verdict.retry_after_ns = result == CURLE_OK ? retry_after_ns(transfer->easy) : 0;
	if (verdict.outcome != WEBHOOK_OK)
		describe(transfer, result, verdict.cause);
	return verdict;
}
