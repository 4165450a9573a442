/* SPDX-License-Identifier: Apache-2.0
 * fuzz_assigned.c - the input as what a back end says of a client that it lets in, and as a block
 * of attributes. */
#include "fuzz.h"

#include "base/unicode.h"
#include "conn/assigned.h"
#include "proto/utf8.h"

#define BYTES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct assigned assigned;
	uint8_t *copy = fuzz_copy(data, size);
	struct slice text = slice_of(copy, size);
	char problem[128];

	assigned = (struct assigned){.client_id = ""};
	if (assigned_id_read(text, &assigned, problem, sizeof(problem))) {
		struct slice id = slice_from_text(assigned.client_id);

		CHECK(id.len > 0 && id.len <= size && utf8_is_valid(id.data, id.len));
		CHECK(!unicode_has_control(id));
	}
	if (assigned_attributes_read(text, BYTES_MAX, &assigned, problem, sizeof(problem))) {
		struct slice block = slice_of(assigned.attributes, assigned.attributes_len);
		struct attribute given;
		size_t bytes = 0;

		CHECK(attributes_are_good(block));
		while (attributes_next(&block, &given)) {
			CHECK(utf8_is_valid(given.value.data, given.value.len));
			bytes += given.name.len + given.value.len;
		}
		CHECK(bytes <= BYTES_MAX);
	}
	attributes_are_good(text);
	free(copy);
	return 0;
}
