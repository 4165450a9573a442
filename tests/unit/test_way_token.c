/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <inttypes.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base64.h"
#include "auth/way_token.h"
#include "base/clock.h"

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const char keys[] = "{\"kty\":\"oct\",\"kid\":\"s\",\"k\":"
			   "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}";

static struct jwks_pool *pool;
static char file[] = "/tmp/gatehouse-token-XXXXXX";

static int make_pool(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	pool = jwks_pool_create(NULL, NULL);
	return pool != NULL && write(fd, keys, strlen(keys)) > 0 && close(fd) == 0 ? 0 : -1;
}

static int drop_pool(void **state)
{
	(void)state;
	jwks_pool_unref(&pool);
	return unlink(file);
}

static struct auth_way *way_of(const struct token_options *options)
{
	struct token_options own = *options;
	char error[256];
	struct jwks *jwks;

	own.rules.algs = 1u << JWT_HS256;
	own.shown = (struct shown_rules){.places = SHOWN_BIT(HEADER), .scheme = "Bearer"};
	assert_int_equal(
		jwks_take(pool, &(struct jwks_options){.file = file}, &jwks, error, sizeof(error)),
		0);
	struct auth_way *way = token_way_create(&own, jwks);

	assert_non_null(way);
	return way;
}

static int64_t now_s(void)
{
	return (int64_t)(clock_wall_ns() / NS_PER_S);
}

/* `claims` without braces; it ends in so many seconds. */
static const char *token_of(const char *claims, int64_t ends_in)
{
	static char token[4096];
	char text[2048];
	uint8_t mac[32];
	unsigned len;

	snprintf(text, sizeof(text), "{\"exp\":%" PRId64 "%s%s}", now_s() + ends_in,
		 claims[0] == 0 ? "" : ",", claims);
	snprintf(token, sizeof(token), "eyJhbGciOiJIUzI1NiJ9.");
	base64url_write(text, strlen(text), token + strlen(token));
	HMAC(EVP_sha256(), secret, sizeof(secret) - 1, (uint8_t *)token, strlen(token), mac, &len);
	memcpy(token + strlen(token), ".", sizeof("."));
	base64url_write(mac, len, token + strlen(token));
	return token;
}

static enum auth_verdict ask(const struct token_options *options, const char *token,
			     struct auth_result *out)
{
	struct auth_way *way = way_of(options);
	char request[8192];
	struct http_head head;
	struct http_error error;
	struct auth_pending pending;
	struct auth_request asked = {.head = &head, .data = (uint8_t *)request, .route = "ws"};
	size_t used;

	snprintf(request, sizeof(request),
		 "GET /ws HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n", token);
	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(http_head_parse(&head, &http_limits_default, (uint8_t *)request,
					 strlen(request), &used, &error),
			 HTTP_OK);
	enum auth_verdict verdict = way->ops->check(way, &asked, out, &pending);

	way->ops->hide(way, &head, (uint8_t *)request);
	assert_null(strstr(request, token));
	way->ops->destroy(way);
	return verdict;
}

static const struct {
	const char *name;
	const char *claims;
	const char *id_claim;
	enum auth_verdict want;
	const char *id, *groups, *subprotocol, *subject; /* NULL: none */
} rows[] = {
	{"an id", "\"sub\":\"cp1\"", "sub", AUTH_PROVED, "cp1", NULL, NULL, "cp1"},
	{"another claim", "\"sub\":\"u\",\"device\":\"cp1\"", "device", AUTH_PROVED, "cp1", NULL,
	 NULL, "u"},
	{"no id wanted", "\"x\":1", NULL, AUTH_PROVED, NULL, NULL, NULL, NULL},
	{"no id there", "\"x\":1", "sub", AUTH_WRONG, NULL, NULL, NULL, NULL},
	{"an id that is a number", "\"sub\":7", "sub", AUTH_WRONG, NULL, NULL, NULL, NULL},
	{"groups", "\"sub\":\"a\",\"groups\":[\"g1\",\"g2\"]", "sub", AUTH_PROVED, "a", "g1,g2",
	 NULL, "a"},
	{"groups as a scope", "\"sub\":\"a\",\"groups\":\"g1  g2\"", "sub", AUTH_PROVED, "a",
	 "g1,g2", NULL, "a"},
	{"no group", "\"sub\":\"a\",\"groups\":[]", "sub", AUTH_PROVED, "a", NULL, NULL, "a"},
	{"a group that would be two", "\"sub\":\"a\",\"groups\":[\"g1,admin\"]", "sub", AUTH_WRONG,
	 NULL, NULL, NULL, NULL},
	{"two that would be groups", "\"sub\":\"a\",\"groups\":\"g1,admin\"", "sub", AUTH_WRONG,
	 NULL, NULL, NULL, NULL},
	{"a group that is none", "\"sub\":\"a\",\"groups\":[7]", "sub", AUTH_WRONG, NULL, NULL,
	 NULL, NULL},
	{"groups that are none", "\"sub\":\"a\",\"groups\":{}", "sub", AUTH_WRONG, NULL, NULL, NULL,
	 NULL},
	{"a subprotocol", "\"sub\":\"a\",\"proto\":\"ocpp1.6\"", "sub", AUTH_PROVED, "a", NULL,
	 "ocpp1.6", "a"},
	{"a subprotocol that is none", "\"sub\":\"a\",\"proto\":null", "sub", AUTH_WRONG, NULL,
	 NULL, NULL, NULL},
};

