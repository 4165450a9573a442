/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/renewal.h"

#include "auth/way_token.h"
#include "proto/json_scan.h"

enum auth_verdict renewal_check(const struct auth *auth, struct slice token,
				struct auth_result *out_result)
{
	enum auth_verdict verdict = auth_result_set(
		out_result, AUTH_NO_PROOF, "no_tokens",
		"On this route no token is taken, so none renews what was proved.");
	const struct auth_way *way;

	for (size_t i = 0; (way = auth_way_at(auth, i)) != NULL; i++) {
		if (!auth_way_is_token(way))
			continue;
		auth_result_finish(out_result);
		verdict = token_way_read(way, token, out_result);
		if (verdict == AUTH_PROVED)
			break;
	}
	return verdict;
}

bool renewal_is_by_message(const struct auth *auth)
{
	const struct auth_way *way;

	for (size_t i = 0; (way = auth_way_at(auth, i)) != NULL; i++)
		if (auth_way_is_token(way) && token_way_takes_messages(way))
			return true;
	return false;
}

static bool is_text(const struct json_part *part, const char *text)
{
	return part->kind == JSON_KIND_STRING &&
	       slice_equals(json_part_inside(part), slice_from_text(text));
}

/* A token has no character that would be escaped. */
enum renewal_message renewal_read(struct slice text, struct slice *out_token)
{
	struct json_scan scan;
	struct json_part value;
	enum json_kind kind;
	struct slice name, token = {0};
	size_t count = 0;

	if (!json_scan_enter(&scan, text, &kind) || kind != JSON_KIND_OBJECT ||
	    !json_scan_next(&scan, &name, &value) ||
	    !slice_equals(name, SLICE_LITERAL("gatehouse")) || !is_text(&value, "renew"))
		return RENEWAL_NONE;
	while (json_scan_next(&scan, &name, &value)) {
		count++;
		if (slice_equals(name, SLICE_LITERAL("token")) && value.kind == JSON_KIND_STRING)
			token = json_part_inside(&value);
	}
	if (scan.error != NULL || count != 1 || token.len == 0)
		return RENEWAL_WRONG;
	*out_token = token;
	return RENEWAL_GOOD;
}
