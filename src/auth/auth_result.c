/* SPDX-License-Identifier: Apache-2.0
 * auth_result.c - what a way says in the end (auth_way.h), and what of it can be believed. */
#include <stdlib.h>
#include <string.h>

#include "auth/auth_way.h"
#include "base/check.h"
#include "base/unicode.h"
#include "proto/utf8.h"

const char *auth_verdict_label(enum auth_verdict verdict)
{
#define AUTH_VERDICT_LABEL(NAME, label) label,
	static const char *const labels[] = {AUTH_VERDICT_TABLE(AUTH_VERDICT_LABEL)};

	CHECK(verdict < AUTH_VERDICT_COUNT);
	return labels[verdict];
}

void auth_result_finish(struct auth_result *result)
{
	free(result->client_id);
	free(result->subject);
	free(result->subprotocol);
	free(result->groups);
	*result = (struct auth_result){0};
}

enum auth_verdict auth_result_set(struct auth_result *result, enum auth_verdict verdict,
				  const char *reason, const char *detail)
{
	CHECK(verdict != AUTH_PROVED && verdict != AUTH_LATER);
	result->reason = reason;
	result->detail = detail;
	return verdict;
}

static enum auth_verdict forbid(struct auth_result *result, const char *reason, const char *detail)
{
	auth_result_finish(result);
	return auth_result_set(result, AUTH_FORBIDDEN, reason, detail);
}

/* As a path could have it. */
static bool is_client_id(const char *text)
{
	struct slice id = slice_from_text(text);

	return id.len > 0 && id.len <= AUTH_CLIENT_ID_MAX && !unicode_has_control(id) &&
	       utf8_is_valid(id.data, id.len);
}

/* Not within a character. */
static void subject_cut(char *subject)
{
	size_t len = AUTH_SUBJECT_MAX;

	if (subject == NULL || strlen(subject) <= len)
		return;
	while (len > 0 && ((uint8_t)subject[len] & 0xc0) == 0x80)
		len--;
	subject[len] = 0;
}

enum auth_verdict auth_proof_check(const char *client_id, struct auth_result *result)
{
	subject_cut(result->subject);
	if (result->client_id == NULL)
		return AUTH_PROVED;
	if (client_id != NULL && strcmp(client_id, result->client_id) != 0)
		return forbid(result, "other_client_id",
			      "The proof is good, but for another client id than that of the "
			      "path.");
	if (!is_client_id(result->client_id))
		return forbid(result, "bad_client_id",
			      "The proof is good, but what it names can be no client id: 1 to 255 "
			      "bytes of UTF-8 without control characters.");
	return AUTH_PROVED;
}
