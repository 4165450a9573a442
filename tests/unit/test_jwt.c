/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "base/base64.h"
#include "auth/jwt.h"
#include "base/buf.h"

#define NOW 1700000000

/* --- the RFCs' own examples --- */

#define JOE                                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ"
#define A1_KEY                                                                   \
	"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-" \
	"1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}"
#define A2_N                                                                                   \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEz" \
	"P1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6" \
	"3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw" \
	"Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW" \
	"yuXpoQ"
#define BILBO_N                                                                                   \
	"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz" \
	"_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHY" \
	"pPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU" \
	"4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"

static const struct {
	const char *name;
	enum jwt_alg_id alg;
	const char *key;
	const char *input;
	const char *signature;
} vectors[] = {
	{"RFC 7515, A.1", JWT_HS256, A1_KEY, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE,
	 "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	{"RFC 7515, A.2", JWT_RS256, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" A2_N "\"}",
	 "eyJhbGciOiJSUzI1NiJ9." JOE,
	 "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
	 "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIAR"
	 "NPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvh"
	 "J1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
	{"RFC 7515, A.3", JWT_ES256,
	 "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	 "eyJhbGciOiJFUzI1NiJ9." JOE,
	 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
	{"RFC 7515, A.4", JWT_ES512,
	 "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":"
	 "\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp"
	 "5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxV"
	 "g_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
	 "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
	 "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt"
	 "AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_"
	 "Jn"},
	{"RFC 7520, 4.2", JWT_PS384, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" BILBO_N "\"}",
	 "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFu"
	 "Z2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9h"
	 "ZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91"
	 "IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4",
	 "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6"
	 "O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqi"
	 "VJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_"
	 "jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"},
	{"RFC 8037, A.4", JWT_EdDSA,
	 "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
	 "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
	 "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
	 "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

static struct jwk_set *set_of(const char *text)
{
	struct jwk_set *set = NULL;
	char error[256];

	if (jwk_set_read(slice_from_text(text), JWK_FROM_FILE, &set, error, sizeof(error)) < 0)
		fail_msg("%s: %s", text, error);
	return set;
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct jwk_set *set = set_of(vectors[i].key);
		struct slice input = slice_from_text(vectors[i].input);
		uint8_t signature[1024];
		size_t len;

		ASSERT_ROW(base64url_read(slice_from_text(vectors[i].signature), signature, &len),
			   vectors[i].name);
		ASSERT_ROW(jwt_signature_is_good(&set->keys[0], vectors[i].alg, input,
						 slice_of(signature, len)),
			   vectors[i].name);
		/* Not one bit of it may be another, and not one byte more or less. */
		for (size_t at = 0; at < len; at += 7) {
			signature[at] ^= 0x10;
			ASSERT_ROW(!jwt_signature_is_good(&set->keys[0], vectors[i].alg, input,
							  slice_of(signature, len)),
				   vectors[i].name);
			signature[at] ^= 0x10;
		}
		ASSERT_ROW(!jwt_signature_is_good(&set->keys[0], vectors[i].alg, input,
						  slice_of(signature, len - 1)),
			   vectors[i].name);
		signature[len] = 0;
		ASSERT_ROW(!jwt_signature_is_good(&set->keys[0], vectors[i].alg, input,
						  slice_of(signature, len + 1)),
			   vectors[i].name);
		ASSERT_ROW(!jwt_signature_is_good(&set->keys[0], vectors[i].alg,
						  slice_of(input.data, input.len - 1),
						  slice_of(signature, len)),
			   vectors[i].name);
		jwk_set_unref(&set);
	}
}

/* RFC 7519, 3.1 is the same as RFC 7515, A.1: whole, with its claims, in its time. */
static void test_the_rfc_token(void **state)
{
	struct jwk_set *set = set_of(A1_KEY);
	struct jwt_rules rules = {.algs = 1u << JWT_HS256, .issuer = "joe"};
	struct jwt jwt;
	struct slice token = SLICE_LITERAL("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE
					   ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");

	(void)state;
	assert_int_equal(jwt_read(token, &rules, set, 1300819379, &jwt), JWT_FAULT_NONE);
	assert_int_equal(jwt.expires_at, 1300819380);
	assert_true(json_is_true(json_object_get(jwt.claims, "http://example.com/is_root")));
	json_decref(jwt.claims);
	assert_int_equal(jwt_read(token, &rules, set, 1300819380, &jwt), JWT_FAULT_EXPIRED);
	jwk_set_unref(&set);
}

/* --- a signer, to make tokens that are wrong in one thing only --- */

static EVP_PKEY *rsa, *rsa_weak, *p256, *p384, *p521, *ed25519, *ed448;

static const char secret[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static int make_keys(void **state)
{
	(void)state;
	rsa = EVP_RSA_gen(2048);
	rsa_weak = EVP_RSA_gen(1024);
	p256 = EVP_EC_gen("P-256");
	p384 = EVP_EC_gen("P-384");
	p521 = EVP_EC_gen("P-521");
	ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
	return rsa && rsa_weak && p256 && p384 && p521 && ed25519 && ed448 ? 0 : -1;
}

static int drop_keys(void **state)
{
	EVP_PKEY *all[] = {rsa, rsa_weak, p256, p384, p521, ed25519, ed448};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		EVP_PKEY_free(all[i]);
	return 0;
}

static void write_number(const BIGNUM *number, size_t size, char *out)
{
	uint8_t bytes[512];

	if (size == 0)
		size = (size_t)BN_num_bytes(number);
	assert_true(BN_bn2binpad(number, bytes, (int)size) == (int)size);
	base64url_write(bytes, size, out);
}

static void number_of(EVP_PKEY *key, const char *name, size_t size, char *out)
{
	BIGNUM *number = NULL;

	assert_true(EVP_PKEY_get_bn_param(key, name, &number) == 1);
	write_number(number, size, out);
	BN_free(number);
}

/* `text` with `more` behind what it has; it has room for `size`. */
static const char *text_add(char *text, size_t size, const char *more)
{
	size_t len = strlen(text), more_len = strlen(more);

	assert_true(len + more_len < size);
	memcpy(text + len, more, more_len + 1);
	return text;
}

/* The public key as a JWK, with further members. */
static const char *jwk_of(EVP_PKEY *key, const char *more)
{
	static char out[4096];
	char a[1024], b[1024];
	uint8_t raw[57];
	size_t len = sizeof(raw);

	if (EVP_PKEY_is_a(key, "RSA")) {
		number_of(key, OSSL_PKEY_PARAM_RSA_N, 0, a);
		number_of(key, OSSL_PKEY_PARAM_RSA_E, 0, b);
		snprintf(out, sizeof(out), "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", a, b,
			 more);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		size_t size = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;

		number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, size, a);
		number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, size, b);
		snprintf(out, sizeof(out),
			 "{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"%s}",
			 EVP_PKEY_get_bits(key), a, b, more);
	} else {
		assert_true(EVP_PKEY_get_raw_public_key(key, raw, &len) == 1);
		base64url_write(raw, len, a);
		snprintf(out, sizeof(out), "{\"kty\":\"OKP\",\"crv\":\"%s\",\"x\":\"%s\"%s}",
			 len == 32 ? "Ed25519" : "Ed448", a, more);
	}
	return out;
}

static const char *oct_of(const char *text, const char *more)
{
	static char out[8192];
	char k[6000];

	base64url_write(text, strlen(text), k);
	snprintf(out, sizeof(out), "{\"kty\":\"oct\",\"k\":\"%s\"%s}", k, more);
	return out;
}

/* r and s side by side, as JOSE wants them. */
static size_t from_der(const uint8_t *der, size_t len, size_t half, uint8_t *out)
{
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);

	assert_non_null(pair);
	assert_true(BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, (int)half) > 0);
	assert_true(BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + half, (int)half) > 0);
	ECDSA_SIG_free(pair);
	return 2 * half;
}

