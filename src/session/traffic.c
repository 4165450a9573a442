/* SPDX-License-Identifier: Apache-2.0 */
#include "session/traffic.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"

/* Ticks after which a recent sum is half of what it was. */
#define HALF_TICKS 8

/* What is left of a sum after so many ticks. */
static float left_after(uint32_t ticks)
{
	/* 2^(-i/8) */
	static const float parts[HALF_TICKS] = {1.0F,        0.91700404F, 0.84089642F, 0.77110541F,
						0.70710678F, 0.64841978F, 0.59460356F, 0.54525387F};
	uint32_t halvings = ticks / HALF_TICKS;

	return halvings > 30 ? 0 : parts[ticks % HALF_TICKS] / (float)(1U << halvings);
}

/* Of what was counted by the clock of another process, some may be of a later tick. */
static uint32_t ticks_since(uint32_t then, uint32_t tick)
{
	return tick - then > UINT32_MAX / 2 ? 0 : tick - then;
}

void traffic_settle(struct traffic *traffic, uint32_t tick)
{
	float left = left_after(ticks_since(traffic_u32(&traffic->tick), tick));

	for (int way = 0; way < 2; way++) {
		traffic_float_set(&traffic->recent_messages[way],
				  traffic_float(&traffic->recent_messages[way]) * left);
		traffic_float_set(&traffic->recent_bytes[way],
				  traffic_float(&traffic->recent_bytes[way]) * left);
	}
	__atomic_store_n(&traffic->tick, tick, __ATOMIC_RELAXED);
}

/* [ticks] By what a sum of a steady stream is more than one tick of it: what has passed of this
 * tick, and the whole ones before it, each counting less, as far as the client was there. Not less
 * than one: what has just come is not known to go on. */
static double weight(uint64_t now_ns, uint64_t age_ns)
{
	const double tick_ns = (double)(UINT64_C(1) << TRAFFIC_TICK_BITS);
	const double left = left_after(1);
	double part = (double)(now_ns % (UINT64_C(1) << TRAFFIC_TICK_BITS)) / tick_ns;
	double age = (double)age_ns / tick_ns;
	double sum = age;

	if (age > part) {
		double whole = age - part;
		double lost = whole > UINT16_MAX ? 0 : left_after((uint32_t)whole);

		sum = part + left * (1 - lost) / (1 - left);
	}
	return sum < 1 ? 1 : sum;
}

void traffic_look(const struct traffic *traffic, uint64_t now_ns, uint64_t age_ns,
		  struct traffic_picture *out_picture)
{
	uint32_t tick = (uint32_t)(now_ns >> TRAFFIC_TICK_BITS);
	const double tick_s = (double)(UINT64_C(1) << TRAFFIC_TICK_BITS) / (double)NS_PER_S;
	double left = left_after(ticks_since(traffic_u32(&traffic->tick), tick));
	double per_s = left / (weight(now_ns, age_ns) * tick_s);

	for (int way = 0; way < 2; way++) {
		uint64_t bytes = counter_read(&traffic->bytes[way]);

		out_picture->bytes[way] = bytes & TRAFFIC_BYTES_MAX;
		out_picture->messages[way] = (bytes >> TRAFFIC_BYTES_BITS << 32) |
					     traffic_u32(&traffic->messages[way]);
		out_picture->message_rate[way] = traffic_float(&traffic->recent_messages[way]) *
						 per_s;
		out_picture->byte_rate[way] = traffic_float(&traffic->recent_bytes[way]) * per_s;
	}
	out_picture->queued = traffic_u32(&traffic->queued);
}

/* --- from process to process --- */

/* A tag keeps its meaning for ever. The second of each pair is of what was sent. */
enum {
	TAG_BYTES = 1,
	TAG_MESSAGES = 3,
	TAG_RECENT_BYTES = 5, /* the bits of a float */
	TAG_RECENT_MESSAGES = 7,
	TAG_TICK = 9, /* all processes of a machine have one clock */
};

static uint64_t float_bits(const float *value)
{
	float read = traffic_float(value);
	uint32_t bits;

	memcpy(&bits, &read, sizeof(bits));
	return bits;
}

void traffic_export(const struct traffic *traffic, struct state_writer *writer)
{
	for (uint16_t way = 0; way < 2; way++) {
		state_put_u64(writer, TAG_BYTES + way, counter_read(&traffic->bytes[way]));
		state_put_u64(writer, TAG_MESSAGES + way, traffic_u32(&traffic->messages[way]));
		state_put_u64(writer, TAG_RECENT_BYTES + way,
			      float_bits(&traffic->recent_bytes[way]));
		state_put_u64(writer, TAG_RECENT_MESSAGES + way,
			      float_bits(&traffic->recent_messages[way]));
	}
	state_put_u64(writer, TAG_TICK, traffic_u32(&traffic->tick));
}

static bool float_read(uint64_t bits, float *out)
{
	uint32_t narrow = (uint32_t)bits;
	float value;

	memcpy(&value, &narrow, sizeof(value));
	if (bits > UINT32_MAX || !isfinite(value) || signbit(value))
		return false;
	*out = value;
	return true;
}

static int field_read(struct traffic *traffic, const struct state_field *field)
{
	uint64_t value;

	if (field->tag == 0 || field->tag > TAG_TICK)
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	if (!state_u64(field, &value))
		return -EBADMSG;
	unsigned way = (field->tag - 1) % 2;

	switch (field->tag - way) {
	case TAG_BYTES:
		traffic->bytes[way] = value;
		return 0;
	case TAG_MESSAGES:
		traffic->messages[way] = (uint32_t)value;
		return value > UINT32_MAX ? -EBADMSG : 0;
	case TAG_RECENT_BYTES:
		return float_read(value, &traffic->recent_bytes[way]) ? 0 : -EBADMSG;
	case TAG_RECENT_MESSAGES:
		return float_read(value, &traffic->recent_messages[way]) ? 0 : -EBADMSG;
	default:
		traffic->tick = (uint32_t)value;
		return value > UINT32_MAX ? -EBADMSG : 0;
	}
}

int traffic_import(struct traffic *traffic, struct slice state, uint64_t now_ns)
{
	struct traffic read = {.tick = (uint32_t)(now_ns >> TRAFFIC_TICK_BITS)};
	struct state_reader reader;
	struct state_field field;
	int r = 0;

	state_reader_init(&reader, state);
	while (r == 0 && state_next(&reader, &field))
		r = field_read(&read, &field);
	if (r == 0 && reader.is_bad)
		r = -EBADMSG;
	if (r == 0)
		*traffic = read;
	return r;
}
