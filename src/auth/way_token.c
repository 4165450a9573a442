/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/way_token.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/renewals.h"

struct token_way {
	struct auth_way base;
	struct token_options options;
	struct jwks *jwks;
};

static const struct token_way *token_way_of(const struct auth_way *way)
{
	CHECK(auth_way_is_token(way));
	return CONTAINER_OF(way, struct token_way, base);
}

/* --- claims --- */

/* False: it is there and no text, or memory is out. NULL: it is not there. */
static bool text_take(const json_t *claim, char **out_text)
{
	*out_text = json_is_string(claim) ? strdup(json_string_value(claim)) : NULL;
	return claim == NULL || *out_text != NULL;
}

/* A comma would make two of one. */
static bool group_add(struct buf *list, const char *name, size_t len)
{
	if (len == 0 || memchr(name, ',', len) != NULL)
		return false;
	return (list->len == 0 || buf_append(list, ",", 1, JWT_MAX) == 0) &&
	       buf_append(list, name, len, JWT_MAX) == 0;
}

/* ["a", "b"], or "a b" as `scope` has it. */
static bool groups_read(const json_t *claim, struct buf *list)
{
	struct slice rest = {0}, part;
	const json_t *name;
	size_t i;

	json_array_foreach(claim, i, name) if (!group_add(list, json_string_value(name),
							  json_string_length(name))) return false;
	if (json_is_string(claim))
		rest = slice_of(json_string_value(claim), json_string_length(claim));
	while (slice_next(&rest, ' ', &part))
		if (part.len > 0 && !group_add(list, (const char *)part.data, part.len))
			return false;
	return claim == NULL || json_is_array(claim) || json_is_string(claim);
}

static bool groups_take(const json_t *claim, char **out_list)
{
	struct buf list = {0};
	bool is_good = groups_read(claim, &list);

	*out_list = is_good && list.len > 0 ? slice_to_text(buf_slice(&list)) : NULL;
	is_good = is_good && (list.len == 0 || *out_list != NULL);
	buf_finish(&list);
	return is_good;
}

static const json_t *claim_of(const json_t *claims, const char *name)
{
	return name == NULL ? NULL : json_object_get(claims, name);
}

/* For whom it is, in the result; false: a claim is not as it must be. */
static bool claims_take(const struct token_options *options, const json_t *claims,
			struct auth_result *result)
{
	const json_t *id = claim_of(claims, options->client_id_claim);

	if (options->client_id_claim != NULL && !json_is_string(id))
		return false;
	return text_take(id, &result->client_id) &&
	       text_take(claim_of(claims, "sub"), &result->subject) &&
	       text_take(claim_of(claims, options->subprotocol_claim), &result->subprotocol) &&
	       groups_take(claim_of(claims, options->groups_claim), &result->groups);
}

/* To its second; within the leeway, in which it is let in late, to the end of that. */
static uint64_t end_of(const struct jwt *jwt, const struct jwt_rules *rules, int64_t now_s)
{
	return (uint64_t)(jwt->expires_at > now_s ? jwt->expires_at
						  : jwt->expires_at + rules->leeway_s);
}

/* --- the check --- */

static enum auth_verdict refuse(struct auth_result *result, enum jwt_fault fault)
{
	auth_result_set(result, AUTH_WRONG, jwt_fault_label(fault), jwt_fault_detail(fault));
	result->challenge = "Bearer realm=\"gatehouse\", error=\"invalid_token\"";
	return AUTH_WRONG;
}

static enum auth_verdict no_keys(struct auth_result *result)
{
	return auth_result_set(result, AUTH_UNAVAILABLE, "token_keys_missing",
			       "The keys that tokens are verified with are not there yet; try "
			       "again. /health says why.");
}

/* *out_fault: why it is not proved, if it is the token's. */
static enum auth_verdict token_read(const struct token_way *way, struct slice token,
				    struct auth_result *out_result, enum jwt_fault *out_fault)
{
	const struct jwt_rules *rules = &way->options.rules;
	int64_t now_s = (int64_t)(clock_wall_ns() / NS_PER_S);
	struct jwk_set *keys = jwks_keys(way->jwks);
	struct jwt jwt;

	*out_fault = JWT_FAULT_NONE;
	if (keys == NULL)
		return no_keys(out_result);
	*out_fault = jwt_read(token, rules, keys, now_s, &jwt);
	jwk_set_unref(&keys);
	if (*out_fault != JWT_FAULT_NONE)
		return refuse(out_result, *out_fault);
	bool is_good = claims_take(&way->options, jwt.claims, out_result);

	json_decref(jwt.claims);
	if (!is_good) {
		auth_result_finish(out_result);
		return refuse(out_result, JWT_FAULT_CLAIMS);
	}
	out_result->expires_at_s = end_of(&jwt, rules, now_s);
	return AUTH_PROVED;
}