static size_t sign(enum jwt_alg_id id, EVP_PKEY *key, const char *hmac_key, const char *input,
		   uint8_t *out)
{
	const struct jwt_alg *alg = &jwt_algs[id];
	uint8_t der[1024];
	size_t len = sizeof(der);
	unsigned mac_len;
	EVP_PKEY_CTX *own;

	if (alg->scheme == JWT_HMAC) {
		CHECK(hmac_key != NULL);
		HMAC(alg->digest(), hmac_key, (int)strlen(hmac_key), (const uint8_t *)input,
		     strlen(input), out, &mac_len);
		return mac_len;
	}
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	assert_true(EVP_DigestSignInit(context, &own,
				       alg->scheme == JWT_EDDSA ? NULL : alg->digest(), NULL,
				       key) == 1);
	if (alg->scheme == JWT_PSS) {
		assert_true(EVP_PKEY_CTX_set_rsa_padding(own, RSA_PKCS1_PSS_PADDING) == 1);
		assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(own, RSA_PSS_SALTLEN_DIGEST) == 1);
	}
	assert_true(EVP_DigestSign(context, der, &len, (const uint8_t *)input, strlen(input)) == 1);
	EVP_MD_CTX_free(context);
	if (alg->scheme == JWT_ECDSA)
		return from_der(der, len, alg->signature_size / 2, out);
	memcpy(out, der, len);
	return len;
}

