/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_ticket.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

size_t bench_ticket_request(struct bench_handshake *handshake, const struct bench_options *options,
			    const struct bench_proof *proof, uint64_t number,
			    char out[BENCH_REQUEST_MAX])
{
	char target[BENCH_TARGET_MAX], body[BENCH_TICKET_BODY_MAX * 8 / 3 + 1];
	char line[BENCH_PROOF_MAX];
	size_t body_len = bench_number_write(
		options->ticket_body == NULL ? "" : options->ticket_body, number, body);

	bench_url_target(&options->ticket_url, number, target);
	bench_proof_write(proof, number, line);
	bench_handshake_reset(handshake);
	int len = snprintf(out, BENCH_REQUEST_MAX,
			   "POST %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n"
			   "Content-Type: application/json\r\nContent-Length: %zu\r\n"
			   "User-Agent: gatehouse-bench\r\nConnection: close\r\n%s\r\n%s",
			   target, options->ticket_url.authority, body_len, line, body);

	CHECK(len > 0 && len < BENCH_REQUEST_MAX);
	return (size_t)len;
}

/* It goes into a URL as it is: what RFC 3986, 2.3, calls unreserved. */
static bool is_ticket(const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	return len > 0 && len < BENCH_TICKET_MAX &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") ==
		       len;
}

static enum bench_answer bad(const char *problem, struct slice body, struct bench_answer_data *out)
{
	*out = (struct bench_answer_data){.problem = problem, .start = body};
	return BENCH_ANSWER_BAD;
}

/* `body` is all of it, or as much as is worth waiting for. */
static enum bench_answer ticket_find(struct bench_handshake *handshake, struct slice body,
				     struct bench_answer_data *out)
{
	json_t *root = json_loadb((const char *)body.data, body.len, 0, NULL);
	const char *ticket = json_string_value(json_object_get(root, "ticket"));
	bool is_good = is_ticket(ticket);

	if (is_good)
		snprintf(handshake->ticket, sizeof(handshake->ticket), "%s", ticket);
	json_decref(root);
	return is_good ? BENCH_ANSWER_TICKET
		       : bad("the answer has no member 'ticket' of letters, digits and -._~", body,
			     out);
}

enum bench_answer bench_ticket_take(struct bench_handshake *handshake, const uint8_t *data,
				    size_t len, struct bench_answer_data *out)
{
	enum bench_answer answer = bench_answer_take(handshake, data, len, out);

	if (answer != BENCH_ANSWER_REFUSED || out->status < 200 || out->status > 299)
		return answer;
	return ticket_find(handshake, out->body, out);
}
