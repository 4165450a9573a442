/* SPDX-License-Identifier: Apache-2.0
 * tls_speed.c - what a TLS record costs, and a connection's keys. Prints; judges nothing. */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "tls/tls_records.h"

#define BYTES_EACH (UINT64_C(1) << 28)
#define ROUNDS_MAX 1000000

static const struct {
	const char *name;
	uint16_t id;
} suites[] = {
	{"1.3 AES-128-GCM", 0x1301},
	{"1.3 AES-256-GCM", 0x1302},
	{"1.3 ChaCha20-Poly1305", 0x1303},
	{"1.2 AES-128-GCM", 0xc02b},
};

static uint8_t plain[TLS_RECORD_TEXT], text[TLS_OPEN_ROOM], secrets[3 * 48];
static uint8_t wire[2 * TLS_RECORD_MAX];

static struct tls_records *end_create(struct tls_crypt *crypt, uint16_t id, bool is_server)
{
	return tls_records_create(crypt, &(struct tls_agreed){
						 .suite = tls_suite_find(id),
						 .is_server = is_server,
						 .client_secret = secrets,
						 .server_secret = secrets + 48,
						 .master = secrets,
						 .client_random = secrets + 48,
						 .server_random = secrets + 96,
					 });
}

static double each_ns(uint64_t since_ns, uint64_t rounds)
{
	return (double)(clock_now_ns() - since_ns) / (double)rounds;
}

/* Each record alone, as a turn of the loop makes it: with the key set anew. */
static void records_measure(struct tls_crypt *crypt, size_t row, size_t len)
{
	struct tls_records *from = end_create(crypt, suites[row].id, false);
	struct tls_records *to = end_create(crypt, suites[row].id, true);
	uint64_t rounds = MIN(BYTES_EACH / len, (uint64_t)ROUNDS_MAX), sealing_ns = 0,
		 opening_ns = 0;

	CHECK(from != NULL && to != NULL);
	for (uint64_t i = 0; i < rounds; i++) {
		struct tls_opened opened;
		size_t sealed_len;
		uint64_t start_ns = clock_now_ns();

		CHECK(tls_seal(from, crypt, slice_of(plain, len), wire, &sealed_len) == 0);
		uint64_t middle_ns = clock_now_ns();

		CHECK(tls_open(to, crypt, slice_of(wire, sealed_len), text, sizeof(text),
			       &opened) == TLS_OPENED);
		CHECK(opened.len == len);
		sealing_ns += middle_ns - start_ns;
		opening_ns += clock_now_ns() - middle_ns;
	}
	printf("%-22s %6zu bytes  seal %8.1f ns  open %8.1f ns\n", suites[row].name, len,
	       (double)sealing_ns / (double)rounds, (double)opening_ns / (double)rounds);
	tls_records_destroy(&from);
	tls_records_destroy(&to);
}

static void keys_measure(struct tls_crypt *crypt, size_t row)
{
	uint64_t rounds = 20000, start_ns = clock_now_ns();

	for (uint64_t i = 0; i < rounds; i++) {
		struct tls_records *records = end_create(crypt, suites[row].id, true);

		CHECK(records != NULL);
		tls_records_destroy(&records);
	}
	printf("%-22s %6zu bytes of keys, made in %.0f ns\n", suites[row].name,
	       tls_records_size(tls_suite_find(suites[row].id)), each_ns(start_ns, rounds));
}

int main(void)
{
	static const size_t lens[] = {64, 1024, TLS_RECORD_TEXT};
	struct tls_crypt *crypt = tls_crypt_create();
	uint64_t start_ns = clock_now_ns();

	CHECK(crypt != NULL);
	for (int i = 0; i < ROUNDS_MAX; i++)
		clock_now_ns();
	printf("(the clock itself, in each figure: %.1f ns)\n", each_ns(start_ns, ROUNDS_MAX));
	for (size_t row = 0; row < ARRAY_LEN(suites); row++) {
		keys_measure(crypt, row);
		for (size_t i = 0; i < ARRAY_LEN(lens); i++)
			records_measure(crypt, row, lens[i]);
	}
	tls_crypt_destroy(&crypt);
	return 0;
}