static const char *token_with(enum jwt_alg_id id, EVP_PKEY *key, const char *hmac_key,
			      const char *header, const char *claims)
{
	static char token[40000];
	uint8_t signature[1024];

	base64url_write(header, strlen(header), token);
	text_add(token, sizeof(token), ".");
	base64url_write(claims, strlen(claims), token + strlen(token));
	size_t len = sign(id, key, hmac_key, token, signature);

	text_add(token, sizeof(token), ".");
	base64url_write(signature, len, token + strlen(token));
	return token;
}

static enum jwt_fault read_token(const char *token, uint32_t algs, const struct jwk_set *set)
{
	struct jwt_rules rules = {.algs = algs};
	struct jwt jwt = {0};
	/* Exactly as long as it is: the sanitizer sees what is read behind it. */
	char *copy = slice_to_text(slice_from_text(token));
	char *exact = malloc(strlen(copy));

	memcpy(exact, copy, strlen(copy));
	enum jwt_fault fault = jwt_read(slice_of(exact, strlen(copy)), &rules, set, NOW, &jwt);

	free(exact);
	free(copy);
	assert_true((jwt.claims != NULL) == (fault == JWT_FAULT_NONE));
	json_decref(jwt.claims);
	return fault;
}

#define GOOD "{\"exp\":1700000100,\"sub\":\"cp1\"}"

static EVP_PKEY *key_for(enum jwt_alg_id id)
{
	switch (jwt_algs[id].scheme) {
	case JWT_PKCS1:
	case JWT_PSS:
		return rsa;
	case JWT_ECDSA:
		return id == JWT_ES256 ? p256 : id == JWT_ES384 ? p384 : p521;
	case JWT_EDDSA:
		return ed25519;
	case JWT_HMAC:
		break;
	}
	return NULL;
}

static struct jwk_set *all_keys(void)
{
	static char text[16384];
	EVP_PKEY *all[] = {rsa, p256, p384, p521, ed25519, ed448};

	snprintf(text, sizeof(text), "{\"keys\":[");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		text_add(text, sizeof(text), jwk_of(all[i], ""));
		text_add(text, sizeof(text), ",");
	}
	text_add(text, sizeof(text), oct_of(secret, ""));
	text_add(text, sizeof(text), "]}");
	return set_of(text);
}

/* Each algorithm reads its own tokens, and no other algorithm's: among all keys, with each
 * algorithm alone allowed, and with the header saying each. */
static void test_every_algorithm(void **state)
{
	struct jwk_set *set = all_keys();

	(void)state;
	for (size_t i = 0; i < JWT_ALG_COUNT; i++) {
		enum jwt_alg_id id = (enum jwt_alg_id)i;
		char header[64];

		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"at+jwt\"}",
			 jwt_algs[i].name);
		const char *token = token_with(id, key_for(id), secret, header, GOOD);

		ASSERT_ROW(read_token(token, 1u << i, set) == JWT_FAULT_NONE, jwt_algs[i].name);
		ASSERT_ROW(read_token(token, ~(1u << i), set) == JWT_FAULT_ALGORITHM,
			   jwt_algs[i].name);
		for (size_t other = 0; other < JWT_ALG_COUNT; other++) {
			if (other == i)
				continue;
			snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", jwt_algs[other].name);
			token = token_with(id, key_for(id), secret, header, GOOD);
			ASSERT_ROW(read_token(token, ~0u, set) == JWT_FAULT_SIGNATURE,
				   jwt_algs[other].name);
		}
	}
	const char *token = token_with(JWT_EdDSA, ed448, NULL, "{\"alg\":\"EdDSA\"}", GOOD);

	assert_int_equal(read_token(token, ~0u, set), JWT_FAULT_NONE);
	jwk_set_unref(&set);
}

