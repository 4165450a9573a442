/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "proto/forwarded.h"

#define INPUT_MAX 1000

/* The first line of the input is what a client puts in front of the first field that
 * counts; the others are the fields. */
struct input {
	struct slice forged;
	struct slice fields;
};

static struct input input_split(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t len = end == NULL ? size : (size_t)(end - data);
	size_t fields_at = end == NULL ? size : len + 1;

	return (struct input){slice_of(data, len), slice_of(data + fields_at, size - fields_at)};
}

/* "NAME:VALUE" a line. Values may hold any byte: more than a parsed head lets through. */
static void head_fill(struct http_head *head, const uint8_t *text, size_t size)
{
	http_head_init(head, HTTP_REQUEST);
	for (size_t at = 0; at < size && head->field_count < HTTP_FIELDS_MAX;) {
		const uint8_t *end = memchr(text + at, '\n', size - at);
		size_t len = end == NULL ? size - at : (size_t)(end - text) - at;
		const uint8_t *colon = len > 0 ? memchr(text + at, ':', len) : NULL;
		size_t name_len = colon == NULL ? 0 : (size_t)(colon - text) - at;

		if (name_len > 0)
			head->fields[head->field_count++] = (struct http_field){
				(uint16_t)at, (uint16_t)name_len, (uint16_t)(at + name_len + 1),
				(uint16_t)(len - name_len - 1)};
		at += len + 1;
	}
}

struct trust {
	struct net_ip peer;
	struct net_prefix prefixes[3];
};

static struct trust trust_make(void)
{
	static const char *const texts[] = {"10.0.0.0/8", "fd00::/8", "::1"};
	struct trust trust;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		CHECK(net_prefix_parse(slice_from_text(texts[i]), &trust.prefixes[i]) == NULL);
	CHECK(net_ip_parse(SLICE_LITERAL("10.0.0.1"), &trust.peer));
	return trust;
}

static bool is_trusted(const struct trust *trust, const struct net_ip *ip)
{
	for (size_t i = 0; i < ARRAY_LEN(trust->prefixes); i++)
		if (net_prefix_has(&trust->prefixes[i], ip))
			return true;
	return false;
}

/* Nothing lies behind the text: a value at its end is read from an exact-size copy. */
static struct net_ip client_of(const struct trust *trust, const uint8_t *text, size_t size)
{
	static struct http_head head;
	uint8_t *copy = fuzz_copy(text, size);

	head_fill(&head, copy, size);
	struct net_ip client = forwarded_client(&head, copy, &trust->peer, trust->prefixes,
						ARRAY_LEN(trust->prefixes));

	/* An untrusted peer's fields are not read. */
	struct net_ip alone = forwarded_client(&head, copy, &client, NULL, 0);

	CHECK(net_ip_equals(&alone, &client));
	free(copy);
	return client;
}

/* Is the address anywhere in the text, perhaps with backslashes between? */
static bool is_in_text(const struct net_ip *ip, const uint8_t *text, size_t size)
{
	uint8_t plain[INPUT_MAX];
	size_t len = 0;

	for (size_t i = 0; i < size; i++)
		if (text[i] != '\\')
			plain[len++] = text[i];
	for (size_t at = 0; at < len; at++)
		for (size_t n = 2; n < NET_IP_TEXT_MAX && n <= len - at; n++) {
			struct net_ip found;

			if (net_ip_parse(slice_of(plain + at, n), &found) &&
			    net_ip_equals(&found, ip))
				return true;
		}
	return false;
}

/* Where the value of the first field of the list begins; false if there is no list. */
static bool list_find(const uint8_t *text, size_t size, size_t *out_at)
{
	static struct http_head head;
	struct slice value;

	head_fill(&head, text, size);
	if (http_field_find(&head, text, "Forwarded", &value) == 0 &&
	    http_field_find(&head, text, "X-Forwarded-For", &value) == 0)
		return false;
	*out_at = (size_t)(value.data - text);
	return true;
}

/* A client that was found cannot be hidden by what it writes in front of the list. */
static void forgery_check(const struct trust *trust, const struct input *input,
			  const struct net_ip *client)
{
	uint8_t text[INPUT_MAX + 2];
	size_t at, forged_len = input->forged.len;

	if (is_trusted(trust, client) || !list_find(input->fields.data, input->fields.len, &at))
		return;
	memcpy(text, input->fields.data, at);
	memcpy(text + at, input->forged.data, forged_len);
	memcpy(text + at + forged_len, ", ", 2);
	memcpy(text + at + forged_len + 2, input->fields.data + at, input->fields.len - at);
	struct net_ip again = client_of(trust, text, input->fields.len + forged_len + 2);

	CHECK(net_ip_equals(&again, client));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return 0;
	struct trust trust = trust_make();
	struct input input = input_split(data, size);
	struct net_ip client = client_of(&trust, input.fields.data, input.fields.len);

	CHECK(net_ip_equals(&client, &trust.peer) ||
	      is_in_text(&client, input.fields.data, input.fields.len));
	forgery_check(&trust, &input, &client);
	return 0;
}
