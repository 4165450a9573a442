/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_suite.h"

#include <stddef.h>

#include "base/check.h"

#define SHA256_LEN 32
#define SHA384_LEN 48

#define TLS13(aead, key_len, hash_len)     aead, key_len, hash_len, true, false
#define TLS12_GCM(aead, key_len, hash_len) aead, key_len, hash_len, false, true
#define TLS12_CHACHA                       TLS_CHACHA20_POLY1305, 32, SHA256_LEN, false, false

/* RFC 8446, B.4; RFC 5288; RFC 5289; RFC 7905. */
static const struct tls_suite suites[] = {
	{0x1301, TLS13(TLS_AES_128_GCM, 16, SHA256_LEN)},
	{0x1302, TLS13(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0x1303, TLS13(TLS_CHACHA20_POLY1305, 32, SHA256_LEN)},
	{0x009c, TLS12_GCM(TLS_AES_128_GCM, 16, SHA256_LEN)}, /* RSA */
	{0x009d, TLS12_GCM(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0x009e, TLS12_GCM(TLS_AES_128_GCM, 16, SHA256_LEN)}, /* DHE-RSA */
	{0x009f, TLS12_GCM(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0xc02b, TLS12_GCM(TLS_AES_128_GCM, 16, SHA256_LEN)}, /* ECDHE-ECDSA */
	{0xc02c, TLS12_GCM(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0xc02f, TLS12_GCM(TLS_AES_128_GCM, 16, SHA256_LEN)}, /* ECDHE-RSA */
	{0xc030, TLS12_GCM(TLS_AES_256_GCM, 32, SHA384_LEN)},
	{0xcca8, TLS12_CHACHA}, /* ECDHE-RSA */
	{0xcca9, TLS12_CHACHA}, /* ECDHE-ECDSA */
	{0xccaa, TLS12_CHACHA}, /* DHE-RSA */
};

const struct tls_suite *tls_suite_find(uint16_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(suites); i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}
