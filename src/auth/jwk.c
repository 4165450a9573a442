/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/jwk.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/reference.h"

#define ALG_ROW(NAME, scheme_, kinds_, digest_, size_) \
	[JWT_##NAME] = {.name = #NAME,                 \
			.digest = digest_,             \
			.scheme = JWT_##scheme_,       \
			.kinds = kinds_,               \
			.signature_size = size_},
const struct jwt_alg jwt_algs[JWT_ALG_COUNT] = {JWT_ALG_TABLE(ALG_ROW)};

bool jwt_alg_find(struct slice name, enum jwt_alg_id *out_alg)
{
	for (size_t i = 0; i < JWT_ALG_COUNT; i++)
		if (slice_equals(name, slice_from_text(jwt_algs[i].name))) {
			*out_alg = (enum jwt_alg_id)i;
			return true;
		}
	return false;
}

static uint32_t algs_of_kind(enum jwk_kind kind)
{
	uint32_t algs = 0;

	for (size_t i = 0; i < JWT_ALG_COUNT; i++)
		if (jwt_algs[i].kinds & (1u << kind))
			algs |= 1u << i;
	return algs;
}

/* --- members --- */

struct octets {
	uint8_t *data;
	size_t len;
};

static void octets_free(struct octets *octets)
{
	if (octets->data != NULL)
		OPENSSL_clear_free(octets->data, octets->len);
	*octets = (struct octets){0};
}

/* False: there is no such member, or it is not base64url of 1..max bytes, or memory is out. */
static bool octets_read(const json_t *key, const char *name, size_t max, struct octets *out)
{
	const json_t *member = json_object_get(key, name);
	struct slice text = {0};
	size_t len;

	if (!json_is_string(member))
		return false;
	text = slice_of(json_string_value(member), json_string_length(member));
	if (text.len == 0 || text.len > BASE64URL_ENCODED_LEN(max))
		return false;
	uint8_t *data = OPENSSL_malloc(BASE64_DECODED_MAX(text.len));

	if (data == NULL)
		return false;
	if (!base64url_read(text, data, &len) || len == 0) {
		OPENSSL_clear_free(data, BASE64_DECODED_MAX(text.len));
		return false;
	}
	*out = (struct octets){.data = data, .len = len};
	return true;
}

static bool text_is(const json_t *key, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(key, name));

	return text != NULL && strcmp(text, value) == 0;
}

/* --- kinds; each gives NULL, or why the key is left out --- */

static EVP_PKEY *pkey_make(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *pkey = NULL;

	if (context != NULL && params != NULL && EVP_PKEY_fromdata_init(context) == 1)
		EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(context);
	return pkey;
}

static EVP_PKEY *rsa_make(const struct octets *modulus, const struct octets *exponent)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(modulus->data, (int)modulus->len, NULL);
	BIGNUM *e = BN_bin2bn(exponent->data, (int)exponent->len, NULL);
	EVP_PKEY *pkey = NULL;

	if (build != NULL && n != NULL && e != NULL &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		pkey = pkey_make("RSA", build);
	BN_free(n);
	BN_free(e);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

/* An even exponent, or 1, signs nothing; a long one only costs time. */
static bool exponent_is_good(const struct octets *exponent)
{
	return exponent->len <= 4 && (exponent->data[exponent->len - 1] & 1) != 0 &&
	       (exponent->len > 1 || exponent->data[0] >= 3) && exponent->data[0] != 0;
}

static const char *rsa_read(struct jwk *jwk, const json_t *key)
{
	struct octets modulus = {0}, exponent = {0};
	const char *problem = "its 'n' or 'e' is no number in base64url, or too long";

	jwk->kind = JWK_RSA;
	if (octets_read(key, "n", JWK_RSA_MAX_BITS / 8 + 1, &modulus) &&
	    octets_read(key, "e", 8, &exponent)) {
		problem = "its 'e' is no exponent: allowed are odd numbers from 3 to 2^32 - 1";
		if (exponent_is_good(&exponent))
			jwk->pkey = rsa_make(&modulus, &exponent);
		if (jwk->pkey != NULL) {
			int bits = EVP_PKEY_get_bits(jwk->pkey);

			problem = bits < JWK_RSA_MIN_BITS   ? "RSA with less than 2048 bits is weak"
				  : bits > JWK_RSA_MAX_BITS ? "RSA with more than 8192 bits is slow"
							    : NULL;
		}
	}
	octets_free(&modulus);
	octets_free(&exponent);
	return problem;
}

static const struct curve {
	const char *name;  /* RFC 7518, 6.2.1.1 */
	const char *group; /* as the library calls it */
	size_t size;       /* [bytes] of a coordinate */
	enum jwk_kind kind;
} curves[] = {
	{"P-256", "prime256v1", 32, JWK_P256},
	{"P-384", "secp384r1", 48, JWK_P384},
	{"P-521", "secp521r1", 66, JWK_P521},
};

#define POINT_MAX (1 + 2 * 66)

/* A point that is not on the curve is refused by the library. */
static EVP_PKEY *ec_make(const struct curve *curve, const struct octets *x, const struct octets *y)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	uint8_t point[POINT_MAX] = {4};
	EVP_PKEY *pkey = NULL;

	memcpy(point + 1, x->data, curve->size);
	memcpy(point + 1 + curve->size, y->data, curve->size);
	if (build != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) ==
		    1 &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
					     1 + 2 * curve->size) == 1)
		pkey = pkey_make("EC", build);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

