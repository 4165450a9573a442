/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/jwt.h"

#include <math.h>
#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/check.h"

#define FAULT_TEXTS(NAME, label, detail) [JWT_FAULT_##NAME] = {label, detail},
static const struct {
	const char *label;
	const char *detail;
} faults[JWT_FAULT_COUNT] = {JWT_FAULT_TABLE(FAULT_TEXTS)};

const char *jwt_fault_label(enum jwt_fault fault)
{
	CHECK(fault < JWT_FAULT_COUNT);
	return faults[fault].label;
}

const char *jwt_fault_detail(enum jwt_fault fault)
{
	CHECK(fault < JWT_FAULT_COUNT);
	return faults[fault].detail;
}

/* --- parts --- */

struct parts {
	struct slice header, payload, signature; /* as they came */
	struct slice signed_input;
};

static enum jwt_fault parts_cut(struct slice token, struct parts *out)
{
	struct slice rest = token, part[5];
	size_t count = 0;

	if (token.len > JWT_MAX)
		return JWT_FAULT_TOO_LONG;
	while (count < ARRAY_LEN(part) && slice_next(&rest, '.', &part[count]))
		count++;
	if (count == 5 && rest.data == NULL)
		return JWT_FAULT_ENCRYPTED;
	if (count != 3 || part[0].len == 0 || part[1].len == 0)
		return JWT_FAULT_MALFORMED;
	*out = (struct parts){
		.header = part[0],
		.payload = part[1],
		.signature = part[2],
		.signed_input = slice_of(token.data, part[0].len + 1 + part[1].len),
	};
	return JWT_FAULT_NONE;
}

/* A JSON object in base64url; NULL: it is none. Integers stay within 64 bits, and a NUL or
 * what is not UTF-8 is refused by the parser. */
