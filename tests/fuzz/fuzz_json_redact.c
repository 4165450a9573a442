/* SPDX-License-Identifier: Apache-2.0
 * fuzz_json_redact.c - whatever comes: what is redacted is JSON again, in which nothing is left to
 * be hidden; and what there is room for is the begin of that. The first byte is the room. */
#include "fuzz.h"

#include "proto/json_redact.h"
#include "proto/json_scan.h"
#include "proto/utf8.h"

#define INPUT_MAX 4096

/* A value may be shorter than what stands in for it: 1 becomes "***". */
#define OUTPUT_MAX (4 * INPUT_MAX)

static struct json_redact_rules rules;

static void rules_make(void)
{
	static const char *const names[] = {"*password*", "idtag", "*token", "pin*", "a"};

	for (size_t i = 0; rules.count < ARRAY_LEN(names); i++)
		CHECK(json_redact_add(&rules, slice_from_text(names[i])));
}

/* Redacted once more it is the same: nothing was overlooked, and nothing was made. */
static void again_check(struct slice text)
{
	uint8_t *copy = fuzz_copy(text.data, text.len), *room = fuzz_copy(text.data, text.len);
	static uint8_t out[2 * OUTPUT_MAX];
	struct json_redacted done;
	struct json_fault fault;
	struct json_part part;

	CHECK(json_check(slice_of(copy, text.len), &part, &fault));
	CHECK(json_redact(&rules, slice_of(copy, text.len), room, out, sizeof(out), &done) ==
	      JSON_REDACT_DONE);
	CHECK(!done.is_cut && done.len == text.len && memcmp(out, text.data, text.len) == 0);
	free(copy);
	free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t whole[OUTPUT_MAX], part[256];
	struct json_redacted done, cut;

	if (size == 0 || size > INPUT_MAX || !utf8_is_valid(data + 1, size - 1))
		return 0;
	rules_make();
	size_t max = data[0];
	uint8_t *copy = fuzz_copy(data + 1, size - 1), *room = fuzz_copy(data + 1, size - 1);
	struct slice text = slice_of(copy, size - 1);
	enum json_redact_result result = json_redact(&rules, text, room, whole, sizeof(whole),
						     &done);

	CHECK(json_redact(&rules, text, room, part, max, &cut) == result);
	if (result == JSON_REDACT_DONE) {
		CHECK(!done.is_cut && cut.is_cut == (done.len > max) && cut.len <= max);
		CHECK(memcmp(whole, part, cut.len) == 0 && utf8_is_valid(part, cut.len));
		CHECK(done.hidden > 0 ||
		      (done.len == text.len && memcmp(whole, copy, done.len) == 0));
		again_check(slice_of(whole, done.len));
	}
	free(copy);
	free(room);
	return 0;
}
