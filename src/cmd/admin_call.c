/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/admin_call.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api/api_token.h"
#include "bench/load/bench_http.h"
#include "tls/tls_context.h"

/* --- where it is --- */

struct net_addr admin_call_address(const struct net_addr *listener)
{
	struct net_addr addr = *listener;

	if (!net_addr_is_wildcard(&addr))
		return addr;
	if (addr.sa.sa_family == AF_INET6)
		addr.in6.sin6_addr = in6addr_loopback;
	else
		addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return addr;
}

/* False: it has no text that is a URL. */
static bool url_make(const struct config *config, const struct net_addr *addr, const char *path,
		     struct bench_url *out_url)
{
	char address[NET_ADDR_TEXT_MAX], text[NET_ADDR_TEXT_MAX + 256];

	snprintf(text, sizeof(text), "%s://%s%s",
		 config_has_tls(&config->admin.tls) ? "https" : "http",
		 net_addr_format(addr, address, sizeof(address)), path);
	return bench_url_parse(text, "http", out_url) == NULL;
}

/* --- the question --- */

struct question {
	const struct admin_request *request;
	struct net_addr addr;
	struct bench_url url;
	struct tls_context *tls; /* NULL: in clear */
	struct api_token token;
};

static bool fail(const struct question *question, const char *what)
{
	fprintf(stderr, "gatehouse %s: %s\n", question->request->command, what);
	return false;
}

static bool prepare(const struct config *config, struct question *question)
{
	struct api_token_error token_error;
	struct tls_error tls_error;

	question->addr = admin_call_address(&config->admin.listen);
	if (!url_make(config, &question->addr, question->request->path, &question->url))
		return fail(question, "admin.listen is no address that can be asked");
	if (!api_token_load(&config->admin, &question->token, &token_error))
		return fail(question, token_error.text);
	if (!question->url.is_tls)
		return true;
	question->tls = tls_client_context_create(
		&(struct tls_client_options){.is_insecure = net_addr_is_loopback(&question->addr)},
		&tls_error);
	return question->tls != NULL || fail(question, tls_error.text);
}

static void fields_write(const struct question *question, char *out, size_t size)
{
	int len = 0;

	out[0] = 0;
	if (api_token_is_set(&question->token))
		len = snprintf(out, size, "Authorization: Bearer %s\r\n",
			       question->token.text.text);
	if (question->request->body != NULL)
		snprintf(out + len, size - (size_t)len, "Content-Type: application/json\r\n");
}

static int ask(const struct question *question, struct bench_http *out_answer)
{
	char fields[CONFIG_TEXT_MAX + 128];
	char *body = question->request->body == NULL
			     ? NULL
			     : json_dumps(question->request->body, JSON_COMPACT);
	struct bench_http_request request = {
		.method = question->request->method,
		.fields = fields,
		.body = body == NULL ? (struct slice){0} : slice_from_text(body),
	};

	fields_write(question, fields, sizeof(fields));
	int r = bench_http_ask(&question->url, &request, &question->addr, question->tls,
			       question->request->timeout_ms, out_answer);

	explicit_bzero(fields, sizeof(fields));
	free(body);
	return r;
}

static bool tell_silence(const struct question *question, int r, const struct bench_http *answer)
{
	char why[BENCH_PROBLEM_MAX + 64], text[sizeof(why) + BENCH_HOST_MAX + 128];

	snprintf(text, sizeof(text),
		 "no gateway answers at %s (admin.listen): %s; does it run, with this "
		 "configuration?",
		 question->url.authority, bench_http_describe(r, answer, why, sizeof(why)));
	return fail(question, text);
}

/* Whoever else listens there may answer 200, too. */
static bool is_of_gateway(const struct admin_request *request, const struct admin_answer *answer)
{
	return answer->status >= 300 ||
	       json_is_string(json_object_get(answer->body, request->mark));
}

static bool tell_stranger(const struct question *question)
{
	char text[BENCH_HOST_MAX + 192];

	snprintf(text, sizeof(text),
		 "what answers at %s (admin.listen) is no gateway: its answer has no \"%s\"; is "
		 "this the right port?",
		 question->url.authority, question->request->mark);
	return fail(question, text);
}

bool admin_call(const struct config *config, const struct admin_request *request,
		struct admin_answer *out_answer)
{
	struct question question = {.request = request};
	struct bench_http answer = {0};
	bool is_good = prepare(config, &question);

	if (is_good) {
		int r = ask(&question, &answer);

		is_good = r == 0 && answer.status != 0;
		if (!is_good)
			tell_silence(&question, r, &answer);
	}
	if (is_good) {
		struct slice body = bench_http_body(&answer);

		out_answer->status = answer.status;
		out_answer->body = json_loadb((const char *)body.data, body.len, 0, NULL);
		is_good = is_of_gateway(request, out_answer);
		if (!is_good) {
			tell_stranger(&question);
			admin_answer_finish(out_answer);
		}
	}
	bench_http_finish(&answer);
	tls_context_unref(&question.tls);
	explicit_bzero(&question.token, sizeof(question.token));
	return is_good;
}

void admin_answer_finish(struct admin_answer *answer)
{
	json_decref(answer->body);
	*answer = (struct admin_answer){0};
}

static const char *text_of(const struct admin_answer *answer, const char *name)
{
	return json_string_value(json_object_get(answer->body, name));
}

void admin_answer_tell(const struct admin_request *request, const struct admin_answer *answer)
{
	const char *detail = text_of(answer, "detail"), *seen = text_of(answer, "seen");
	const char *allowed = text_of(answer, "allowed");

	fprintf(stderr, "gatehouse %s: the gateway says no (HTTP %u): %s", request->command,
		answer->status, detail == NULL ? "without a word of why" : detail);
	if (seen != NULL)
		fprintf(stderr, " Seen: %s.", seen);
	if (allowed != NULL)
		fprintf(stderr, " Allowed: %s.", allowed);
	if (answer->status == 404 && detail == NULL)
		fputs("; is it an older version?", stderr);
	fputc('\n', stderr);
}