static json_t *object_read(struct slice text)
{
	uint8_t plain[BASE64_DECODED_MAX(JWT_MAX)];
	json_t *object = NULL;
	size_t len;

	if (base64url_read(text, plain, &len))
		object = json_loadb((const char *)plain, len, JSON_REJECT_DUPLICATES, NULL);
	OPENSSL_cleanse(plain, sizeof(plain));
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

/* --- header --- */

static struct slice text_of(const json_t *value)
{
	return slice_of(json_string_value(value), json_string_length(value));
}

/* "application/" may be left out (RFC 7515, 4.1.9); RFC 9068, 2.1. */
static bool type_is_good(const json_t *type)
{
	static const char prefix[] = "application/";
	struct slice text = text_of(type);

	if (type == NULL)
		return true;
	if (slice_starts_nocase(text, prefix))
		text = slice_of(text.data + strlen(prefix), text.len - strlen(prefix));
	return slice_equals_nocase(text, SLICE_LITERAL("JWT")) ||
	       slice_equals_nocase(text, SLICE_LITERAL("at+jwt"));
}

static enum jwt_fault header_check(const json_t *header, uint32_t algs, enum jwt_alg_id *out_alg)
{
	const json_t *id = json_object_get(header, "kid");

	if (!json_is_string(json_object_get(header, "alg")) || (id != NULL && !json_is_string(id)))
		return JWT_FAULT_MALFORMED;
	if (!jwt_alg_find(text_of(json_object_get(header, "alg")), out_alg) ||
	    (algs & (1u << *out_alg)) == 0)
		return JWT_FAULT_ALGORITHM;
	if (json_object_get(header, "crit") != NULL || json_object_get(header, "b64") != NULL)
		return JWT_FAULT_CRITICAL;
	if (json_object_get(header, "cty") != NULL)
		return JWT_FAULT_NESTED;
	return type_is_good(json_object_get(header, "typ")) ? JWT_FAULT_NONE : JWT_FAULT_TYPE;
}

/* A key without an id may be the one for any. */
static bool key_fits(const struct jwk *key, enum jwt_alg_id alg, const char *id)
{
	return (key->algs & (1u << alg)) != 0 && (jwt_algs[alg].kinds & (1u << key->kind)) != 0 &&
	       (id == NULL || key->id == NULL || strcmp(id, key->id) == 0);
}

static enum jwt_fault signature_check(const struct parts *parts, const json_t *header,
				      enum jwt_alg_id alg, const struct jwk_set *keys)
{
	const char *id = json_string_value(json_object_get(header, "kid"));
	uint8_t signature[BASE64_DECODED_MAX(JWT_MAX)];
	size_t len, tries = 0;

	if (!base64url_read(parts->signature, signature, &len))
		return JWT_FAULT_MALFORMED;
	for (size_t i = 0; i < keys->count && tries < JWT_TRIES_MAX; i++) {
		if (!key_fits(&keys->keys[i], alg, id))
			continue;
		if (jwt_signature_is_good(&keys->keys[i], alg, parts->signed_input,
					  slice_of(signature, len)))
			return JWT_FAULT_NONE;
		tries++;
	}
	return tries == 0 ? JWT_FAULT_NO_KEY : JWT_FAULT_SIGNATURE;
}

/* --- claims --- */

/* NumericDate (RFC 7519, 2): seconds, perhaps with a fraction, which is cut off. */
static bool date_read(const json_t *claim, int64_t *out_s)
{
	static const int64_t max = INT64_C(1) << 53;
	double value = json_number_value(claim);

	if (!json_is_number(claim) || !isfinite(value) || value < 0 || value > (double)max)
		return false;
	*out_s = json_is_integer(claim) ? json_integer_value(claim) : (int64_t)value;
	return true;
}

/* Also if it is not there. */
static bool has_come(const json_t *claim, int64_t now_s, int64_t leeway_s)
{
	int64_t at_s;

	return claim == NULL || (date_read(claim, &at_s) && at_s <= now_s + leeway_s);
}

static bool is_date_or_missing(const json_t *claim)
{
	int64_t at_s;

	return claim == NULL || date_read(claim, &at_s);
}

static enum jwt_fault time_check(const json_t *claims, const struct jwt_rules *rules, int64_t now_s,
				 int64_t *out_expires_at)
{
	const json_t *nbf = json_object_get(claims, "nbf"), *iat = json_object_get(claims, "iat");

	if (!date_read(json_object_get(claims, "exp"), out_expires_at) ||
	    !is_date_or_missing(nbf) || !is_date_or_missing(iat))
		return JWT_FAULT_CLAIMS;
	if (now_s >= *out_expires_at + (int64_t)rules->leeway_s)
		return JWT_FAULT_EXPIRED;
	return has_come(nbf, now_s, rules->leeway_s) && has_come(iat, now_s, rules->leeway_s)
		       ? JWT_FAULT_NONE
		       : JWT_FAULT_TOO_EARLY;
}

static bool text_is(const json_t *value, const char *text)
{
	return json_is_string(value) && slice_equals(text_of(value), slice_from_text(text));
}

static bool names_audience(const json_t *claim, const char *audience)
{
	const json_t *one;
	size_t i;

	json_array_foreach(claim, i, one) if (text_is(one, audience)) return true;
	return text_is(claim, audience);
}

/* Whoever does not find itself in an audience must turn the token away (RFC 7519, 4.1.3). */
static enum jwt_fault parties_check(const json_t *claims, const struct jwt_rules *rules)
{
	const json_t *audience = json_object_get(claims, "aud");

	if (rules->issuer != NULL && !text_is(json_object_get(claims, "iss"), rules->issuer))
		return JWT_FAULT_ISSUER;
	if (rules->audience == NULL ? audience != NULL : !names_audience(audience, rules->audience))
		return JWT_FAULT_AUDIENCE;
	return JWT_FAULT_NONE;
}

static enum jwt_fault claims_check(const json_t *claims, const struct jwt_rules *rules,
				   int64_t now_s, int64_t *out_expires_at)
{
	enum jwt_fault fault = time_check(claims, rules, now_s, out_expires_at);

	if (fault == JWT_FAULT_NONE)
		fault = parties_check(claims, rules);
	for (size_t i = 0; i < rules->required_count && fault == JWT_FAULT_NONE; i++)
		if (json_object_get(claims, rules->required[i]) == NULL)
			fault = JWT_FAULT_CLAIMS;
	return fault;
}

/* --- all together --- */

static enum jwt_fault header_and_signature(const struct parts *parts, const struct jwt_rules *rules,
					   const struct jwk_set *keys)
{
	json_t *header = object_read(parts->header);
	enum jwt_fault fault = JWT_FAULT_MALFORMED;
	enum jwt_alg_id alg;

	if (header != NULL)
		fault = header_check(header, rules->algs, &alg);
	if (fault == JWT_FAULT_NONE)
		fault = signature_check(parts, header, alg, keys);
	json_decref(header);
	return fault;
}

enum jwt_fault jwt_read(struct slice token, const struct jwt_rules *rules,
			const struct jwk_set *keys, int64_t now_s, struct jwt *out_jwt)
{
	struct jwt jwt;
	struct parts parts;
	enum jwt_fault fault = parts_cut(token, &parts);

	if (fault == JWT_FAULT_NONE)
		fault = header_and_signature(&parts, rules, keys);
	if (fault != JWT_FAULT_NONE)
		return fault;
	jwt.claims = object_read(parts.payload);
	if (jwt.claims == NULL)
		return JWT_FAULT_MALFORMED;
	fault = claims_check(jwt.claims, rules, now_s, &jwt.expires_at);
	if (fault == JWT_FAULT_NONE)
		*out_jwt = jwt;
	else
		json_decref(jwt.claims);
	return fault;
}
