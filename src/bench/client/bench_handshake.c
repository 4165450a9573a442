/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_handshake.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "bench/client/bench_cause.h"
#include "proto/ws_extensions.h"

/* A refusal's body is kept up to here: enough for an example of what it says. */
#define BODY_MAX 4096

static const char *text_or_null(const struct buf *buf)
{
	return buf->len == 0 ? NULL : (const char *)buf->data;
}

/* The lines of --header, and what proves who connection `number` is. */
static void headers_write(const struct bench_options *options, const struct bench_proof *proof,
			  uint64_t number, char out[BENCH_HEADERS_MAX + BENCH_PROOF_MAX])
{
	const char *given = text_or_null(&options->headers);
	size_t len = given == NULL ? 0 : strlen(given);

	memcpy(out, given == NULL ? "" : given, len);
	out[len] = 0;
	if (options->ticket_text == NULL) /* else it was for the ticket */
		bench_proof_write(proof, number, out + len);
}

/* As a browser does, which can set no header. */
static void ticket_add(char *target, const char *ticket)
{
	size_t len = strlen(target);

	if (ticket[0] != 0)
		snprintf(target + len, BENCH_TICKET_MAX + 16, "%cticket=%s",
			 strchr(target, '?') == NULL ? '?' : '&', ticket);
}

void bench_handshake_reset(struct bench_handshake *handshake)
{
	handshake->bytes.len = 0;
	handshake->head_len = 0;
	http_head_init(&handshake->head, HTTP_RESPONSE);
}

size_t bench_handshake_begin(struct bench_handshake *handshake, const struct bench_options *options,
			     const struct bench_url *url, const struct bench_proof *proof,
			     uint64_t number, struct random_source *random,
			     char out[BENCH_REQUEST_MAX])
{
	char target[BENCH_TARGET_MAX + BENCH_TICKET_MAX + 16],
		headers[BENCH_HEADERS_MAX + BENCH_PROOF_MAX];
	uint8_t nonce[16];
	char extensions[sizeof(WS_DEFLATE_OFFER) + 64] = WS_DEFLATE_OFFER;
	const struct ws_request request = {
		.host = url->authority,
		.target = target,
		.subprotocols = text_or_null(&options->subprotocols),
		.extensions = options->does_pack ? extensions : NULL,
		.headers = headers,
	};

	if (options->window_bits > 0)
		snprintf(extensions, sizeof(extensions),
			 WS_DEFLATE_OFFER "; server_max_window_bits=%u",
			 (unsigned)options->window_bits);
	headers_write(options, proof, number, headers);
	bench_url_target(url, number, target);
	ticket_add(target, handshake->ticket);
	random_fill(random, nonce, sizeof(nonce));
	bench_handshake_reset(handshake);
	size_t len = ws_request_write(out, BENCH_REQUEST_MAX, &request, nonce, handshake->key);

	CHECK(len > 0);
	return len;
}

static struct slice body_of(const struct bench_handshake *handshake)
{
	return slice_of(handshake->bytes.data + handshake->head_len,
			handshake->bytes.len - handshake->head_len);
}

/* [bytes] of body worth waiting for. */
static uint64_t body_wanted(const struct bench_handshake *handshake)
{
	struct slice text;
	uint64_t len = BODY_MAX; /* until the end of the stream */

	if (http_field_find(&handshake->head, handshake->bytes.data, "Content-Length", &text) == 1)
		(void)units_parse_count(text, &len);
	return MIN(len, BODY_MAX);
}

static enum bench_answer refused(struct bench_handshake *handshake, struct bench_answer_data *out)
{
	*out = (struct bench_answer_data){.status = handshake->head.status,
					  .body = body_of(handshake)};
	struct slice wait;
	uint64_t wait_s;

	(void)http_field_find(&handshake->head, handshake->bytes.data, "Gatehouse-Limit",
			      &out->limit);
	if (http_field_find(&handshake->head, handshake->bytes.data, "Retry-After", &wait) == 1 &&
	    units_parse_count(wait, &wait_s) == UNITS_OK)
		out->retry_after_s = (uint32_t)MIN(wait_s, BENCH_RETRY_AFTER_MAX_S);
	return BENCH_ANSWER_REFUSED;
}