static const char *ec_read(struct jwk *jwk, const json_t *key)
{
	const struct curve *curve = NULL;
	struct octets x = {0}, y = {0};

	for (size_t i = 0; i < ARRAY_LEN(curves); i++)
		if (text_is(key, "crv", curves[i].name))
			curve = &curves[i];
	if (curve == NULL)
		return "its 'crv' is not P-256, P-384 or P-521";
	jwk->kind = curve->kind;
	if (octets_read(key, "x", curve->size, &x) && octets_read(key, "y", curve->size, &y) &&
	    x.len == curve->size && y.len == curve->size)
		jwk->pkey = ec_make(curve, &x, &y);
	octets_free(&x);
	octets_free(&y);
	return jwk->pkey == NULL ? "its 'x' and 'y' are no point of the curve" : NULL;
}

static const char *okp_read(struct jwk *jwk, const json_t *key)
{
	bool is_448 = text_is(key, "crv", "Ed448");
	size_t size = is_448 ? 57 : 32;
	struct octets x = {0};

	if (!is_448 && !text_is(key, "crv", "Ed25519"))
		return "its 'crv' is not Ed25519 or Ed448";
	jwk->kind = is_448 ? JWK_ED448 : JWK_ED25519;
	if (octets_read(key, "x", size, &x) && x.len == size)
		jwk->pkey = EVP_PKEY_new_raw_public_key(is_448 ? EVP_PKEY_ED448 : EVP_PKEY_ED25519,
							NULL, x.data, x.len);
	octets_free(&x);
	return jwk->pkey == NULL ? "its 'x' is no public key of the curve" : NULL;
}

/* RFC 7518, 3.2: a secret is as long as the digest at least. */
static void secret_algs_cut(struct jwk *jwk)
{
	for (size_t i = 0; i < JWT_ALG_COUNT; i++)
		if (jwt_algs[i].scheme == JWT_HMAC && jwk->secret_len < jwt_algs[i].signature_size)
			jwk->algs &= ~(1u << i);
}

/* The parser's copy is not left behind in memory that was freed. */
static void secret_wipe(const json_t *key)
{
	const json_t *member = json_object_get(key, "k");

	if (json_is_string(member))
		OPENSSL_cleanse((char *)json_string_value(member), json_string_length(member));
}

static const char *oct_read(struct jwk *jwk, const json_t *key)
{
	struct octets secret = {0};
	bool is_read = octets_read(key, "k", JWK_SECRET_MAX, &secret);

	jwk->kind = JWK_OCT;
	secret_wipe(key);
	if (!is_read)
		return "its 'k' is no secret of at most 4096 bytes in base64url";
	jwk->secret = secret.data;
	jwk->secret_len = secret.len;
	return secret.len < JWK_SECRET_MIN ? "a secret of less than 32 bytes is weak" : NULL;
}

/* --- one key --- */

static bool may_verify(const json_t *key)
{
	const json_t *ops = json_object_get(key, "key_ops"), *op;
	const json_t *use = json_object_get(key, "use");
	size_t i;

	if (use != NULL && !text_is(key, "use", "sig"))
		return false;
	if (ops == NULL)
		return true;
	json_array_foreach(ops, i, op) if (json_is_string(op) && strcmp(json_string_value(op),
									"verify") == 0) return true;
	return false;
}

static const char *kind_read(struct jwk *jwk, const json_t *key, enum jwk_source source)
{
	if (text_is(key, "kty", "RSA"))
		return rsa_read(jwk, key);
	if (text_is(key, "kty", "EC"))
		return ec_read(jwk, key);
	if (text_is(key, "kty", "OKP"))
		return okp_read(jwk, key);
	if (!text_is(key, "kty", "oct"))
		return "its 'kty' is not RSA, EC, OKP or oct";
	return source == JWK_FROM_URL ? "a secret ('oct') is taken from a file only"
				      : oct_read(jwk, key);
}