/* The classic: the public key, which everybody has, as the secret of an HMAC. Also if both
 * algorithms are allowed; by all texts that the key has. */
static void test_a_public_key_is_no_secret(void **state)
{
	char jwk[4096] = "";
	struct jwk_set *set = set_of(text_add(jwk, sizeof(jwk), jwk_of(rsa, ",\"kid\":\"a\"")));
	char n[1024];
	const char *texts[] = {jwk, n, secret};

	(void)state;
	number_of(rsa, OSSL_PKEY_PARAM_RSA_N, 0, n);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *token = token_with(JWT_HS256, NULL, texts[i],
					       "{\"alg\":\"HS256\",\"kid\":\"a\"}", GOOD);

		assert_int_equal(read_token(token, 1u << JWT_RS256, set), JWT_FAULT_ALGORITHM);
		assert_int_equal(read_token(token, ~0u, set), JWT_FAULT_NO_KEY);
	}
	jwk_set_unref(&set);
}

static const struct {
	const char *name;
	const char *header;
	const char *claims;
	enum jwt_fault want;
} rows[] = {
	{"good", "{\"alg\":\"ES256\"}", GOOD, JWT_FAULT_NONE},
	{"its type", "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", GOOD, JWT_FAULT_NONE},
	{"its type in small letters", "{\"alg\":\"ES256\",\"typ\":\"application/at+jwt\"}", GOOD,
	 JWT_FAULT_NONE},
	{"of another type", "{\"alg\":\"ES256\",\"typ\":\"logout+jwt\"}", GOOD, JWT_FAULT_TYPE},
	{"a type that is no text", "{\"alg\":\"ES256\",\"typ\":7}", GOOD, JWT_FAULT_TYPE},
	{"none", "{\"alg\":\"none\"}", GOOD, JWT_FAULT_ALGORITHM},
	{"None", "{\"alg\":\"NonE\"}", GOOD, JWT_FAULT_ALGORITHM},
	{"small letters", "{\"alg\":\"es256\"}", GOOD, JWT_FAULT_ALGORITHM},
	{"nothing", "{\"alg\":\"\"}", GOOD, JWT_FAULT_ALGORITHM},
	{"a list", "{\"alg\":[\"ES256\"]}", GOOD, JWT_FAULT_MALFORMED},
	{"no algorithm", "{\"typ\":\"JWT\"}", GOOD, JWT_FAULT_MALFORMED},
	{"an algorithm twice", "{\"alg\":\"ES256\",\"alg\":\"none\"}", GOOD, JWT_FAULT_MALFORMED},
	{"spelt twice", "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}", GOOD, JWT_FAULT_MALFORMED},
	{"critical", "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", GOOD, JWT_FAULT_CRITICAL},
	{"nothing critical", "{\"alg\":\"ES256\",\"crit\":[]}", GOOD, JWT_FAULT_CRITICAL},
	{"not encoded", "{\"alg\":\"ES256\",\"b64\":false}", GOOD, JWT_FAULT_CRITICAL},
	{"nested", "{\"alg\":\"ES256\",\"cty\":\"JWT\"}", GOOD, JWT_FAULT_NESTED},
	{"another key", "{\"alg\":\"ES256\",\"kid\":\"b\"}", GOOD, JWT_FAULT_NO_KEY},
	{"its key", "{\"alg\":\"ES256\",\"kid\":\"a\"}", GOOD, JWT_FAULT_NONE},
	{"a key that is a number", "{\"alg\":\"ES256\",\"kid\":1}", GOOD, JWT_FAULT_MALFORMED},
	{"a key with a NUL", "{\"alg\":\"ES256\",\"kid\":\"a\\u0000\"}", GOOD, JWT_FAULT_MALFORMED},
	{"a key of its own", "{\"alg\":\"ES256\",\"jku\":\"http://127.0.0.1/\",\"jwk\":{}}", GOOD,
	 JWT_FAULT_NONE},
	{"a list as header", "[\"ES256\"]", GOOD, JWT_FAULT_MALFORMED},
	{"more behind the header", "{\"alg\":\"ES256\"} {}", GOOD, JWT_FAULT_MALFORMED},
	{"for ever", "{\"alg\":\"ES256\"}", "{\"sub\":\"cp1\"}", JWT_FAULT_CLAIMS},
	{"until a text", "{\"alg\":\"ES256\"}", "{\"exp\":\"1700000100\"}", JWT_FAULT_CLAIMS},
	{"until now", "{\"alg\":\"ES256\"}", "{\"exp\":1700000000}", JWT_FAULT_EXPIRED},
	{"until before", "{\"alg\":\"ES256\"}", "{\"exp\":0}", JWT_FAULT_EXPIRED},
	{"until below zero", "{\"alg\":\"ES256\"}", "{\"exp\":-1}", JWT_FAULT_CLAIMS},
	{"until half past", "{\"alg\":\"ES256\"}", "{\"exp\":1700000001.5}", JWT_FAULT_NONE},
	{"until too far", "{\"alg\":\"ES256\"}", "{\"exp\":1e300}", JWT_FAULT_CLAIMS},
	{"until the last", "{\"alg\":\"ES256\"}", "{\"exp\":9223372036854775807}",
	 JWT_FAULT_CLAIMS},
	{"until beyond numbers", "{\"alg\":\"ES256\"}", "{\"exp\":1e999}", JWT_FAULT_MALFORMED},
	{"until twice", "{\"alg\":\"ES256\"}", "{\"exp\":1,\"exp\":1700000100}",
	 JWT_FAULT_MALFORMED},
	{"not yet", "{\"alg\":\"ES256\"}", "{\"exp\":1700000100,\"nbf\":1700000001}",
	 JWT_FAULT_TOO_EARLY},
	{"from now", "{\"alg\":\"ES256\"}", "{\"exp\":1700000100,\"nbf\":1700000000}",
	 JWT_FAULT_NONE},
	{"from a text", "{\"alg\":\"ES256\"}", "{\"exp\":1700000100,\"nbf\":\"0\"}",
	 JWT_FAULT_CLAIMS},
	{"made tomorrow", "{\"alg\":\"ES256\"}", "{\"exp\":1700000100,\"iat\":1700086400}",
	 JWT_FAULT_TOO_EARLY},
	{"for somebody", "{\"alg\":\"ES256\"}", "{\"exp\":1700000100,\"aud\":\"them\"}",
	 JWT_FAULT_AUDIENCE},
	{"a list of claims", "{\"alg\":\"ES256\"}", "[]", JWT_FAULT_MALFORMED},
	{"no claims", "{\"alg\":\"ES256\"}", "", JWT_FAULT_MALFORMED},
};

