/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_suite.h"

#include "base/check.h"

#define SHA256_LEN 32
#define SHA384_LEN 48

#define TLS13(aead, key_len, hash_len)     aead, key_len, hash_len, true, false
#define TLS12_GCM(aead, key_len, hash_len) aead, key_len, hash_len, false, true
#define TLS12_CHACHA                       TLS_CHACHA20_POLY1305, 32, SHA256_LEN, false, false

/* RFC 8446, B.4; RFC 5288; RFC 5289; RFC 7905. */
static const struct tls_suite suites[] = {
	{0x1301, "TLS_AES_128_GCM_SHA256", TLS13(TLS_AES_128_GCM, 16, SHA256_LEN)},
	{0x1302, "TLS_AES_256_GCM_SHA384", TLS13(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0x1303, "TLS_CHACHA20_POLY1305_SHA256", TLS13(TLS_CHACHA20_POLY1305, 32, SHA256_LEN)},
	{0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", TLS12_GCM(TLS_AES_128_GCM, 16, SHA256_LEN)},
	{0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", TLS12_GCM(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", TLS12_GCM(TLS_AES_128_GCM, 16, SHA256_LEN)},
	{0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", TLS12_GCM(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	 TLS12_GCM(TLS_AES_128_GCM, 16, SHA256_LEN)},
	{0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	 TLS12_GCM(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	 TLS12_GCM(TLS_AES_128_GCM, 16, SHA256_LEN)},
	{0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	 TLS12_GCM(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", TLS12_CHACHA},
	{0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", TLS12_CHACHA},
	{0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", TLS12_CHACHA},
};

_Static_assert(ARRAY_LEN(suites) == TLS_SUITE_COUNT, "a counter for each");

size_t tls_suite_place(uint16_t id)
{
	size_t place = 0;

	while (place < TLS_SUITE_COUNT && suites[place].id != id)
		place++;
	return place;
}

const char *tls_suite_label(size_t place)
{
	CHECK(place < TLS_SUITE_PLACES);
	return place == TLS_SUITE_COUNT ? "other" : suites[place].name;
}

const struct tls_suite *tls_suite_find(uint16_t id)
{
	size_t place = tls_suite_place(id);

	return place == TLS_SUITE_COUNT ? NULL : &suites[place];
}
