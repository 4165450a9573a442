/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/utf8_kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/check.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool has_high_bit(const uint8_t *data)
{
	uint64_t word;

	memcpy(&word, data, 8);
	return (word & HIGH_BITS) != 0;
}

/* The run of ASCII at the start, in steps of eight bytes unless it is all. */
static size_t run_words(const uint8_t *data, size_t len)
{
	size_t at = 0;

	for (; len - at >= 8; at += 8)
		if (has_high_bit(data + at))
			return at;
	/* The last word overlaps the one before. */
	if (len >= 8)
		return has_high_bit(data + len - 8) ? at : len;
	while (at < len && data[at] < 0x80)
		at++;
	return at;
}

static bool is_always_supported(void)
{
	return true;
}

#if defined(__x86_64__)

static size_t run_sse2(const uint8_t *data, size_t len)
{
	size_t at = 0;

	for (; len - at >= 16; at += 16) {
		__m128i block = _mm_loadu_si128((const __m128i *)(const void *)(data + at));

		if (_mm_movemask_epi8(block) != 0)
			return at;
	}
	return at + run_words(data + at, len - at);
}

/* The AVX2 kernel checks characters of all lengths: J. Keiser, D. Lemire,
 * "Validating UTF-8 In Less Than One Instruction Per Byte" (2021). Each pair of
 * neighbouring bytes is looked up by three half bytes; every error that a pair can
 * show is a bit that is set in all three tables. */
enum {
	TOO_SHORT = 1 << 0,  /* a lead byte, then no continuation */
	TOO_LONG = 1 << 1,   /* ASCII, then a continuation */
	OVERLONG_3 = 1 << 2, /* e0 80..9f */
	TOO_LARGE = 1 << 3,  /* f4 90..bf, f5..ff 90..bf */
	SURROGATE = 1 << 4,  /* ed a0..bf */
	OVERLONG_2 = 1 << 5, /* c0..c1 */
	OVERLONG_4 = 1 << 6, /* f0 80..8f; and f5..ff 80..8f, too large */
	TWO_CONTS = 1 << 7,  /* two continuations: good only if a longer character */
	ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTS,
	LARGE_LOW = ANY_LOW | TOO_LARGE | OVERLONG_4,
	CONT_HIGH = TOO_LONG | OVERLONG_2 | TWO_CONTS,
};

#define TABLE(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))
#define BITS(b)    ((char)(b))

/* `first` ends one byte before `second` does: each byte's predecessor. */
__attribute__((target("avx2"))) static inline __m256i pair_errors(__m256i first, __m256i second)
{
	const __m256i first_high = TABLE(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
					 TOO_LONG, TOO_LONG, BITS(TWO_CONTS), BITS(TWO_CONTS),
					 BITS(TWO_CONTS), BITS(TWO_CONTS), TOO_SHORT | OVERLONG_2,
					 TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
					 TOO_SHORT | TOO_LARGE | OVERLONG_4);
	const __m256i first_low = TABLE(
		BITS(ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4), BITS(ANY_LOW | OVERLONG_2),
		BITS(ANY_LOW), BITS(ANY_LOW), BITS(ANY_LOW | TOO_LARGE), BITS(LARGE_LOW),
		BITS(LARGE_LOW), BITS(LARGE_LOW), BITS(LARGE_LOW), BITS(LARGE_LOW), BITS(LARGE_LOW),
		BITS(LARGE_LOW), BITS(LARGE_LOW), BITS(LARGE_LOW | SURROGATE), BITS(LARGE_LOW),
		BITS(LARGE_LOW));
	const __m256i second_high = TABLE(
		TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
		TOO_SHORT, BITS(CONT_HIGH | OVERLONG_3 | OVERLONG_4),
		BITS(CONT_HIGH | OVERLONG_3 | TOO_LARGE), BITS(CONT_HIGH | SURROGATE | TOO_LARGE),
		BITS(CONT_HIGH | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT, TOO_SHORT,
		TOO_SHORT);
	const __m256i half = _mm256_set1_epi8(0x0f);

	return _mm256_and_si256(
		_mm256_and_si256(
			_mm256_shuffle_epi8(first_high,
					    _mm256_and_si256(_mm256_srli_epi16(first, 4), half)),
			_mm256_shuffle_epi8(first_low, _mm256_and_si256(first, half))),
		_mm256_shuffle_epi8(second_high,
				    _mm256_and_si256(_mm256_srli_epi16(second, 4), half)));
}

/* Any bit set: an error in `block`, which follows `before`. */
__attribute__((target("avx2"))) static inline __m256i block_errors(__m256i before, __m256i block)
{
	const __m256i across = _mm256_permute2x128_si256(before, block, 0x21);
	const __m256i back1 = _mm256_alignr_epi8(block, across, 15);
	const __m256i back2 = _mm256_alignr_epi8(block, across, 14);
	const __m256i back3 = _mm256_alignr_epi8(block, across, 13);
	/* The high bit is set where a third or fourth byte must be: exactly there
	 * two continuations in a row are good. */
	const __m256i third = _mm256_subs_epu8(back2, _mm256_set1_epi8(0xe0 - 0x80));
	const __m256i fourth = _mm256_subs_epu8(back3, _mm256_set1_epi8(0xf0 - 0x80));
	const __m256i inside = _mm256_and_si256(_mm256_or_si256(third, fourth),
						_mm256_set1_epi8(BITS(0x80)));

	return _mm256_xor_si256(inside, pair_errors(back1, block));
}

/* [bytes] of a character that the end of data[0..len) cuts. */
static size_t cut_len(const uint8_t *data, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		uint8_t byte = data[len - back];

		if (byte >= 0xc0)
			return back < (byte >= 0xf0 ? 4u : byte >= 0xe0 ? 3u : 2u) ? back : 0;
		if (byte < 0x80)
			return 0;
	}
	return 0;
}

__attribute__((target("avx2"))) static size_t run_avx2(const uint8_t *data, size_t len)
{
	__m256i before = _mm256_setzero_si256();
	bool is_ascii = true; /* `before` is, so nothing is cut at its end */
	size_t at = 0;

	for (; len - at >= 32; at += 32) {
		__m256i block = _mm256_loadu_si256((const __m256i *)(const void *)(data + at));
		bool was_ascii = is_ascii;

		is_ascii = _mm256_movemask_epi8(block) == 0;
		if (!is_ascii || !was_ascii) {
			__m256i errors = block_errors(before, block);

			if (!_mm256_testz_si256(errors, errors))
				return at - cut_len(data, at);
		}
		before = block;
	}
	size_t cut = cut_len(data, at);

	return cut > 0 ? at - cut : at + run_words(data + at, len - at);
}

static bool is_avx2_supported(void)
{
	return __builtin_cpu_supports("avx2");
}

#endif

const struct utf8_kernel utf8_kernels[] = {
#if defined(__x86_64__)
	{"avx2", run_avx2, is_avx2_supported},
	{"sse2", run_sse2, is_always_supported},
#endif
	{"words", run_words, is_always_supported},
};
const size_t utf8_kernel_count = ARRAY_LEN(utf8_kernels);
