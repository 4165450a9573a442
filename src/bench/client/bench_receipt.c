/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_receipt.h"

#include <string.h>

#include "base/check.h"

#define DIGITS_MAX 19 /* a uint64_t holds any number of so many */

/* Takes a number of digits off the front of `text`. */
static bool number_read(struct slice *text, uint64_t *out_value)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < text->len && text->data[i] >= '0' && text->data[i] <= '9'; i++) {
		if (i == DIGITS_MAX)
			return false;
		value = value * 10 + (uint64_t)(text->data[i] - '0');
	}
	if (i == 0)
		return false;
	*text = slice_of(text->data + i, text->len - i);
	*out_value = value;
	return true;
}

bool bench_stamp_read(struct slice message, struct bench_stamp *out_stamp)
{
	static const char mark[] = {'g', 'h', '1', ' '};
	const uint8_t *at = message.len == 0
				    ? NULL
				    : memmem(message.data, MIN(message.len, BENCH_RECEIPT_REACH),
					     mark, sizeof(mark));
	struct bench_stamp stamp;

	if (at == NULL)
		return false;
	at += sizeof(mark);
	struct slice rest = slice_of(at, message.len - (size_t)(at - message.data));

	/* With a gap of exactly one space. */
	if (!number_read(&rest, &stamp.number) || rest.len == 0 || rest.data[0] != ' ')
		return false;
	rest = slice_of(rest.data + 1, rest.len - 1);
	if (!number_read(&rest, &stamp.sent_ns))
		return false;
	*out_stamp = stamp;
	return true;
}

static void begin(struct bench_receipt *receipt, uint64_t number)
{
	*receipt = (struct bench_receipt){number + 1, UINT64_MAX, true};
}

static void advance(struct bench_receipt *receipt, uint64_t number)
{
	uint64_t step = number - receipt->next + 1;

	receipt->arrived = step < BENCH_RECEIPT_WINDOW ? receipt->arrived << step | 1 : 1;
	receipt->next = number + 1;
}

enum bench_receipt_order bench_receipt_take(struct bench_receipt *receipt, uint64_t number,
					    uint64_t *out_skipped)
{
	*out_skipped = 0;
	if (!receipt->has_begun) {
		begin(receipt, number);
		return BENCH_RECEIPT_NEXT;
	}
	if (number >= receipt->next) {
		*out_skipped = number - receipt->next;
		advance(receipt, number);
		return BENCH_RECEIPT_NEXT;
	}
	uint64_t age = receipt->next - 1 - number;
	uint64_t bit = age < BENCH_RECEIPT_WINDOW ? UINT64_C(1) << age : 0;

	if (bit == 0 || (receipt->arrived & bit) != 0)
		return BENCH_RECEIPT_REPEATED;
	receipt->arrived |= bit;
	return BENCH_RECEIPT_LATE;
}

bool bench_receipt_count(struct bench_receipt *receipt, uint64_t number,
			 struct bench_counters *counters)
{
	uint64_t skipped;

	switch (bench_receipt_take(receipt, number, &skipped)) {
	case BENCH_RECEIPT_NEXT:
		bench_count_add(&counters->missing, skipped);
		return true;
	case BENCH_RECEIPT_LATE:
		bench_count(&counters->late);
		bench_count_add(&counters->missing, UINT64_MAX); /* one less */
		return true;
	case BENCH_RECEIPT_REPEATED:
		break;
	}
	bench_count(&counters->repeated);
	return false;
}
