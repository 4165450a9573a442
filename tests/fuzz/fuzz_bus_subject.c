/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "bus/bus_subject.h"

/* A name has a token of safe characters, and the token has no other name. */
static void name_check(const uint8_t *data, size_t size)
{
	char token[BUS_TOKEN_MAX];
	uint8_t back[BUS_NAME_MAX];
	struct bus_subject subject;
	struct slice name = slice_of(data, size);
	size_t len = bus_token_encode(name, token);

	CHECK((len > 0) == (size > 0 && size <= BUS_NAME_MAX));
	CHECK((bus_subject_make("a.b", &name, 1, &subject) == 0) == (len > 0));
	if (len == 0)
		return;
	CHECK(len >= size && len <= 3 * size);
	CHECK(slice_equals(slice_of(back, bus_token_decode(slice_of(token, len), back)), name));
	CHECK(bus_subject_is_valid(bus_subject_slice(&subject)));
	CHECK(memchr(token, '.', len) == NULL && subject.len == 4 + len);
}

/* A token that decodes is the one that its name encodes to. */
static void token_check(const uint8_t *data, size_t size)
{
	char token[BUS_TOKEN_MAX];
	uint8_t name[BUS_NAME_MAX];
	size_t len = bus_token_decode(slice_of(data, size), name);

	if (len == 0)
		return;
	CHECK(len <= size);
	CHECK(slice_equals(slice_of(token, bus_token_encode(slice_of(name, len), token)),
			   slice_of(data, size)));
	CHECK(bus_subject_is_valid(slice_of(data, size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	name_check(copy, size);
	token_check(copy, size);
	free(copy);
	return 0;
}