static bool is_text(const char *have, const char *want)
{
	return want == NULL ? have == NULL : have != NULL && strcmp(have, want) == 0;
}

static void test_claims(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct token_options options = {.client_id_claim = rows[i].id_claim,
						.groups_claim = "groups",
						.subprotocol_claim = "proto"};
		struct auth_result result = {0};
		enum auth_verdict verdict = ask(&options, token_of(rows[i].claims, 100), &result);

		ASSERT_ROW(verdict == rows[i].want, rows[i].name);
		ASSERT_ROW(is_text(result.client_id, rows[i].id), rows[i].name);
		ASSERT_ROW(is_text(result.groups, rows[i].groups), rows[i].name);
		ASSERT_ROW(is_text(result.subprotocol, rows[i].subprotocol), rows[i].name);
		ASSERT_ROW(is_text(result.subject, rows[i].subject), rows[i].name);
		if (verdict == AUTH_WRONG)
			ASSERT_ROW(strcmp(result.reason, "token_claims") == 0, rows[i].name);
		auth_result_finish(&result);
	}
}

/* To its second; who comes in the leeway has what is left of that. */
static void test_the_end(void **state)
{
	struct token_options options = {.rules.leeway_s = 3600};
	struct auth_result result = {0};
	int64_t before = now_s();

	(void)state;
	assert_int_equal(ask(&options, token_of("", 600), &result), AUTH_PROVED);
	assert_in_range(result.expires_at_s, before + 600, now_s() + 600);
	auth_result_finish(&result);
	assert_int_equal(ask(&options, token_of("", -600), &result), AUTH_PROVED);
	assert_in_range(result.expires_at_s, before + 3000, now_s() + 3000);
	auth_result_finish(&result);
	assert_int_equal(ask(&options, token_of("", -3600), &result), AUTH_WRONG);
	assert_string_equal(result.reason, "token_expired");
	assert_non_null(strstr(result.challenge, "invalid_token"));
	auth_result_finish(&result);
}

static void test_no_token(void **state)
{
	struct auth_way *way = way_of(&(struct token_options){0});
	static const char request[] =
		"GET /ws HTTP/1.1\r\nHost: a\r\nAuthorization: Basic x\r\n\r\n";
	struct http_head head;
	struct http_error error;
	struct auth_pending pending;
	struct auth_result result = {0};
	struct auth_request asked = {.head = &head, .data = (const uint8_t *)request};
	size_t used;

	(void)state;
	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(http_head_parse(&head, &http_limits_default, (const uint8_t *)request,
					 strlen(request), &used, &error),
			 HTTP_OK);
	assert_int_equal(way->ops->check(way, &asked, &result, &pending), AUTH_NO_PROOF);
	way->ops->destroy(way);
}

/* Nobody answers there. */
static void test_no_keys(void **state)
{
	struct token_options options = {
		.rules.algs = 1u << JWT_RS256,
		.shown = {.places = SHOWN_BIT(HEADER), .scheme = "Bearer"},
	};
	struct jwks_options source = {
		.url = "http://127.0.0.1:1/", .timeout_ms = 1000, .refresh_ms = 60000};
	struct jwks *jwks;
	char error[256];
	struct auth_result result = {0};

	(void)state;
	assert_int_equal(jwks_take(pool, &source, &jwks, error, sizeof(error)), 0);
	struct auth_way *way = token_way_create(&options, jwks);

	assert_int_equal(token_way_read(way, SLICE_LITERAL("a.b.c"), &result), AUTH_UNAVAILABLE);
	assert_string_equal(result.reason, "token_keys_missing");
	way->ops->destroy(way);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_the_end),
		cmocka_unit_test(test_no_token),
		cmocka_unit_test(test_no_keys),
	};

	return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
