/* SPDX-License-Identifier: Apache-2.0
 * Once it is hidden, nothing of what was found is left in the request, and nothing else has
 * changed. */
#include "fuzz.h"

#include "auth/shown.h"

static const struct shown_rules rules = {
	.places = (1u << SHOWN_PLACE_COUNT) - 1,
	.scheme = "Bearer",
	.query = "access_token",
	.cookie = "token",
	.subprotocol = "bearer",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *text = fuzz_copy(data, size);
	struct http_head head;
	struct http_error error;
	struct slice value;
	size_t used;

	http_head_init(&head, HTTP_REQUEST);
	if (http_head_parse(&head, &http_limits_default, text, size, &used, &error) == HTTP_OK) {
		bool is_there = shown_find(&rules, &head, text, &value);

		CHECK(!is_there || value.len == 0 ||
		      (value.data >= text && value.data + value.len <= text + used));
		shown_hide(&rules, &head, text);
		for (size_t i = 0; i < size; i++)
			CHECK(text[i] == data[i] || (text[i] == '*' && i < used));
		if (is_there && value.len > 0)
			for (size_t i = 0; i < value.len; i++)
				CHECK(value.data[i] == '*');
	}
	free(text);
	return 0;
}
