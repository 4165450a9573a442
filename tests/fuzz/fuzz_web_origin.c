/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/web_origin.h"

static bool is_in(struct slice part, const uint8_t *data, size_t size)
{
	return part.len == 0 || (part.data >= data && part.data + part.len <= data + size);
}

/* The first line is a pattern, the second an origin. What is good points into its text, matches
 * itself if it is no pattern, and a pattern stands for nothing but what ends in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t first = end == NULL ? size : (size_t)(end - data);
	size_t second = end == NULL ? 0 : size - first - 1;
	uint8_t *left = fuzz_copy(data, first), *right = fuzz_copy(data + size - second, second);
	struct web_origin pattern, origin, host;
	bool is_pattern = web_origin_parse_pattern(slice_of(left, first), &pattern) == NULL;
	bool is_origin = web_origin_parse(slice_of(right, second), &origin) == NULL;

	if (is_pattern) {
		CHECK(is_in(pattern.scheme, left, first) && is_in(pattern.host, left, first));
		CHECK(pattern.host.len > 0 && pattern.scheme.len > 0);
		CHECK(pattern.is_wild || web_origin_matches(&pattern, &pattern));
	}
	if (is_origin) {
		CHECK(is_in(origin.scheme, right, second) && is_in(origin.host, right, second));
		CHECK(!origin.is_wild && web_origin_matches(&origin, &origin));
	}
	if (is_pattern && is_origin && web_origin_matches(&pattern, &origin)) {
		CHECK(pattern.port == origin.port && pattern.is_ip6 == origin.is_ip6);
		CHECK(pattern.is_wild ? origin.host.len > pattern.host.len + 1
				      : pattern.is_ip6 || origin.host.len == pattern.host.len);
	}
	if (web_origin_of_host(SLICE_LITERAL("https"), slice_of(right, second), &host))
		CHECK(is_in(host.host, right, second) && web_origin_matches(&host, &host));
	free(left);
	free(right);
	return 0;
}
