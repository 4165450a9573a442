/* SPDX-License-Identifier: Apache-2.0
 * fuzz_except.c - the input as the header that names who is left out: what is taken is written, and
 * read again as the same. */
#include "fuzz.h"

#include "fleet/group/except.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	struct except_client except = {.route = "kept"}, again;
	char room[EXCEPT_TEXT_MAX];

	if (except_header_read(slice_of(copy, size), &except)) {
		CHECK(strlen(except.client_id) > 0);
		/* A route that is none of ours is no name, and nobody has it. */
		if (strpbrk(except.route, "%/") == NULL) {
			CHECK(except_header_read(except_header_write(&except, room), &again));
			CHECK(strcmp(again.client_id, except.client_id) == 0 &&
			      strcmp(again.route, except.route) == 0);
		}
	} else {
		CHECK(strcmp(except.route, "kept") == 0);
	}
	(void)except_read(slice_of(copy, size), &except);
	free(copy);
	return 0;
}
