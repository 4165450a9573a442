/* SPDX-License-Identifier: Apache-2.0 */
#include "session/traffic.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/slab.h"

/* Ticks after which a recent sum is half of what it was. */
#define HALF_TICKS 8

/* Of recent sums: less of both is nothing of note; that much is there for half a minute after one
 * message, and never of pings. */
#define MESSAGES_OF_NOTE 0.0625F
#define BYTES_OF_NOTE    64.0F

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

void traffic_settle(struct traffic_rates *rates, uint32_t tick)
{
	float left = left_after(ticks_since(traffic_u32(&rates->tick), tick));

	for (int way = 0; way < 2; way++) {
		traffic_float_set(&rates->messages[way],
				  traffic_float(&rates->messages[way]) * left);
		traffic_float_set(&rates->bytes[way], traffic_float(&rates->bytes[way]) * left);
	}
	__atomic_store_n(&rates->tick, tick, __ATOMIC_RELAXED);
}

/* --- rates come and go --- */

static struct slab memory;

static void memory_init(void)
{
	slab_init(&memory);
}

/* Held by whoever looks at the rates of a client from another thread, and for their coming and
 * going. One of these is for many clients. */
#define LOCKS 64

static pthread_mutex_t locks[LOCKS] = {[0 ... LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t *lock_of(const struct traffic *traffic)
{
	return &locks[((uintptr_t)traffic >> 7) % LOCKS];
}

static void put(struct traffic *traffic, struct traffic_rates *rates)
{
	pthread_mutex_lock(lock_of(traffic));
	struct traffic_rates *before = traffic->rates;

	traffic->rates = rates;
	pthread_mutex_unlock(lock_of(traffic));
	slab_put(&memory, before, sizeof(*before));
}

static void wake(struct traffic *traffic, const struct traffic_rates *with)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, memory_init);
	struct traffic_rates *rates = slab_get(&memory, sizeof(*rates));

	CHECK(traffic->rates == NULL);
	if (rates == NULL)
		return;
	*rates = *with;
	put(traffic, rates);
}

void traffic_wake(struct traffic *traffic, uint64_t now_ns)
{
	wake(traffic, &(struct traffic_rates){.tick = traffic_tick(now_ns)});
}

void traffic_finish(struct traffic *traffic)
{
	if (traffic->rates != NULL)
		put(traffic, NULL);
}

static bool has_something_of_note(const struct traffic_rates *rates)
{
	for (int way = 0; way < 2; way++)
		if (traffic_float(&rates->messages[way]) >= MESSAGES_OF_NOTE ||
		    traffic_float(&rates->bytes[way]) >= BYTES_OF_NOTE)
			return true;
	return false;
}

static void rest(struct traffic *traffic)
{
	if (traffic_queued(traffic) == 0 && !has_something_of_note(traffic->rates))
		put(traffic, NULL);
}

void traffic_rest(struct traffic *traffic, uint64_t now_ns)
{
	if (traffic_begin(traffic, now_ns) != NULL)
		rest(traffic);
}

void traffic_set_queued(struct traffic *traffic, size_t bytes, uint64_t now_ns)
{
	if (traffic->rates == NULL && bytes > 0)
		traffic_wake(traffic, now_ns);
	if (traffic->rates == NULL)
		return;
	__atomic_store_n(&traffic->rates->queued, bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes,
			 __ATOMIC_RELAXED);
	if (bytes == 0) /* perhaps it was a ping */
		rest(traffic);
}

static struct traffic_rates rates_of(const struct traffic *traffic)
{
	struct traffic_rates copy = {0};

	pthread_mutex_lock(lock_of(traffic));
	const struct traffic_rates *rates = traffic->rates;

	for (int way = 0; way < 2 && rates != NULL; way++) {
		copy.messages[way] = traffic_float(&rates->messages[way]);
		copy.bytes[way] = traffic_float(&rates->bytes[way]);
	}
	if (rates != NULL) {
		copy.tick = traffic_u32(&rates->tick);
		copy.queued = traffic_u32(&rates->queued);
	}
	pthread_mutex_unlock(lock_of(traffic));
	return copy;
}

/* --- a picture --- */

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
	const double tick_s = (double)(UINT64_C(1) << TRAFFIC_TICK_BITS) / (double)NS_PER_S;
	struct traffic_rates rates = rates_of(traffic);
	double left = left_after(ticks_since(rates.tick, traffic_tick(now_ns)));
	double per_s = left / (weight(now_ns, age_ns) * tick_s);

	for (int way = 0; way < 2; way++) {
		uint64_t bytes = counter_read(&traffic->bytes[way]);

		out_picture->bytes[way] = bytes & TRAFFIC_BYTES_MAX;
		out_picture->messages[way] = (bytes >> TRAFFIC_BYTES_BITS << 32) |
					     traffic_u32(&traffic->messages[way]);
		out_picture->message_rate[way] = rates.messages[way] * per_s;
		out_picture->byte_rate[way] = rates.bytes[way] * per_s;
	}
	out_picture->queued = rates.queued;
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

static uint64_t float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

void traffic_export(const struct traffic *traffic, struct state_writer *writer)
{
	struct traffic_rates rates = rates_of(traffic);

	for (uint16_t way = 0; way < 2; way++) {
		state_put_u64(writer, TAG_BYTES + way, counter_read(&traffic->bytes[way]));
		state_put_u64(writer, TAG_MESSAGES + way, traffic_u32(&traffic->messages[way]));
		state_put_u64(writer, TAG_RECENT_BYTES + way, float_bits(rates.bytes[way]));
		state_put_u64(writer, TAG_RECENT_MESSAGES + way, float_bits(rates.messages[way]));
	}
	state_put_u64(writer, TAG_TICK, rates.tick);
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

static int field_read(struct traffic_record *record, const struct state_field *field)
{
	uint64_t value;

	if (field->tag == 0 || field->tag > TAG_TICK)
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	if (!state_u64(field, &value))
		return -EBADMSG;
	unsigned way = (field->tag - 1) % 2;

	switch (field->tag - way) {
	case TAG_BYTES:
		record->bytes[way] = value;
		return 0;
	case TAG_MESSAGES:
		record->messages[way] = (uint32_t)value;
		return value > UINT32_MAX ? -EBADMSG : 0;
	case TAG_RECENT_BYTES:
		return float_read(value, &record->rates.bytes[way]) ? 0 : -EBADMSG;
	case TAG_RECENT_MESSAGES:
		return float_read(value, &record->rates.messages[way]) ? 0 : -EBADMSG;
	default:
		record->rates.tick = (uint32_t)value;
		return value > UINT32_MAX ? -EBADMSG : 0;
	}
}

int traffic_read(struct traffic_record *out_record, struct slice state, uint64_t now_ns)
{
	struct traffic_record read = {.rates = {.tick = traffic_tick(now_ns)}};
	struct state_reader reader;
	struct state_field field;
	int r = 0;

	state_reader_init(&reader, state);
	while (r == 0 && state_next(&reader, &field))
		r = field_read(&read, &field);
	if (r == 0 && reader.is_bad)
		r = -EBADMSG;
	if (r == 0)
		*out_record = read;
	return r;
}

void traffic_import(struct traffic *traffic, const struct traffic_record *record)
{
	memcpy(traffic->bytes, record->bytes, sizeof(traffic->bytes));
	memcpy(traffic->messages, record->messages, sizeof(traffic->messages));
	if (has_something_of_note(&record->rates))
		wake(traffic, &record->rates);
}
