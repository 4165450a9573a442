/* SPDX-License-Identifier: Apache-2.0
 * test_siphash.c - the vectors of the authors' reference implementation. */
#include "unit.h"

#include "base/siphash.h"

/* Of the input 00 01 02 ..., so long, under the key 00 01 .. 0f. */
static const struct {
	size_t len;
	uint64_t want;
} vectors[] = {
	{0, UINT64_C(0x726fdb47dd0e0e31)},
	{1, UINT64_C(0x74f839c593dc67fd)},
	{8, UINT64_C(0x93f5f5799a932462)},
	{15, UINT64_C(0xa129ca6149be45e5)},
};

static void test_vectors(void **state)
{
	(void)state;
	const struct siphash_key key = {
		{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		/* Of the exact size, so that a sanitizer sees a read past the end. */
		uint8_t *bytes = malloc(vectors[i].len + (vectors[i].len == 0));

		assert_non_null(bytes);
		for (size_t n = 0; n < vectors[i].len; n++)
			bytes[n] = (uint8_t)n;
		assert_int_equal(siphash(&key, slice_of(bytes, vectors[i].len)), vectors[i].want);
		free(bytes);
	}
}

static void test_the_key_matters(void **state)
{
	(void)state;
	const struct siphash_key keys[] = {{{1, 2}}, {{1, 3}}, {{2, 2}}};
	struct slice text = SLICE_LITERAL("client-1");

	assert_int_not_equal(siphash(&keys[0], text), siphash(&keys[1], text));
	assert_int_not_equal(siphash(&keys[0], text), siphash(&keys[2], text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_the_key_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
