/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "bench/client/bench_error.h"
#include "bench/client/bench_handshake.h"
#include "os/net_resolve.h"

#define TOKEN_MAX       8192
#define PROBE_WITHIN_MS 5000

/* --- asking --- */

static bool is_api(const struct bench_api *api, const struct bench_url *url)
{
	const struct bench_url *own = &api->options->api_url;

	return api->options->api_text != NULL && url->is_tls == own->is_tls &&
	       url->port == own->port && strcmp(url->host, own->host) == 0;
}

/* What a server said ends on a terminal. */
static void printable_make(char *text)
{
	for (; *text != 0; text++)
		if (*text < ' ' || *text >= 0x7f)
			*text = ' ';
}

static void answer_describe(int r, const struct bench_http *answer, char seen[BENCH_API_SEEN_MAX])
{
	char detail[400];

	bench_http_describe(r, answer, seen, BENCH_API_SEEN_MAX);
	if (r < 0 || answer->status < 300)
		return;
	bench_refusal_detail(bench_http_body(answer), detail, sizeof(detail));
	size_t len = strlen(seen);

	if (detail[0] != 0)
		snprintf(seen + len, BENCH_API_SEEN_MAX - len, ": %s", detail);
}

/* The header fields of it, to be wiped and freed; NULL: memory is out. */
static char *fields_make(const struct bench_api *api, const struct bench_api_question *question)
{
	bool has_proof = api->proof != NULL && is_api(api, question->url);
	bool has_body = question->type != NULL;
	char *fields;
	int len = asprintf(&fields, "%s%s%s%s", has_proof ? api->proof : "",
			   has_body ? "Content-Type: " : "", has_body ? question->type : "",
			   has_body ? "\r\n" : "");

	return len < 0 ? NULL : fields;
}

unsigned bench_api_ask(const struct bench_api *api, const struct bench_api_question *question,
		       uint64_t within_ms, char seen[BENCH_API_SEEN_MAX])
{
	const struct bench_url *url = question->url;
	struct bench_http answer = {0};
	struct net_addr addr;
	const char *unknown = net_resolve(url->host, url->port, &addr);

	if (unknown != NULL) {
		snprintf(seen, BENCH_API_SEEN_MAX, "the host '%.64s' has no address: %s", url->host,
			 unknown);
		return 0;
	}
	char *fields = fields_make(api, question);
	int r = -ENOMEM;

	if (fields != NULL) {
		const struct bench_http_request request = {question->method, fields,
							   question->body};

		r = bench_http_ask(url, &request, &addr, api->tls, within_ms, &answer);
		explicit_bzero(fields, strlen(fields));
	}
	free(fields);
	unsigned status = r < 0 ? 0 : answer.status;

	answer_describe(r, &answer, seen);
	printable_make(seen);
	bench_http_finish(&answer);
	return status;
}

/* --- before the test --- */

static int token_read(struct bench_api *api, char *error, size_t size)
{
	const char *path = api->options->api_token_path;
	char text[TOKEN_MAX + 2];
	ssize_t len = file_read(path, text, sizeof(text) - 1);

	if (len < 0)
		return bench_fail((int)len, error, size, "--api-token-file: cannot read '%s': %s",
				  path, strerror((int)-len));
	text[len] = 0;
	text[strcspn(text, "\r\n")] = 0;
	bool is_good = text[0] != 0 && strlen(text) < TOKEN_MAX &&
		       bench_is_token(slice_from_text(text));

	if (is_good && asprintf(&api->proof, "Authorization: Bearer %s\r\n", text) < 0)
		api->proof = NULL;
	explicit_bzero(text, sizeof(text));
	if (!is_good)
		return bench_fail(
			-EINVAL, error, size,
			"--api-token-file: the first line of '%s' is no token of at most %d "
			"visible characters",
			path, TOKEN_MAX - 1);
	return api->proof == NULL ? bench_fail(-ENOMEM, error, size, "memory is out") : 0;
}

/* Does anything of the test go there? */
static bool is_needed(const struct bench_options *options)
{
	struct bench_act_target target;

	for (size_t i = 0; i < options->acts.count; i++) {
		const struct bench_act *act = &options->acts.rows[i];

		if (act->kind == BENCH_ACT_CALL && bench_act_parse(act, &target) == NULL &&
		    target.target[0] == '/')
			return true;
	}
	return options->push_path != NULL;
}

static const char *advice_of(unsigned status)
{
	if (status == 401)
		return "; --api-token-file gives the token";
	if (status == 403)
		return "; --api-token-file gives the token that it wants from other machines";
	if (status == 404)
		return "; --api must be a gateway's admin listener (admin.listen)";
	return status == 0 ? "; is the gateway up, and is this its admin listener (admin.listen)?"
			   : "";
}

/* A wrong address, or a wrong token, is better known now than in the middle of the test. */
static int probe(const struct bench_api *api, char *error, size_t size)
{
	struct bench_url url = api->options->api_url;
	char seen[BENCH_API_SEEN_MAX];

	snprintf(url.path, sizeof(url.path), "/api/v1/node");
	unsigned status = bench_api_ask(api,
					&(struct bench_api_question){.url = &url, .method = "GET"},
					PROBE_WITHIN_MS, seen);

	return status == 200 ? 0
			     : bench_fail(-EIO, error, size, "--api %s: %s%s; nothing was tested",
					  api->options->api_text, seen, advice_of(status));
}

int bench_api_open(struct bench_api *api, const struct bench_options *options,
		   struct tls_context *tls, char *error, size_t error_size)
{
	*api = (struct bench_api){.options = options, .tls = tls};
	int r = options->api_token_path == NULL ? 0 : token_read(api, error, error_size);

	return r < 0 || !is_needed(options) ? r : probe(api, error, error_size);
}

void bench_api_finish(struct bench_api *api)
{
	if (api->proof != NULL)
		explicit_bzero(api->proof, strlen(api->proof));
	free(api->proof);
	api->proof = NULL;
}
