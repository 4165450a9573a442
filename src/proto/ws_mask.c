/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ws_mask.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/check.h"
#include "proto/ws_mask_kernels.h"

static void mask_words(uint8_t *to, const uint8_t *from, size_t len, uint32_t key)
{
	const uint64_t wide_key = (uint64_t)key << 32 | key;
	size_t at = 0;

	for (; len - at >= 8; at += 8) {
		uint64_t word;

		memcpy(&word, from + at, 8);
		word ^= wide_key;
		memcpy(to + at, &word, 8);
	}
	if (len - at >= 4) {
		uint32_t half;

		memcpy(&half, from + at, 4);
		half ^= key;
		memcpy(to + at, &half, 4);
		at += 4;
	}
	uint8_t key_bytes[4];

	memcpy(key_bytes, &key, 4);
	for (size_t i = 0; at < len; i++, at++)
		to[at] = from[at] ^ key_bytes[i];
}

static bool is_always_supported(void)
{
	return true;
}

#if defined(__x86_64__)

static void mask_sse2(uint8_t *to, const uint8_t *from, size_t len, uint32_t key)
{
	const __m128i wide_key = _mm_set1_epi32((int)key);
	size_t at = 0;

	for (; len - at >= 16; at += 16) {
		__m128i block = _mm_loadu_si128((const __m128i *)(const void *)(from + at));

		_mm_storeu_si128((__m128i *)(void *)(to + at), _mm_xor_si128(block, wide_key));
	}
	mask_words(to + at, from + at, len - at, key);
}

__attribute__((target("avx2"))) static void mask_avx2(uint8_t *to, const uint8_t *from, size_t len,
						      uint32_t key)
{
	const __m256i wide_key = _mm256_set1_epi32((int)key);
	size_t at = 0;

	for (; len - at >= 32; at += 32) {
		__m256i block = _mm256_loadu_si256((const __m256i *)(const void *)(from + at));

		_mm256_storeu_si256((__m256i *)(void *)(to + at),
				    _mm256_xor_si256(block, wide_key));
	}
	mask_words(to + at, from + at, len - at, key);
}

static bool is_avx2_supported(void)
{
	return __builtin_cpu_supports("avx2");
}

#endif

const struct ws_mask_kernel ws_mask_kernels[] = {
#if defined(__x86_64__)
	{"avx2", mask_avx2, is_avx2_supported},
	{"sse2", mask_sse2, is_always_supported},
#endif
	{"words", mask_words, is_always_supported},
};
const size_t ws_mask_kernel_count = ARRAY_LEN(ws_mask_kernels);

static ws_mask_kernel_fn choose_and_run;
static _Atomic(ws_mask_kernel_fn *) chosen = choose_and_run;

/* Threads that come here at the same time all find the same kernel. */
static void choose_and_run(uint8_t *to, const uint8_t *from, size_t len, uint32_t key)
{
	size_t i = 0;

	while (!ws_mask_kernels[i].is_supported())
		i++;
	atomic_store_explicit(&chosen, ws_mask_kernels[i].run, memory_order_relaxed);
	ws_mask_kernels[i].run(to, from, len, key);
}

void ws_mask_copy(uint8_t *to, const uint8_t *from, size_t len, const uint8_t key[4], size_t offset)
{
	uint8_t twice[8];
	uint32_t rotated;

	memcpy(twice, key, 4);
	memcpy(twice + 4, key, 4);
	memcpy(&rotated, twice + offset % 4, 4);
	atomic_load_explicit(&chosen, memory_order_relaxed)(to, from, len, rotated);
}

void ws_mask_apply(uint8_t *data, size_t len, const uint8_t key[4], size_t offset)
{
	ws_mask_copy(data, data, len, key, offset);
}