/* What its 'alg' leaves. */
static const char *algs_read(struct jwk *jwk, const json_t *key)
{
	const json_t *alg = json_object_get(key, "alg");
	enum jwt_alg_id id;

	jwk->algs = algs_of_kind(jwk->kind);
	if (jwk->kind == JWK_OCT)
		secret_algs_cut(jwk);
	if (alg == NULL)
		return NULL;
	if (!json_is_string(alg) || !jwt_alg_find(slice_from_text(json_string_value(alg)), &id))
		return "its 'alg' is not known here";
	jwk->algs &= 1u << id;
	return jwk->algs == 0 ? "its 'alg' is not for a key of this kind and size" : NULL;
}

static const char *id_read(struct jwk *jwk, const json_t *key)
{
	const json_t *id = json_object_get(key, "kid");

	if (id == NULL)
		return NULL;
	if (!json_is_string(id) || json_string_length(id) > JWK_ID_MAX)
		return "its 'kid' is not a string of at most 255 bytes";
	jwk->id = strdup(json_string_value(id));
	return jwk->id == NULL ? "memory is out" : NULL;
}

static void jwk_finish(struct jwk *jwk)
{
	EVP_PKEY_free(jwk->pkey);
	if (jwk->secret != NULL)
		OPENSSL_clear_free(jwk->secret, jwk->secret_len);
	free(jwk->id);
	*jwk = (struct jwk){0};
}

/* NULL: good. Else nothing is kept of it. */
static const char *jwk_read(struct jwk *jwk, const json_t *key, enum jwk_source source)
{
	const char *problem = !json_is_object(key) ? "it is not a JSON object"
			      : !may_verify(key)   ? "its 'use' or 'key_ops' is not to verify"
						   : kind_read(jwk, key, source);

	if (problem == NULL)
		problem = algs_read(jwk, key);
	if (problem == NULL)
		problem = id_read(jwk, key);
	if (problem != NULL)
		jwk_finish(jwk);
	return problem;
}

/* --- the set --- */

static int keys_read(struct jwk_set *set, const json_t *keys, enum jwk_source source, char *error,
		     size_t error_size)
{
	const json_t *key;
	size_t i;

	error[0] = 0;
	json_array_foreach(keys, i, key)
	{
		const char *problem = jwk_read(&set->keys[set->count], key, source);

		if (problem == NULL) {
			set->count++;
			continue;
		}
		if (set->skipped++ == 0)
			snprintf(error, error_size,
				 "has no key that tokens can be verified with; key %zu of %zu: %s",
				 i + 1, json_array_size(keys), problem);
	}
	return set->count > 0 ? 0 : -EINVAL;
}

static int set_make(const json_t *keys, enum jwk_source source, struct jwk_set **out_set,
		    char *error, size_t error_size)
{
	size_t count = json_array_size(keys);

	if (count == 0 || count > JWK_SET_MAX_KEYS) {
		snprintf(error, error_size, "has %zu keys; allowed: 1..%d", count,
			 JWK_SET_MAX_KEYS);
		return -EINVAL;
	}
	struct jwk_set *set = calloc(1, sizeof(*set) + count * sizeof(set->keys[0]));

	if (set == NULL)
		return -ENOMEM;
	set->references = 1;
	int r = keys_read(set, keys, source, error, error_size);

	if (r < 0)
		jwk_set_unref(&set);
	else
		*out_set = set;
	return r;
}

int jwk_set_read(struct slice text, enum jwk_source source, struct jwk_set **out_set, char *error,
		 size_t error_size)
{
	json_error_t fault;
	int r = -EINVAL;

	snprintf(error, error_size, "cannot be taken: memory is out");
	if (text.len > JWK_SET_MAX_BYTES) {
		snprintf(error, error_size, "has %zu bytes; allowed: %d", text.len,
			 JWK_SET_MAX_BYTES);
		return -EINVAL;
	}
	/* The parser's own words are not told on: they quote what it stumbled over. */
	json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES,
				  &fault);

	if (root == NULL) {
		snprintf(error, error_size, "is not JSON: line %d, column %d", fault.line,
			 fault.column);
		return -EINVAL;
	}
	const json_t *keys = json_object_get(root, "keys");

	if (json_is_array(keys)) {
		r = set_make(keys, source, out_set, error, error_size);
	} else if (keys == NULL && json_object_get(root, "kty") != NULL) {
		json_t *alone = json_pack("[O]", root);

		r = alone == NULL ? -ENOMEM : set_make(alone, source, out_set, error, error_size);
		json_decref(alone);
	} else {
		snprintf(error, error_size, "is no JWK Set: {\"keys\": [...]} (RFC 7517, 5)");
	}
	json_decref(root);
	return r;
}

struct jwk_set *jwk_set_ref(struct jwk_set *set)
{
	reference_take(&set->references);
	return set;
}

void jwk_set_unref(struct jwk_set **set)
{
	struct jwk_set *old = *set;

	*set = NULL;
	if (old == NULL || !reference_drop(&old->references))
		return;
	for (size_t i = 0; i < old->count; i++)
		jwk_finish(&old->keys[i]);
	free(old);
}
