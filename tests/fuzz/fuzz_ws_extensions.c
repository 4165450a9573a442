/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>

#include "proto/ws_extensions.h"

#define FIELD "Sec-WebSocket-Extensions"

/* Fields of that name, a line of the input each. Values may hold any byte: more than a parsed head
 * lets through. */
static uint8_t *head_fill(struct http_head *head, enum http_kind kind, const uint8_t *data,
			  size_t size)
{
	uint8_t *text = malloc(size + sizeof(FIELD));

	CHECK(text != NULL);
	memcpy(text, FIELD, sizeof(FIELD));
	memcpy(text + sizeof(FIELD), data, size);
	http_head_init(head, kind);
	for (size_t at = 0; at <= size && head->field_count < HTTP_FIELDS_MAX;) {
		const uint8_t *end = at < size ? memchr(data + at, '\n', size - at) : NULL;
		size_t len = (end == NULL ? size : (size_t)(end - data)) - at;

		head->fields[head->field_count++] = (struct http_field){
			0, sizeof(FIELD) - 1, (uint16_t)(sizeof(FIELD) + at), (uint16_t)len};
		at += len + 1;
	}
	return text;
}

/* Our answer is one to the offer that we make ourselves, or would be but for the bits that it
 * names. */
static void answer_check(const struct ws_deflate_terms *terms)
{
	static struct http_head head;
	struct ws_deflate_terms back;
	char text[WS_DEFLATE_TEXT_MAX];

	ws_deflate_text(terms, text);
	uint8_t *copy = head_fill(&head, HTTP_RESPONSE, (const uint8_t *)text, strlen(text));
	const char *problem = ws_deflate_accept(&head, copy, true, &back);

	CHECK((problem == NULL) == (!terms->keeps_out && !terms->names_in_bits));
	free(copy);
}

static void terms_check(const struct ws_deflate_terms *terms,
			const struct ws_deflate_policy *policy)
{
	CHECK(terms->out_bits >= WS_WINDOW_BITS_MIN && terms->out_bits <= WS_WINDOW_BITS_MAX);
	CHECK(terms->in_bits >= WS_WINDOW_BITS_MIN && terms->in_bits <= WS_WINDOW_BITS_MAX);
	CHECK(policy->keeps_windows || (!terms->keeps_out && !terms->keeps_in));
	CHECK(!terms->keeps_out || terms->out_bits <= policy->window_bits);
	CHECK(!terms->keeps_in || terms->in_bits <= policy->window_bits);
	answer_check(terms);
	struct ws_deflate_terms without = ws_deflate_without_windows(terms);

	CHECK(!without.keeps_out && !without.keeps_in && without.out_bits == terms->out_bits);
	answer_check(&without);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head head;
	struct ws_deflate_terms terms, again;

	if (size < 1 || size > 4000)
		return 0;
	const struct ws_deflate_policy policy = {
		.keeps_windows = data[0] & 1,
		.window_bits = (uint8_t)(WS_WINDOW_BITS_MIN + (data[0] >> 1 & 7)),
	};
	uint8_t *text = head_fill(&head, HTTP_REQUEST, data + 1, size - 1);
	bool is_chosen = ws_deflate_choose(&head, text, &policy, &terms);

	CHECK(is_chosen == ws_deflate_is_on(&terms));
	if (is_chosen)
		terms_check(&terms, &policy);
	CHECK(ws_deflate_choose(&head, text, &policy, &again) == is_chosen);
	CHECK(memcmp(&terms, &again, sizeof(terms)) == 0);
	const char *problem = ws_deflate_accept(&head, text, true, &terms);

	CHECK(problem == NULL || !ws_deflate_is_on(&terms));
	free(text);
	return 0;
}