static void test_what_is_not_taken(void **state)
{
	char key[4096] = "";
	struct jwk_set *set = set_of(text_add(key, sizeof(key), jwk_of(p256, ",\"kid\":\"a\"")));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *token = token_with(JWT_ES256, p256, NULL, rows[i].header,
					       rows[i].claims);
		enum jwt_fault fault = read_token(token, ~0u, set);

		if (fault != rows[i].want)
			fail_msg("%s: %s, not %s", rows[i].name, jwt_fault_label(fault),
				 jwt_fault_label(rows[i].want));
	}
	jwk_set_unref(&set);
}

/* Whatever is cut off, doubled or put between: no token. */
static void test_forms(void **state)
{
	char key[4096] = "", good[1024], text[4096];
	struct jwk_set *set = set_of(text_add(key, sizeof(key), jwk_of(p256, "")));

	(void)state;
	snprintf(good, sizeof(good), "%s",
		 token_with(JWT_ES256, p256, NULL, "{\"alg\":\"ES256\"}", GOOD));
	assert_int_equal(read_token(good, ~0u, set), JWT_FAULT_NONE);
	for (size_t cut = 0; cut < strlen(good); cut++) {
		snprintf(text, sizeof(text), "%.*s", (int)cut, good);
		assert_int_not_equal(read_token(text, ~0u, set), JWT_FAULT_NONE);
	}
	static const char *const formats[] = {"%s=", " %s", "%s ", "%s.", ".%s", "%s\n"};

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), formats[i], good);
#pragma GCC diagnostic pop
		ASSERT_ROW(read_token(text, ~0u, set) == JWT_FAULT_MALFORMED, formats[i]);
	}
	snprintf(text, sizeof(text), "%s.a.b", good);
	assert_int_equal(read_token(text, ~0u, set), JWT_FAULT_ENCRYPTED);
	assert_int_equal(read_token("eyJhbGciOiJub25lIn0.e30.", ~0u, set), JWT_FAULT_ALGORITHM);
	assert_int_equal(read_token("..", ~0u, set), JWT_FAULT_MALFORMED);
	jwk_set_unref(&set);
}

