/* SPDX-License-Identifier: Apache-2.0
 * fuzz_limits_read.c - the limits table that a gateway sent, or who says that it is one.
 *
 * Whatever came: every limit stands in the order once, and texts are printable. */
#include "fuzz.h"

#include "diag/limits_json.h"

static void text_check(const char *text)
{
	for (; *text != 0; text++)
		CHECK(*text >= ' ' && *text < 0x7f);
}

static void rows_check(const json_t *table, const struct limits *limits)
{
	struct limit_remedy remedies[LIMIT_REMEDIES_MAX];
	bool is_seen[LIMIT_ID_COUNT] = {0};

	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &limits->rows[limits->order[i]];

		CHECK(!is_seen[row->id]);
		is_seen[row->id] = true;
		text_check(row->note);
		text_check(row->cost);
		text_check(row->source);
		size_t count = limits_json_remedies(table, row, 1000, remedies);

		CHECK(count <= LIMIT_REMEDIES_MAX);
		for (size_t j = 0; j < count; j++)
			text_check(remedies[j].text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *table = json_loadb((const char *)data, size, 0, NULL);
	struct limits limits;
	uint64_t connections;

	if (limits_json_read(table, &limits, &connections)) {
		rows_check(table, &limits);
		limits_binding(&limits);
		limits_next(&limits);
	}
	json_decref(table);
	return 0;
}
