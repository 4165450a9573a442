/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "proto/http_head.h"
#include "proto/ws_handshake.h"

struct outcome {
	struct http_head head;
	enum http_result result;
	size_t used;
	struct http_error error;
};

/* `seed` 0: whole; 1: byte by byte; else in cuts. Every call sees the bytes at
 * another place. */
static void run(struct outcome *out, enum http_kind kind, const struct http_limits *limits,
		const uint8_t *data, size_t size, uint32_t seed)
{
	size_t len = seed == 0 ? size : 0;

	*out = (struct outcome){.used = 0};
	http_head_init(&out->head, kind);
	for (;;) {
		uint8_t *copy = fuzz_copy(data, len);

		out->result = http_head_parse(&out->head, limits, copy, len, &out->used,
					      &out->error);
		free(copy);
		if (out->result != HTTP_MORE || len == size)
			return;
		len += seed == 1 ? 1 : fuzz_cut(&seed, size - len);
	}
}

static void same_check(const struct outcome *a, const struct outcome *b)
{
	CHECK(a->result == b->result);
	CHECK(a->used == b->used);
	CHECK(a->error.status == b->error.status && a->error.detail == b->error.detail);
	if (a->result != HTTP_OK)
		return;
	CHECK(a->head.field_count == b->head.field_count);
	CHECK(memcmp(a->head.fields, b->head.fields,
		     a->head.field_count * sizeof(a->head.fields[0])) == 0);
	CHECK(memcmp(&a->head, &b->head, offsetof(struct http_head, fields)) == 0);
}

static void limits_check(const struct outcome *out, const struct http_limits *limits, size_t size)
{
	switch (out->result) {
	case HTTP_MORE:
		CHECK(size <= limits->max_total);
		break;
	case HTTP_OK:
		CHECK(out->used <= size && out->used <= limits->max_total);
		CHECK(out->head.field_count <= limits->max_fields);
		break;
	case HTTP_BAD:
		CHECK(out->error.status == 400 || out->error.status == 414 ||
		      out->error.status == 431 || out->error.status == 501 ||
		      out->error.status == 505);
		CHECK(out->error.detail != NULL);
		break;
	}
}

static void fields_check(const struct http_head *head, const uint8_t *data, size_t used)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		CHECK(field->name_len > 0);
		CHECK(field->name_at + field->name_len < field->value_at);
		CHECK((size_t)field->value_at + field->value_len + 4 <= used);
		for (size_t k = 0; k < field->value_len; k++) {
			uint8_t byte = data[field->value_at + k];

			CHECK((byte >= ' ' && byte != 0x7f) || byte == '\t');
		}
	}
}

static void request_use(const struct http_head *head, const uint8_t *data)
{
	static const char *const ours[] = {"ocpp1.6", "b"};
	struct ws_upgrade upgrade;
	struct http_error error = {0};
	struct slice host;
	size_t index;
	char answer[512];

	struct slice path = http_path(head, data);

	CHECK(path.data[0] == '/' || slice_equals(path, SLICE_LITERAL("*")));
	CHECK(http_field_find(head, data, "host", &host) <= 1);
	bool is_chosen = ws_subprotocol_choose(head, data, ours, ARRAY_LEN(ours), &index);

	CHECK(!is_chosen || (ws_subprotocol_is_asked(head, data) && index < ARRAY_LEN(ours)));
	struct http_body body = http_request_body(head, data);

	CHECK((body.kind == HTTP_BODY_LENGTH) == (body.len > 0));
	CHECK(body.kind != HTTP_BODY_CHUNKED || head->minor_version == 1);
	http_is_persistent(head, data);
	host = http_host(head, data);
	CHECK(host.len == 0 || host.data != NULL);
	switch (ws_upgrade_check(head, data, &upgrade, &error)) {
	case WS_UPGRADE_OK:
		CHECK(upgrade.key.len == WS_KEY_LEN);
		CHECK(ws_response_write(answer, sizeof(answer), upgrade.key,
					&(struct ws_response){0}) > 0);
		break;
	case WS_UPGRADE_ERROR:
		CHECK(error.status == 400 || error.status == 405 || error.status == 426);
		break;
	case WS_UPGRADE_NONE:
		CHECK(error.status == 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_limits all_limits[] = {
		{8192, HTTP_FIELDS_MAX, 16384}, {40, 4, 120}, {100, 8, 100}, {500, 16, 60}};
	static struct outcome whole, bytes, cuts;

	if (size < 1)
		return 0;
	/* The first byte chooses what is parsed and within which limits. */
	enum http_kind kind = data[0] & 1 ? HTTP_RESPONSE : HTTP_REQUEST;
	const struct http_limits *limits = &all_limits[data[0] >> 1 & 3];

	data++;
	size--;
	run(&whole, kind, limits, data, size, 0);
	run(&bytes, kind, limits, data, size, 1);
	run(&cuts, kind, limits, data, size, (uint32_t)size + 2);
	same_check(&whole, &bytes);
	same_check(&whole, &cuts);
	limits_check(&whole, limits, size);
	if (whole.result != HTTP_OK)
		return 0;
	uint8_t *copy = fuzz_copy(data, whole.used);

	fields_check(&whole.head, copy, whole.used);
	if (kind == HTTP_REQUEST)
		request_use(&whole.head, copy);
	else
		ws_response_check(&whole.head, copy, "dGhlIHNhbXBsZSBub25jZQ==", "a, b");
	free(copy);
	return 0;
}
