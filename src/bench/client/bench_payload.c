/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_payload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "proto/ws_mask.h"

#define NOISE_WINDOWS 4096
#define WORD_LEN      8 /* [bytes] of 48 bits as text */
#define FIRST_CHAR    0x30

/* Stafford's mix 13, the finisher of splitmix64: every bit of the input moves half
 * of the bits of the output. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

static uint64_t check_value(uint64_t number, uint64_t sequence, uint64_t sent_ns)
{
	return mix(mix(number + UINT64_C(0x9e3779b97f4a7c15) * (sequence + 1)) ^ sent_ns);
}

/* 48 bits as eight characters of '0'..'o', six bits each. */
static void word_write(uint8_t out[WORD_LEN], uint64_t value)
{
	for (int i = 0; i < WORD_LEN; i++)
		out[i] = (uint8_t)(FIRST_CHAR + (value >> (6 * i) & 63));
}

/* A byte outside the alphabet gives a wrong value: the check value tells. */
static uint64_t word_read(const uint8_t in[WORD_LEN])
{
	uint64_t value = 0;

	for (int i = 0; i < WORD_LEN; i++)
		value |= (uint64_t)((uint8_t)(in[i] - FIRST_CHAR) & 63) << (6 * i);
	return value;
}

static void noise_fill(uint8_t *out, size_t len, bool is_binary)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t value = mix(i + 1);

		out[i] = (uint8_t)(is_binary ? value : FIRST_CHAR + (value & 63));
	}
}

/* Readings of meters: names and forms that repeat, and numbers that do not. */
static void json_fill(uint8_t *out, size_t len)
{
	for (size_t at = 0, number = 0; at < len; number++) {
		uint64_t value = mix(number + 1);
		char text[256];
		int n = snprintf(
			text, sizeof(text),
			"{\"id\":\"%08x\",\"timestamp\":\"2026-11-30T%02u:%02u:%02uZ\","
			"\"meter\":%u,\"context\":\"Sample.Periodic\",\"value\":%u.%u,"
			"\"measurand\":\"Energy.Active.Import.Register\",\"unit\":\"Wh\"},",
			(unsigned)(value >> 32), (unsigned)(value % 24),
			(unsigned)(value >> 8) % 60, (unsigned)(value >> 16) % 60,
			(unsigned)(value >> 24) % 8, (unsigned)(value >> 20) % 100000,
			(unsigned)(value >> 40) % 10);
		size_t part = MIN((size_t)n, len - at);

		memcpy(out + at, text, part);
		at += part;
	}
}

int bench_payload_init(struct bench_payload *payload, size_t size, enum bench_filling filling)
{
	uint8_t *noise = malloc(size + NOISE_WINDOWS);

	if (noise == NULL)
		return -ENOMEM;
	if (filling == BENCH_FILL_JSON)
		json_fill(noise, size + NOISE_WINDOWS);
	else
		noise_fill(noise, size + NOISE_WINDOWS, filling == BENCH_FILL_BINARY);
	*payload = (struct bench_payload){noise, size};
	return 0;
}

void bench_payload_finish(struct bench_payload *payload)
{
	free(payload->noise);
	payload->noise = NULL;
}

static const uint8_t *noise_window(const struct bench_payload *payload, uint64_t check)
{
	return payload->noise + (check >> 48) % NOISE_WINDOWS;
}

static void stamp_write(uint8_t stamp[BENCH_STAMP_LEN], uint64_t sent_ns, uint64_t check)
{
	word_write(stamp, sent_ns);
	word_write(stamp + WORD_LEN, check);
}

/* What a message too small for a stamp begins with: two words of check value. */
static void small_write(uint8_t out[BENCH_STAMP_LEN], uint64_t number, uint64_t sequence)
{
	uint64_t check = check_value(number, sequence, 0);

	stamp_write(out, check, mix(check));
}

void bench_payload_write(const struct bench_payload *payload, const struct bench_message *message,
			 const uint8_t key[4], uint8_t *out)
{
	uint8_t stamp[BENCH_STAMP_LEN];
	uint64_t sent_ns = message->sent_ns & BENCH_STAMP_MASK;

	if (!bench_payload_has_stamp(payload)) {
		small_write(stamp, message->number, message->sequence);
		ws_mask_copy(out, stamp, payload->size, key, 0);
		return;
	}
	uint64_t check = check_value(message->number, message->sequence, sent_ns);

	stamp_write(stamp, sent_ns, check);
	ws_mask_copy(out, stamp, sizeof(stamp), key, 0);
	ws_mask_copy(out + sizeof(stamp), noise_window(payload, check),
		     payload->size - sizeof(stamp), key, sizeof(stamp));
}

const char *bench_payload_check(const struct bench_payload *payload, uint64_t number,
				uint64_t sequence, struct slice echo, uint64_t *out_sent_ns)
{
	uint8_t stamp[BENCH_STAMP_LEN];

	if (echo.len != payload->size)
		return echo.len < payload->size ? "shorter than the message"
						: "longer than the message";
	if (!bench_payload_has_stamp(payload)) {
		small_write(stamp, number, sequence);
		return echo.len == 0 || memcmp(stamp, echo.data, echo.len) == 0
			       ? NULL
			       : "other content than the message";
	}
	uint64_t sent_ns = word_read(echo.data);
	uint64_t check = check_value(number, sequence, sent_ns);

	stamp_write(stamp, sent_ns, check);
	if (memcmp(stamp, echo.data, sizeof(stamp)) != 0)
		return "another message, or changed in its first 16 bytes";
	if (memcmp(noise_window(payload, check), echo.data + sizeof(stamp),
		   echo.len - sizeof(stamp)) != 0)
		return "other content behind the first 16 bytes";
	*out_sent_ns = sent_ns;
	return NULL;
}
