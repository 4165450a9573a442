/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/utf8.h"

#include <stdatomic.h>

#include "base/check.h"
#include "proto/utf8_kernels.h"

/* A state is a shift: the table gives, for the class of a byte, a word that holds
 * the next state for each state in 6 bits (RFC 3629, 4). */
enum {
	BOUNDARY = UTF8_BOUNDARY,
	REJECT = UTF8_REJECT,
	NEED_1 = 12, /* continuation bytes still to come */
	NEED_2 = 18,
	NEED_3 = 24,
	AFTER_E0 = 30, /* next is a0..bf: no overlong forms */
	AFTER_ED = 36, /* 80..9f: no surrogates */
	AFTER_F0 = 42, /* 90..bf: no overlong forms */
	AFTER_F4 = 48, /* 80..8f: nothing over U+10FFFF */
	STATE_BITS = 63,
};

enum byte_class {
	BAD,    /* c0, c1, f5..ff: never in UTF-8 */
	ASCII,  /* 00..7f */
	CONT_8, /* 80..8f */
	CONT_9, /* 90..9f */
	CONT_A, /* a0..bf */
	LEAD_2, /* c2..df */
	LEAD_E0,
	LEAD_3, /* e1..ec, ee, ef */
	LEAD_ED,
	LEAD_F0,
	LEAD_4, /* f1..f3 */
	LEAD_F4,
	CLASS_COUNT
};

/* clang-format off */
static const uint8_t class_of[256] = {
	[0x00 ... 0x7f] = ASCII,
	[0x80 ... 0x8f] = CONT_8,
	[0x90 ... 0x9f] = CONT_9,
	[0xa0 ... 0xbf] = CONT_A,
	[0xc2 ... 0xdf] = LEAD_2,
	[0xe0] = LEAD_E0,
	[0xe1 ... 0xec] = LEAD_3,
	[0xed] = LEAD_ED,
	[0xee ... 0xef] = LEAD_3,
	[0xf0] = LEAD_F0,
	[0xf1 ... 0xf3] = LEAD_4,
	[0xf4] = LEAD_F4,
};
/* clang-format on */

#define GOES(from, to) ((uint64_t)(to) << (from))

/* From every state but those given, a byte of the class is refused. */
#define REFUSED                                                                   \
	(GOES(REJECT, REJECT) | GOES(NEED_1, REJECT) | GOES(NEED_2, REJECT) |     \
	 GOES(NEED_3, REJECT) | GOES(AFTER_E0, REJECT) | GOES(AFTER_ED, REJECT) | \
	 GOES(AFTER_F0, REJECT) | GOES(AFTER_F4, REJECT))
#define LEADS_TO(state) (GOES(BOUNDARY, state) | REFUSED)
#define CONTINUES(e0, ed, f0, f4)                                                                \
	(GOES(BOUNDARY, REJECT) | GOES(REJECT, REJECT) | GOES(NEED_1, BOUNDARY) |                \
	 GOES(NEED_2, NEED_1) | GOES(NEED_3, NEED_2) | GOES(AFTER_E0, e0) | GOES(AFTER_ED, ed) | \
	 GOES(AFTER_F0, f0) | GOES(AFTER_F4, f4))

static const uint64_t next_states[CLASS_COUNT] = {
	[BAD] = LEADS_TO(REJECT),
	[ASCII] = LEADS_TO(BOUNDARY),
	[CONT_8] = CONTINUES(REJECT, NEED_1, REJECT, NEED_2),
	[CONT_9] = CONTINUES(REJECT, NEED_1, NEED_2, REJECT),
	[CONT_A] = CONTINUES(NEED_1, REJECT, NEED_2, REJECT),
	[LEAD_2] = LEADS_TO(NEED_1),
	[LEAD_E0] = LEADS_TO(AFTER_E0),
	[LEAD_3] = LEADS_TO(NEED_2),
	[LEAD_ED] = LEADS_TO(AFTER_ED),
	[LEAD_F0] = LEADS_TO(AFTER_F0),
	[LEAD_4] = LEADS_TO(NEED_3),
	[LEAD_F4] = LEADS_TO(AFTER_F4),
};

static utf8_kernel_fn choose_and_run;
static _Atomic(utf8_kernel_fn *) chosen = choose_and_run;

/* Threads that come here at the same time all find the same kernel. */
static size_t choose_and_run(const uint8_t *data, size_t len)
{
	size_t i = 0;

	while (!utf8_kernels[i].is_supported())
		i++;
	atomic_store_explicit(&chosen, utf8_kernels[i].run, memory_order_relaxed);
	return utf8_kernels[i].run(data, len);
}

/* [bytes] checked one by one before the kernel is asked again: enough that text
 * which it cannot skip costs little more than without it. */
#define STRETCH 64

uint32_t utf8_feed(uint32_t state, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (at < len && state != UTF8_REJECT) {
		if (state == UTF8_BOUNDARY)
			at += atomic_load_explicit(&chosen, memory_order_relaxed)(data + at,
										  len - at);
		for (size_t end = MIN(len, at + STRETCH); at < end; at++)
			state = (uint32_t)(next_states[class_of[data[at]]] >> state) & STATE_BITS;
	}
	return state;
}
