/* SPDX-License-Identifier: Apache-2.0
 * The first byte says what the rest is: a token as it comes, a set of keys, or a header and
 * claims with a line's end between, which are signed here, so that the fuzzer sees what lies
 * behind a good signature. */
#include "fuzz.h"

#include <openssl/hmac.h>

#include "base/base64.h"
#include "auth/jwt.h"

#define NOW       1700000000
#define INPUT_MAX 4096

static const char keys_text[] =
	"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":"
	"\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
	"7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
static const char secret[] = "0123456789abcdef0123456789abcdef";

static struct jwk_set *keys(void)
{
	static struct jwk_set *set;
	char error[256];

	if (set == NULL)
		CHECK(jwk_set_read(slice_from_text(keys_text), JWK_FROM_FILE, &set, error,
				   sizeof(error)) == 0);
	return set;
}

static enum jwt_fault read_token(struct slice token)
{
	const struct jwt_rules rules = {.algs = ~0u, .leeway_s = 5};
	struct jwt jwt = {0};
	enum jwt_fault fault = jwt_read(token, &rules, keys(), NOW, &jwt);

	CHECK(fault < JWT_FAULT_COUNT);
	CHECK((jwt.claims != NULL) == (fault == JWT_FAULT_NONE));
	if (fault == JWT_FAULT_NONE) {
		const json_t *audience = json_object_get(jwt.claims, "aud");

		CHECK(jwt.expires_at + 5 > NOW && audience == NULL);
		CHECK(json_is_number(json_object_get(jwt.claims, "exp")));
	}
	json_decref(jwt.claims);
	return fault;
}

static void one_set(struct slice text)
{
	struct jwk_set *set = NULL;
	char error[256] = "";

	if (jwk_set_read(text, JWK_FROM_URL, &set, error, sizeof(error)) < 0) {
		CHECK(set == NULL && error[0] != 0);
		return;
	}
	CHECK(set->count > 0 && set->count + set->skipped <= JWK_SET_MAX_KEYS);
	for (size_t i = 0; i < set->count; i++) {
		CHECK(set->keys[i].kind != JWK_OCT && set->keys[i].secret == NULL);
		CHECK(set->keys[i].pkey != NULL && set->keys[i].algs != 0);
		for (size_t alg = 0; alg < JWT_ALG_COUNT; alg++)
			if (set->keys[i].algs & (1u << alg))
				CHECK(jwt_algs[alg].kinds & (1u << set->keys[i].kind));
	}
	jwk_set_unref(&set);
}

/* What is signed by the one secret can only be read as that. */
static void signed_here(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t header_len = end == NULL ? size : (size_t)(end - data);
	size_t claims_len = end == NULL ? 0 : size - header_len - 1;
	char *token = malloc(2 * INPUT_MAX + 100);
	uint8_t mac[32];
	enum jwt_alg_id alg;
	unsigned len;

	CHECK(token != NULL);
	base64url_write(data, header_len, token);
	memcpy(token + strlen(token), ".", sizeof("."));
	base64url_write(data + size - claims_len, claims_len, token + strlen(token));
	CHECK(HMAC(EVP_sha256(), secret, sizeof(secret) - 1, (const uint8_t *)token, strlen(token),
		   mac, &len) != NULL);
	memcpy(token + strlen(token), ".", sizeof("."));
	base64url_write(mac, len, token + strlen(token));
	if (read_token(slice_from_text(token)) == JWT_FAULT_NONE) {
		json_t *header = json_loadb((const char *)data, header_len, 0, NULL);

		CHECK(jwt_alg_find(
			      slice_from_text(json_string_value(json_object_get(header, "alg"))),
			      &alg) &&
		      alg == JWT_HS256);
		CHECK(json_object_get(header, "crit") == NULL);
		json_decref(header);
	}
	free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > INPUT_MAX)
		return 0;
	uint8_t *copy = fuzz_copy(data + 1, size - 1);

	if (data[0] == 'k')
		one_set(slice_of(copy, size - 1));
	else if (data[0] == 's')
		signed_here(copy, size - 1);
	else
		/* Nobody makes one without the keys, but whoever seeded a good one. */
		read_token(slice_of(copy, size - 1));
	free(copy);
	return 0;
}
