/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "../json_reference.h"
#include "base/buf.h"
#include "proto/json_text.h"

#define INPUT_MAX 4096

/* What a string stands for, written, reads back as the same; and all ways to look at it
 * agree. */
static void string_check(struct slice text)
{
	uint8_t *room = fuzz_copy(text.data, text.len);
	struct slice plain = json_text_unescape(text, room);
	const struct json_piece piece = JSON_PLAIN(plain);
	struct buf out = {0};
	struct json_part part;
	struct json_fault fault;
	size_t chars = 0;

	CHECK(plain.len <= text.len && json_text_equals(text, plain));
	for (size_t i = 0; i < plain.len; i++)
		chars += (plain.data[i] & 0xc0) != 0x80;
	CHECK(json_text_chars(text) == chars && plain.len <= 4 * chars);
	CHECK(json_write(&out, SIZE_MAX / 2, &piece, 1) == 0);
	CHECK(json_check(buf_slice(&out), &part, &fault) && part.kind == JSON_KIND_STRING);
	CHECK(json_text_equals(json_part_inside(&part), plain));
	buf_finish(&out);
	free(room);
}

/* Reading item by item comes to the same judgement as reading the whole text, finds the
 * same mistake, and yields parts that are good texts by themselves. */
static void items_check(struct slice text, bool is_good, const struct json_fault *whole)
{
	bool is_utf8 = utf8_is_valid(text.data, text.len);
	enum json_kind kind = JSON_KIND_NONE;
	struct json_scan scan;
	struct json_part part, again;
	struct json_fault fault;
	struct slice name;
	const uint8_t *before = text.data;

	if (!json_scan_enter(&scan, text, &kind))
		return;
	while (json_scan_next(&scan, &name, &part)) {
		CHECK(part.text.data > before);
		before = part.text.data + part.text.len;
		CHECK(before < text.data + text.len || !is_good);
		CHECK(json_check(part.text, &again, &fault));
		CHECK(again.kind == part.kind && slice_equals(again.text, part.text));
		if (kind == JSON_KIND_OBJECT && is_utf8)
			string_check(name);
		if (part.kind == JSON_KIND_STRING && is_utf8)
			string_check(json_part_inside(&part));
	}
	CHECK((scan.error == NULL) == is_good);
	CHECK(is_good || (strcmp(scan.error, whole->reason) == 0 && scan.at == whole->at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return 0;
	uint8_t *copy = fuzz_copy(data, size);
	struct json_part part;
	struct json_fault fault = {0};
	bool is_good = json_check(slice_of(copy, size), &part, &fault);

	CHECK(is_good || (fault.reason != NULL && fault.at <= size));
	CHECK(json_agrees(copy, size));
	items_check(slice_of(copy, size), is_good, &fault);
	free(copy);
	return 0;
}
