/* SPDX-License-Identifier: Apache-2.0
 * test_proxy_tls.c - the TLVs about TLS of a PROXY header. */
#include "base/bytes.h"
#include "proto/proxy_tls.h"
#include "unit.h"

#define BYTES(text) SLICE_LITERAL(text)
#define VERIFIED    "\0\0\0\0"
#define REFUSED     "\0\0\0\x0a"

struct row {
	const char *name;
	struct slice tlvs;
	const char *problem; /* NULL: none */
	bool is_tls, has_certificate, is_verified;
	const char *version, *common_name, *certificate, *server_name; /* NULL: not said */
};

static const struct row rows[] = {
	{"nothing", {NULL, 0}, NULL},
	{"only others", BYTES("\x01\0\x02h2\x05\0\1x"), NULL},
	{"plain", BYTES("\x20\0\5\0" REFUSED), NULL},
	{"TLS without a certificate", BYTES("\x20\0\x0f\1" REFUSED "\x21\0\7TLSv1.3"), NULL, true,
	 false, false, "TLSv1.3"},
	{"with one",
	 BYTES("\x20\0\x0d\3" VERIFIED "\x22\0\5"
	       "CP-01"),
	 NULL, true, true, true, NULL, "CP-01"},
	{"with one of its session",
	 BYTES("\x20\0\x0d\5" VERIFIED "\x22\0\5"
	       "CP-01"),
	 NULL, true, true, true, NULL, "CP-01"},
	{"with one that is not good",
	 BYTES("\x20\0\x0d\3" REFUSED "\x22\0\5"
	       "CP-01"),
	 NULL, true, true, false, NULL, "CP-01"},
	{"a certificate, but no TLS",
	 BYTES("\x20\0\x0d\2" VERIFIED "\x22\0\5"
	       "CP-01"),
	 NULL, false, false, false, NULL, "CP-01"},
	{"a name, but no certificate",
	 BYTES("\x20\0\x0d\1" VERIFIED "\x22\0\5"
	       "CP-01"),
	 NULL, true, false, false, NULL, "CP-01"},
	{"with all of it and SNI", BYTES("\x02\0\3a.b\x20\0\x0a\3" VERIFIED "\x28\0\2\x30\0"), NULL,
	 true, true, true, NULL, NULL, "\x30", "a.b"},
	{"a sub-TLV that nobody knows", BYTES("\x20\0\x09\1" REFUSED "\x7f\0\1x"), NULL, true},
	{"too short", BYTES("\x20\0\4\1\0\0\0"), "less than 5"},
	{"a sub-TLV that is too long",
	 BYTES("\x20\0\x09\3" VERIFIED "\x22\0\2"
	       "C"),
	 "do not fit"},
	{"half a sub-TLV", BYTES("\x20\0\7\3" VERIFIED "\x22\0"), "do not fit"},
	{"two names",
	 BYTES("\x20\0\x0d\3" VERIFIED "\x22\0\1"
	       "A"
	       "\x22\0\1"
	       "B"),
	 "twice"},
	{"an empty name, then another",
	 BYTES("\x20\0\x0c\3" VERIFIED "\x22\0\0"
	       "\x22\0\1"
	       "B"),
	 "twice"},
	{"twice", BYTES("\x20\0\5\1" VERIFIED "\x20\0\5\1" VERIFIED), "two TLVs"},
	{"two authorities",
	 BYTES("\x02\0\1"
	       "a"
	       "\x02\0\1"
	       "b"),
	 "two authorities"},
};

static void text_check(const char *name, struct slice got, const char *want)
{
	struct slice expected = want == NULL ? (struct slice){0} : slice_from_text(want);

	ASSERT_ROW((got.data == NULL) == (want == NULL), name);
	ASSERT_ROW(got.len >= expected.len && memcmp(got.data == NULL ? (const void *)"" : got.data,
						     want == NULL ? "" : want, expected.len) == 0,
		   name);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		uint8_t *copy = malloc(row->tlvs.len + 1);
		struct proxy_tls tls;

		if (row->tlvs.len > 0)
			memcpy(copy, row->tlvs.data, row->tlvs.len);
		memset(&tls, 0xaa, sizeof(tls));
		const struct proxy_tls before = tls;
		const char *problem = proxy_tls_read(slice_of(copy, row->tlvs.len), &tls);

		ASSERT_ROW((problem == NULL) == (row->problem == NULL), row->name);
		if (problem != NULL) {
			ASSERT_ROW(strstr(problem, row->problem) != NULL, row->name);
			assert_memory_equal(&tls, &before, sizeof(tls));
		} else {
			ASSERT_ROW(tls.is_tls == row->is_tls, row->name);
			ASSERT_ROW(tls.has_certificate == row->has_certificate, row->name);
			ASSERT_ROW(tls.is_verified == row->is_verified, row->name);
			text_check(row->name, tls.version, row->version);
			text_check(row->name, tls.common_name, row->common_name);
			text_check(row->name, tls.certificate, row->certificate);
			text_check(row->name, tls.server_name, row->server_name);
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