static void test_sizes(void **state)
{
	char key[4096] = "";
	struct jwk_set *set = set_of(text_add(key, sizeof(key), jwk_of(p256, "")));
	const size_t million = 1000000;
	char *long_one = malloc(million + 1);

	(void)state;
	memset(long_one, 'a', million);
	long_one[million] = 0;
	assert_int_equal(read_token(long_one, ~0u, set), JWT_FAULT_TOO_LONG);
	long_one[JWT_MAX + 1] = 0;
	assert_int_equal(read_token(long_one, ~0u, set), JWT_FAULT_TOO_LONG);
	long_one[JWT_MAX] = 0;
	assert_int_equal(read_token(long_one, ~0u, set), JWT_FAULT_MALFORMED);
	free(long_one);

	/* As large as may be, and good. */
	char claims[6200];
	size_t room = sizeof(claims) - 200;

	snprintf(claims, sizeof(claims), "{\"exp\":1700000100,\"fill\":\"%0*d\"}", (int)room - 100,
		 0);
	const char *token = token_with(JWT_ES256, p256, NULL, "{\"alg\":\"ES256\"}", claims);

	assert_in_range(strlen(token), JWT_MAX - 500, JWT_MAX);
	assert_int_equal(read_token(token, ~0u, set), JWT_FAULT_NONE);
	/* Deeper than any parser likes. */
	memset(claims, '[', room);
	claims[room] = 0;
	assert_int_equal(
		read_token(token_with(JWT_ES256, p256, NULL, "{\"alg\":\"ES256\"}", claims), ~0u,
			   set),
		JWT_FAULT_MALFORMED);
	jwk_set_unref(&set);
}

static const struct {
	const char *name;
	const char *claims;
	struct jwt_rules rules;
	enum jwt_fault want;
} parties[] = {
	{"the issuer", "{\"exp\":1700000100,\"iss\":\"us\"}", {.issuer = "us"}, JWT_FAULT_NONE},
	{"another issuer",
	 "{\"exp\":1700000100,\"iss\":\"us/\"}",
	 {.issuer = "us"},
	 JWT_FAULT_ISSUER},
	{"no issuer", "{\"exp\":1700000100}", {.issuer = "us"}, JWT_FAULT_ISSUER},
	{"a list of issuers",
	 "{\"exp\":1700000100,\"iss\":[\"us\"]}",
	 {.issuer = "us"},
	 JWT_FAULT_ISSUER},
	{"the audience", "{\"exp\":1700000100,\"aud\":\"gw\"}", {.audience = "gw"}, JWT_FAULT_NONE},
	{"one of the audience",
	 "{\"exp\":1700000100,\"aud\":[1,\"x\",\"gw\"]}",
	 {.audience = "gw"},
	 JWT_FAULT_NONE},
	{"another audience",
	 "{\"exp\":1700000100,\"aud\":[\"x\"]}",
	 {.audience = "gw"},
	 JWT_FAULT_AUDIENCE},
	{"no audience", "{\"exp\":1700000100}", {.audience = "gw"}, JWT_FAULT_AUDIENCE},
	{"an empty audience", "{\"exp\":1700000100,\"aud\":[]}", {0}, JWT_FAULT_AUDIENCE},
	{"over, within the leeway", "{\"exp\":1699999991}", {.leeway_s = 10}, JWT_FAULT_NONE},
	{"over, at its end", "{\"exp\":1699999990}", {.leeway_s = 10}, JWT_FAULT_EXPIRED},
	{"early, within the leeway",
	 "{\"exp\":1700000100,\"nbf\":1700000010}",
	 {.leeway_s = 10},
	 JWT_FAULT_NONE},
	{"early, beyond it",
	 "{\"exp\":1700000100,\"nbf\":1700000011}",
	 {.leeway_s = 10},
	 JWT_FAULT_TOO_EARLY},
	{"a claim",
	 "{\"exp\":1700000100,\"jti\":\"x\"}",
	 {.required = (const char *const[]){"jti"}, .required_count = 1},
	 JWT_FAULT_NONE},
	{"no claim",
	 "{\"exp\":1700000100,\"JTI\":\"x\"}",
	 {.required = (const char *const[]){"jti"}, .required_count = 1},
	 JWT_FAULT_CLAIMS},
};