enum auth_verdict token_way_read(const struct auth_way *base, struct slice token,
				 struct auth_result *out_result)
{
	const struct token_way *way = token_way_of(base);
	enum jwt_fault fault;
	enum auth_verdict verdict = token_read(way, token, out_result, &fault);

	if (fault == JWT_FAULT_NO_KEY)
		jwks_want_newer(way->jwks);
	return verdict;
}

/* --- a key that may come with the next fetch --- */

struct token_later {
	struct jwks_wait wait;
	const struct token_way *way;
	struct auth_pending *pending; /* NULL: nobody wants to know any more */
	size_t len;
	uint8_t token[];
};

static void later_free(struct token_later *later)
{
	OPENSSL_cleanse(later->token, later->len);
	free(later);
}

/* Whatever became of the fetch: what is not there now is not there. */
static void on_fetched(struct loop_task *task)
{
	struct token_later *later = CONTAINER_OF(task, struct token_later, wait.task);
	struct auth_pending *pending = later->pending;
	struct auth_result result = {0};
	enum jwt_fault fault;

	if (pending == NULL) {
		later_free(later);
		return;
	}
	enum auth_verdict verdict = token_read(later->way, slice_of(later->token, later->len),
					       &result, &fault);

	later_free(later);
	auth_pending_done(pending, verdict, &result);
}

static void later_cancel(struct auth_pending *pending)
{
	struct token_later *later = pending->job;

	later->pending = NULL;
	if (jwks_wait_cancel(later->way->jwks, &later->wait))
		later_free(later);
}

/* False: no fetch is near, or too many wait for it. */
static bool later_begin(const struct token_way *way, struct slice token,
			const struct auth_request *request, struct auth_pending *pending)
{
	struct token_later *later = calloc(1, sizeof(*later) + token.len);

	if (later == NULL)
		return false;
	later->wait.task.run = on_fetched;
	later->wait.mailbox = request->mailbox;
	later->way = way;
	later->pending = pending;
	later->len = token.len;
	memcpy(later->token, token.data, token.len);
	/* Before it waits, for then it may be told. */
	pending->job = later;
	pending->cancel = later_cancel;
	if (jwks_wait_newer(way->jwks, &later->wait))
		return true;
	later_free(later);
	return false;
}

static enum auth_verdict check(const struct auth_way *base, const struct auth_request *request,
			       struct auth_result *out_result, struct auth_pending *out_pending)
{
	const struct token_way *way = token_way_of(base);
	struct slice token;
	enum jwt_fault fault;

	if (!shown_find(&way->options.shown, request->head, request->data, &token))
		return auth_result_set(out_result, AUTH_NO_PROOF, "no_token",
				       "The request has no token.");
	enum auth_verdict verdict = token_read(way, token, out_result, &fault);

	if (fault != JWT_FAULT_NO_KEY || !later_begin(way, token, request, out_pending))
		return verdict;
	auth_result_finish(out_result);
	return AUTH_LATER;
}

static const char *challenge(const struct auth_way *way)
{
	(void)way;
	return "Bearer realm=\"gatehouse\"";
}

static void hide(const struct auth_way *base, const struct http_head *head, uint8_t *data)
{
	shown_hide(&token_way_of(base)->options.shown, head, data);
}

static void destroy(struct auth_way *base)
{
	struct token_way *way = CONTAINER_OF(base, struct token_way, base);

	if (way->options.renewals != NULL)
		renewals_remove(way->options.renewals, way);
	jwks_unref(&way->jwks);
	free(way);
}

static const struct auth_way_ops ops = {
	.name = "token",
	.cost = AUTH_COST_SIGNATURE,
	.challenge = challenge,
	.check = check,
	.hide = hide,
	.destroy = destroy,
};

/* --- making --- */

static bool renew(void *arg, struct renewal_error *out_error)
{
	struct token_way *way = arg;

	return jwks_file_read(way->jwks, out_error->text, sizeof(out_error->text)) == 0;
}

/* Also if there is nothing to be read again. */
static bool register_file(struct token_way *way)
{
	const char *file = jwks_file(way->jwks);

	if (file == NULL || way->options.renewals == NULL)
		return true;
	return renewals_add(way->options.renewals, &(struct renewable){.what = "token_keys",
								       .files = &file,
								       .file_count = 1,
								       .renew = renew,
								       .arg = way});
}

struct auth_way *token_way_create(const struct token_options *options, struct jwks *jwks)
{
	struct token_way *way = calloc(1, sizeof(*way));

	if (way == NULL)
		return NULL;
	way->base.ops = &ops;
	way->options = *options;
	way->jwks = jwks;
	if (register_file(way))
		return &way->base;
	free(way);
	return NULL;
}

bool auth_way_is_token(const struct auth_way *way)
{
	return way->ops == &ops;
}

bool token_way_takes_messages(const struct auth_way *way)
{
	return token_way_of(way)->options.takes_messages;
}
