/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "proto/ws_mask.h"
#include "proto/ws_mask_kernels.h"

#define LONGEST 300

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 131 + i / 256 + 7);
}

static void test_rfc6455_example(void **state)
{
	(void)state;
	uint8_t bytes[] = "\x7f\x9f\x4d\x51\x58";

	ws_mask_apply(bytes, 5, key, 0);
	assert_memory_equal(bytes, "Hello", 5);
}

/* Every kernel against the definition, in exact-size memory, unaligned starts. */
static void kernel_check(const struct ws_mask_kernel *kernel, size_t len, size_t start)
{
	uint8_t *from = malloc(start + len + 1), *to = malloc(start + len + 1);
	uint32_t key_word;

	memcpy(&key_word, key, sizeof(key));
	memset(to, 0xee, start + len + 1);
	for (size_t i = 0; i < len; i++)
		from[start + i] = pattern(i);
	from[start + len] = 0xee;
	kernel->run(to + start, from + start, len, key_word);
	kernel->run(from + start, from + start, len, key_word);
	for (size_t i = 0; i < len; i++) {
		ASSERT_ROW(to[start + i] == (pattern(i) ^ key[i % 4]), kernel->name);
		ASSERT_ROW(from[start + i] == to[start + i], kernel->name);
	}
	ASSERT_ROW(to[start + len] == 0xee && from[start + len] == 0xee, kernel->name);
	ASSERT_ROW(start == 0 || to[start - 1] == 0xee, kernel->name);
	free(from);
	free(to);
}

static void test_every_kernel_masks_every_length_at_every_alignment(void **state)
{
	(void)state;
	size_t run_count = 0;

	for (size_t k = 0; k < ws_mask_kernel_count; k++) {
		if (!ws_mask_kernels[k].is_supported())
			continue;
		run_count++;
		for (size_t len = 0; len <= LONGEST; len++)
			for (size_t start = 0; start < 5; start++)
				kernel_check(&ws_mask_kernels[k], len, start);
	}
	assert_true(run_count > 0);
	assert_true(ws_mask_kernels[ws_mask_kernel_count - 1].is_supported());
}

static void test_every_offset_turns_the_key(void **state)
{
	(void)state;
	for (size_t len = 0; len <= LONGEST; len++)
		for (size_t offset = 0; offset < 9; offset++) {
			uint8_t *from = malloc(len + 1), *to = malloc(len + 1);

			for (size_t i = 0; i < len; i++)
				from[i] = pattern(i);
			ws_mask_copy(to, from, len, key, offset);
			for (size_t i = 0; i < len; i++)
				assert_int_equal(to[i], pattern(i) ^ key[(offset + i) % 4]);
			ws_mask_apply(to, len, key, offset);
			assert_memory_equal(to, from, len);
			free(from);
			free(to);
		}
}

static void test_pieces_give_the_same_as_the_whole(void **state)
{
	(void)state;
	uint8_t whole[100], pieces[100];

	for (size_t cut = 0; cut <= sizeof(whole); cut++) {
		for (size_t i = 0; i < sizeof(whole); i++)
			whole[i] = pieces[i] = pattern(i);
		ws_mask_apply(whole, sizeof(whole), key, 0);
		ws_mask_apply(pieces, cut, key, 0);
		ws_mask_apply(pieces + cut, sizeof(pieces) - cut, key, cut);
		assert_memory_equal(whole, pieces, sizeof(whole));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc6455_example),
		cmocka_unit_test(test_every_kernel_masks_every_length_at_every_alignment),
		cmocka_unit_test(test_every_offset_turns_the_key),
		cmocka_unit_test(test_pieces_give_the_same_as_the_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
