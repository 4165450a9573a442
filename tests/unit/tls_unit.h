/* SPDX-License-Identifier: Apache-2.0
 * tls_unit.h - bytes written as hexadecimal text, and a pair of ends that share their keys. */
#pragma once

#include "tls/tls_records.h"
#include "unit.h"

struct bytes {
	uint8_t data[512];
	size_t len;
};

static inline struct bytes bytes_of_hex(const char *hex)
{
	struct bytes bytes = {.len = 0};
	unsigned value;

	for (; *hex != 0; hex += 2, bytes.len++) {
		while (*hex == ' ')
			hex++;
		assert_int_equal(sscanf(hex, "%2x", &value), 1);
		bytes.data[bytes.len] = (uint8_t)value;
	}
	return bytes;
}

/* Two ends with the same secrets, made of `seed`. */
struct pair {
	struct tls_crypt *crypt;
	struct tls_records *server;
	struct tls_records *client;
};

static inline struct tls_agreed pair_agreed(const struct tls_suite *suite,
					    const uint8_t secrets[3 * 48])
{
	return (struct tls_agreed){
		.suite = suite,
		.client_secret = secrets,
		.server_secret = secrets + 48,
		.master = secrets,
		.client_random = secrets + 48,
		.server_random = secrets + 96,
		.explicit_nonce = UINT64_MAX - 2, /* it turns over */
		.sealed_count = suite->is_tls13 ? 0 : 1,
		.opened_count = suite->is_tls13 ? 0 : 1,
	};
}

static inline void pair_init(struct pair *pair, const struct tls_suite *suite)
{
	uint8_t secrets[3 * 48];

	for (size_t i = 0; i < sizeof(secrets); i++)
		secrets[i] = (uint8_t)(i * 7 + suite->id);
	struct tls_agreed agreed = pair_agreed(suite, secrets);

	pair->crypt = tls_crypt_create();
	assert_non_null(pair->crypt);
	pair->client = tls_records_create(pair->crypt, &agreed);
	agreed.is_server = true;
	pair->server = tls_records_create(pair->crypt, &agreed);
	assert_non_null(pair->client);
	assert_non_null(pair->server);
}

static inline void pair_finish(struct pair *pair)
{
	tls_records_destroy(&pair->client);
	tls_records_destroy(&pair->server);
	tls_crypt_destroy(&pair->crypt);
}
