/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "proto/client_cert.h"

#define INPUT_MAX 4000

/* The first byte chooses the rule. The first line behind it is what a client puts in front of
 * the last element of X-Forwarded-Client-Cert; the others are the fields. */
struct input {
	enum client_cert_rule rule;
	struct slice forged;
	struct slice fields;
};

static struct input input_split(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
	size_t len = end == NULL ? size - 1 : (size_t)(end - data) - 1;
	size_t fields_at = end == NULL ? size : len + 2;

	return (struct input){data[0] % (CLIENT_CERT_FORWARDED + 1), slice_of(data + 1, len),
			      slice_of(data + fields_at, size - fields_at)};
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

struct outcome {
	enum client_cert_result result;
	struct client_cert cert; /* in `text` and `room` */
	const char *error;
	uint8_t *text;
	uint8_t *room;
};

static bool is_within(struct slice part, const uint8_t *data, size_t size)
{
	return part.data >= data && part.data <= data + size &&
	       part.len <= (size_t)(data + size - part.data);
}

static void slice_check(const struct outcome *out, struct slice part, size_t size)
{
	CHECK(part.len == 0 || is_within(part, out->text, size) ||
	      is_within(part, out->room, CLIENT_CERT_ROOM));
}

static void result_check(const struct outcome *out, size_t size)
{
	const struct client_cert *cert = &out->cert;

	CHECK((out->result == CLIENT_CERT_BAD) == (out->error != NULL));
	if (out->result != CLIENT_CERT_OK)
		return;
	slice_check(out, cert->certificate, size);
	slice_check(out, cert->common_name, size);
	slice_check(out, cert->subject, size);
	slice_check(out, cert->fingerprint, size);
	for (size_t i = 0; i < cert->dns_count; i++)
		slice_check(out, cert->dns[i], size);
	for (size_t i = 0; i < cert->uri_count; i++)
		slice_check(out, cert->uris[i], size);
	size_t others = cert->common_name.len + cert->subject.len + cert->fingerprint.len +
			cert->dns_count + cert->uri_count;

	CHECK((cert->certificate.len > 0) != (others > 0));
	CHECK(cert->certificate.len == 0 || cert->certificate.data[0] == 0x30);
}

/* Nothing lies behind the text, and the room has something else in it each time. */
static struct outcome read_cert(enum client_cert_rule rule, const uint8_t *text, size_t size)
{
	static struct http_head head;
	static uint8_t filling;
	struct outcome out = {.text = fuzz_copy(text, size), .room = malloc(CLIENT_CERT_ROOM)};

	CHECK(out.room != NULL);
	memset(out.room, ++filling, CLIENT_CERT_ROOM);
	head_fill(&head, out.text, size);
	out.result = client_cert_read(rule, &head, out.text, out.room, &out.cert, &out.error);
	result_check(&out, size);
	return out;
}

static void outcome_finish(struct outcome *out)
{
	free(out->text);
	free(out->room);
}

static void same_check(const struct outcome *a, const struct outcome *b)
{
	CHECK(a->result == b->result && a->error == b->error);
	if (a->result != CLIENT_CERT_OK)
		return;
	CHECK(slice_equals(a->cert.certificate, b->cert.certificate));
	CHECK(slice_equals(a->cert.common_name, b->cert.common_name));
	CHECK(slice_equals(a->cert.subject, b->cert.subject));
	CHECK(slice_equals(a->cert.fingerprint, b->cert.fingerprint));
	CHECK(a->cert.dns_count == b->cert.dns_count && a->cert.uri_count == b->cert.uri_count);
	for (size_t i = 0; i < a->cert.dns_count; i++)
		CHECK(slice_equals(a->cert.dns[i], b->cert.dns[i]));
	for (size_t i = 0; i < a->cert.uri_count; i++)
		CHECK(slice_equals(a->cert.uris[i], b->cert.uris[i]));
}

/* What a trusted proxy appends is read the same, whatever its client has written. */
static void forgery_check(const struct input *input, const struct outcome *honest)
{
	static struct http_head head;
	uint8_t text[2 * INPUT_MAX];
	struct slice value;

	head_fill(&head, input->fields.data, input->fields.len);
	if (http_field_find(&head, input->fields.data, "X-Forwarded-Client-Cert", &value) != 1)
		return;
	size_t at = (size_t)(value.data - input->fields.data), forged_len = input->forged.len;

	memcpy(text, input->fields.data, at);
	memcpy(text + at, input->forged.data, forged_len);
	text[at + forged_len] = ',';
	memcpy(text + at + forged_len + 1, input->fields.data + at, input->fields.len - at);
	struct outcome forged = read_cert(input->rule, text, input->fields.len + forged_len + 1);

	same_check(honest, &forged);
	outcome_finish(&forged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > INPUT_MAX)
		return 0;
	struct input input = input_split(data, size);
	struct outcome first = read_cert(input.rule, input.fields.data, input.fields.len);
	struct outcome again = read_cert(input.rule, input.fields.data, input.fields.len);

	same_check(&first, &again);
	if (input.rule == CLIENT_CERT_FORWARDED && first.result == CLIENT_CERT_OK)
		forgery_check(&input, &first);
	outcome_finish(&first);
	outcome_finish(&again);
	return 0;
}