/* Where nobody listens on a port that the kernel also gives to clients, one of many
 * connections may get that port as its own, and meets itself. */
static bool is_own_request(const struct bench_handshake *handshake)
{
	const struct buf *bytes = &handshake->bytes;

	return bytes->len > 4 && memcmp(bytes->data, "GET ", 4) == 0 &&
	       memmem(bytes->data, bytes->len, handshake->key, WS_KEY_LEN) != NULL;
}

static enum bench_answer bad(struct bench_handshake *handshake, const char *problem,
			     struct bench_answer_data *out)
{
	if (is_own_request(handshake))
		problem = BENCH_OWN_REQUEST;
	*out = (struct bench_answer_data){.problem = problem,
					  .start = buf_slice(&handshake->bytes)};
	return BENCH_ANSWER_BAD;
}

/* The head is complete, and of a 101. */
static enum bench_answer upgrade_judge(struct bench_handshake *handshake,
				       const struct bench_options *options,
				       struct bench_answer_data *out)
{
	struct ws_deflate_terms terms;
	const char *problem = ws_response_check(&handshake->head, handshake->bytes.data,
						handshake->key,
						text_or_null(&options->subprotocols));

	if (problem == NULL)
		problem = ws_deflate_accept(&handshake->head, handshake->bytes.data,
					    options->does_pack, &terms);
	if (problem != NULL)
		return bad(handshake, problem, out);
	*out = (struct bench_answer_data){.rest = body_of(handshake),
					  .is_packing = ws_deflate_is_on(&terms)};
	return BENCH_ANSWER_OPEN;
}

/* Makes way for the next head, if this one is of an answer that only announces it. A server
 * may send any number of them, within the time for the handshake. */
static void interim_skip(struct bench_handshake *handshake)
{
	if (!http_is_interim(&handshake->head))
		return;
	buf_consume(&handshake->bytes, handshake->head_len);
	handshake->head_len = 0;
	http_head_init(&handshake->head, HTTP_RESPONSE);
}

enum bench_answer bench_answer_take(struct bench_handshake *handshake, const uint8_t *data,
				    size_t len, struct bench_answer_data *out)
{
	struct buf *bytes = &handshake->bytes;
	struct http_error error;

	/* Of a refusal's body only the beginning matters. */
	if (handshake->head_len > 0)
		len = MIN(len, BODY_MAX);
	if (buf_append(bytes, data, len, SIZE_MAX) < 0)
		return BENCH_ANSWER_NO_MEMORY;
	while (handshake->head_len == 0) {
		switch (http_head_parse(&handshake->head, &http_limits_default, bytes->data,
					bytes->len, &handshake->head_len, &error)) {
		case HTTP_OK:
			interim_skip(handshake);
			break;
		case HTTP_BAD:
			return bad(handshake, error.detail, out);
		case HTTP_MORE:
			return BENCH_ANSWER_MORE;
		}
	}
	if (handshake->head.status != 101 && body_of(handshake).len < body_wanted(handshake))
		return BENCH_ANSWER_MORE;
	return refused(handshake, out);
}

enum bench_answer bench_handshake_take(struct bench_handshake *handshake,
				       const struct bench_options *options, const uint8_t *data,
				       size_t len, struct bench_answer_data *out)
{
	enum bench_answer answer = bench_answer_take(handshake, data, len, out);

	if (answer != BENCH_ANSWER_REFUSED || out->status != 101)
		return answer;
	return upgrade_judge(handshake, options, out);
}

enum bench_answer bench_handshake_end(struct bench_handshake *handshake,
				      struct bench_answer_data *out)
{
	if (handshake->head_len == 0 || handshake->head.status == 101)
		return BENCH_ANSWER_MORE;
	return refused(handshake, out);
}

char *bench_refusal_detail(struct slice body, char *out, size_t size)
{
	json_error_t ignored;
	json_t *root = json_loadb((const char *)body.data, body.len, 0, &ignored);
	const char *detail = json_string_value(json_object_get(root, "detail"));

	if (detail != NULL)
		snprintf(out, size, "%s", detail);
	else
		snprintf(out, size, "%.*s", (int)MIN(body.len, size - 1),
			 body.len == 0 ? "" : (const char *)body.data);
	json_decref(root);
	return out;
}
