/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void rounds(struct state *state, unsigned count)
{
	for (; count > 0; count--) {
		state->v0 += state->v1;
		state->v2 += state->v3;
		state->v1 = rotate(state->v1, 13) ^ state->v0;
		state->v3 = rotate(state->v3, 16) ^ state->v2;
		state->v0 = rotate(state->v0, 32);
		state->v2 += state->v1;
		state->v0 += state->v3;
		state->v1 = rotate(state->v1, 17) ^ state->v2;
		state->v3 = rotate(state->v3, 21) ^ state->v0;
		state->v2 = rotate(state->v2, 32);
	}
}

static void absorb(struct state *state, uint64_t word)
{
	state->v3 ^= word;
	rounds(state, 2);
	state->v0 ^= word;
}

/* Little-endian; at most 8 bytes. */
static uint64_t word_read(const uint8_t *from, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)from[i] << (8 * i);
	return word;
}

uint64_t siphash(const struct siphash_key *key, struct slice bytes)
{
	struct state state = {
		.v0 = key->halves[0] ^ UINT64_C(0x736f6d6570736575),
		.v1 = key->halves[1] ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key->halves[0] ^ UINT64_C(0x6c7967656e657261),
		.v3 = key->halves[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *from = bytes.data;
	size_t left = bytes.len;

	for (; left >= 8; from += 8, left -= 8)
		absorb(&state, word_read(from, 8));
	absorb(&state, (uint64_t)bytes.len << 56 | word_read(from, left));
	state.v2 ^= 0xff;
	rounds(&state, 4);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