static void test_parties(void **state)
{
	char key[4096] = "";
	struct jwk_set *set = set_of(text_add(key, sizeof(key), jwk_of(p256, "")));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parties); i++) {
		struct jwt_rules rules = parties[i].rules;
		struct jwt jwt = {0};
		const char *token = token_with(JWT_ES256, p256, NULL, "{\"alg\":\"ES256\"}",
					       parties[i].claims);

		rules.algs = 1u << JWT_ES256;
		ASSERT_ROW(jwt_read(slice_from_text(token), &rules, set, NOW, &jwt) ==
				   parties[i].want,
			   parties[i].name);
		json_decref(jwt.claims);
	}
	jwk_set_unref(&set);
}

/* --- keys --- */

static const char *with_key(const char *member, const char *value)
{
	static char out[256];

	snprintf(out, sizeof(out),
		 "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
		 "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"%s\":%s}",
		 member, value);
	return out;
}

static const char *key_problem(const char *text, enum jwk_source source)
{
	static char error[256];
	struct jwk_set *set = NULL;

	if (jwk_set_read(slice_from_text(text), source, &set, error, sizeof(error)) == 0)
		error[0] = 0;
	jwk_set_unref(&set);
	return error;
}

static void test_keys(void **state)
{
	static const struct {
		const char *name, *text, *wrong; /* NULL: good */
	} keys[] = {
		{"not JSON", "{\"keys\":[", "is not JSON: line 1"},
		{"no set", "{\"key\":[]}", "is no JWK Set"},
		{"a list", "[]", "is no JWK Set"},
		{"empty", "{\"keys\":[]}", "has 0 keys; allowed: 1..128"},
		{"rubbish", "{\"keys\":[7]}", "it is not a JSON object"},
		{"an unknown kind", "{\"kty\":\"AKP\"}", "its 'kty' is not RSA"},
		{"a curve", "{\"kty\":\"EC\",\"crv\":\"secp256k1\"}", "its 'crv' is not P-256"},
		{"a point beside the curve",
		 "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		 "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a8\"}",
		 "no point of the curve"},
		{"a point of another size",
		 "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":"
		 "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
		 "no point of the curve"},
		{"a short key", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qY\"}",
		 "no public key of the curve"},
		{"exponent 1", "{\"kty\":\"RSA\",\"e\":\"AQ\",\"n\":\"" A2_N "\"}",
		 "its 'e' is no"},
		{"an even exponent", "{\"kty\":\"RSA\",\"e\":\"AQAA\",\"n\":\"" A2_N "\"}",
		 "its 'e' is no"},
		{"padding", "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" A2_N "==\"}",
		 "its 'n' or 'e'"},
		{"a short secret", "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}", "less than 32 bytes"},
		{"a member twice", "{\"kty\":\"oct\",\"kty\":\"RSA\"}", "is not JSON"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strstr(key_problem(keys[i].text, JWK_FROM_FILE), keys[i].wrong) == NULL)
			fail_msg("%s: %s", keys[i].name, key_problem(keys[i].text, JWK_FROM_FILE));
	assert_string_equal(key_problem(with_key("use", "\"sig\""), JWK_FROM_FILE), "");
	assert_non_null(strstr(key_problem(with_key("use", "\"enc\""), JWK_FROM_FILE), "'use'"));
	assert_non_null(strstr(key_problem(with_key("use", "7"), JWK_FROM_FILE), "'use'"));
	assert_string_equal(
		key_problem(with_key("key_ops", "[\"sign\",\"verify\"]"), JWK_FROM_FILE), "");
	assert_non_null(
		strstr(key_problem(with_key("key_ops", "[\"sign\"]"), JWK_FROM_FILE), "'key_ops'"));
	assert_non_null(strstr(key_problem(with_key("alg", "\"ES256\""), JWK_FROM_FILE), "'alg'"));
	assert_non_null(strstr(key_problem(with_key("alg", "\"none\""), JWK_FROM_FILE), "'alg'"));
	assert_non_null(strstr(key_problem(with_key("kid", "7"), JWK_FROM_FILE), "'kid'"));
	assert_non_null(strstr(key_problem(jwk_of(rsa_weak, ""), JWK_FROM_FILE), "2048"));
	assert_string_equal(key_problem(oct_of(secret, ""), JWK_FROM_FILE), "");
	assert_non_null(strstr(key_problem(oct_of(secret, ""), JWK_FROM_URL), "from a file only"));
}

/* One key that is not for us does not spoil the others, and a key is for what it says. */
static void test_sets(void **state)
{
	char text[8192] = "{\"keys\":[{\"kty\":\"new\"},";
	struct jwk_set *set;

	(void)state;
	text_add(text, sizeof(text), jwk_of(rsa, ",\"alg\":\"PS256\",\"kid\":\"r\""));
	text_add(text, sizeof(text), ",");
	text_add(text, sizeof(text),
		 oct_of("0123456789abcdef0123456789abcdef0123456789abcdef", ""));
	text_add(text, sizeof(text), "]}");
	set = set_of(text);
	assert_int_equal(set->count, 2);
	assert_int_equal(set->skipped, 1);
	assert_int_equal(set->keys[0].algs, 1u << JWT_PS256);
	assert_string_equal(set->keys[0].id, "r");
	assert_int_equal(set->keys[1].algs, 1u << JWT_HS256 | 1u << JWT_HS384);

	const char *token = token_with(JWT_RS256, rsa, NULL, "{\"alg\":\"RS256\"}", GOOD);

	assert_int_equal(read_token(token, ~0u, set), JWT_FAULT_NO_KEY);
	token = token_with(JWT_PS256, rsa, NULL, "{\"alg\":\"PS256\"}", GOOD);
	assert_int_equal(read_token(token, ~0u, set), JWT_FAULT_NONE);
	jwk_set_unref(&set);

	char *large = malloc(JWK_SET_MAX_BYTES + 2);

	memset(large, ' ', JWK_SET_MAX_BYTES + 1);
	large[JWK_SET_MAX_BYTES + 1] = 0;
	assert_non_null(strstr(key_problem(large, JWK_FROM_FILE), "allowed: 262144"));
	free(large);
}

/* A token without a key's id costs no more than so many signatures. */
static void test_tries_end(void **state)
{
	struct buf text = {0};
	const char *mine;

	(void)state;
	buf_printf(&text, SIZE_MAX, "{\"keys\":[");
	for (size_t i = 0; i < JWT_TRIES_MAX; i++) {
		EVP_PKEY *key = EVP_EC_gen("P-256");

		buf_printf(&text, SIZE_MAX, "%s,", jwk_of(key, ""));
		EVP_PKEY_free(key);
	}
	mine = jwk_of(p256, ",\"kid\":\"mine\"");
	buf_printf(&text, SIZE_MAX, "%s]}", mine);
	struct jwk_set *set = NULL;
	char error[256];

	assert_int_equal(jwk_set_read(buf_slice(&text), JWK_FROM_URL, &set, error, sizeof(error)),
			 0);
	assert_int_equal(read_token(token_with(JWT_ES256, p256, NULL, "{\"alg\":\"ES256\"}", GOOD),
				    ~0u, set),
			 JWT_FAULT_SIGNATURE);
	jwk_set_unref(&set);
	buf_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_the_rfc_token),
		cmocka_unit_test(test_every_algorithm),
		cmocka_unit_test(test_a_public_key_is_no_secret),
		cmocka_unit_test(test_what_is_not_taken),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_parties),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_tries_end),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
