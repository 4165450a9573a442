/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ws_handshake.h"

#include "proto/http_text.h"

#define NOT_A_DIGIT 64

/* The value of a base64 digit (RFC 4648, 4), or NOT_A_DIGIT. */
static unsigned base64_digit(uint8_t byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte - 'A';
	if (byte >= 'a' && byte <= 'z')
		return byte - 'a' + 26u;
	if (byte >= '0' && byte <= '9')
		return byte - '0' + 52u;
	return byte == '+' ? 62 : byte == '/' ? 63 : NOT_A_DIGIT;
}

/* Does the text decode to 16 bytes? 16 bytes are 21 digits and 2 bits; the canonical
 * form has zeros for the rest of the last digit (RFC 4648, 3.5). */
static bool is_key(struct slice text)
{
	if (text.len != WS_KEY_LEN || text.data[22] != '=' || text.data[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++)
		if (base64_digit(text.data[i]) == NOT_A_DIGIT)
			return false;
	return (base64_digit(text.data[21]) & 0xf) == 0;
}

static enum ws_upgrade_result refuse(uint16_t status, const char *detail,
				     struct http_error *out_error)
{
	*out_error = (struct http_error){status, detail};
	return WS_UPGRADE_ERROR;
}

/* 4.4: a version that we do not speak is answered with 426 and the one that we do. A
 * missing one is answered in the same way: 4.2.1 leaves the status open, and this
 * answer is the one that tells such a client what to send. */
static enum ws_upgrade_result version_check(const struct http_head *head, const uint8_t *data,
					    struct http_error *out_error)
{
	struct slice version;
	unsigned count = http_field_find(head, data, "Sec-WebSocket-Version", &version);

	if (count == 0)
		return refuse(426, "there is no Sec-WebSocket-Version; 13 is spoken here",
			      out_error);
	if (count > 1)
		return refuse(400, "there is more than one Sec-WebSocket-Version", out_error);
	if (!slice_equals(version, SLICE_LITERAL("13")))
		return refuse(426, "the Sec-WebSocket-Version is not 13", out_error);
	return WS_UPGRADE_OK;
}

static enum ws_upgrade_result key_check(const struct http_head *head, const uint8_t *data,
					struct slice *out_key, struct http_error *out_error)
{
	struct slice key;
	unsigned count = http_field_find(head, data, "Sec-WebSocket-Key", &key);

	if (count == 0)
		return refuse(400, "there is no Sec-WebSocket-Key", out_error);
	if (count > 1)
		return refuse(400, "there is more than one Sec-WebSocket-Key", out_error);
	if (!is_key(key))
		return refuse(400, "the Sec-WebSocket-Key is not base64 of 16 bytes", out_error);
	*out_key = key;
	return WS_UPGRADE_OK;
}

/* All but version and key. */
static enum ws_upgrade_result request_check(const struct http_head *head, const uint8_t *data,
					    struct http_error *out_error)
{
	if (!slice_equals(http_method(head, data), SLICE_LITERAL("GET")))
		return refuse(405, "a WebSocket is asked for with GET", out_error);
	if (head->minor_version < 1)
		return refuse(400, "a WebSocket needs HTTP/1.1", out_error);
	if (!http_field_has_token(head, data, "Upgrade", "websocket"))
		return refuse(400,
			      "there is no 'Upgrade: websocket'; "
			      "a proxy on the way may have dropped it",
			      out_error);
	if (!http_field_has_token(head, data, "Connection", "upgrade"))
		return refuse(400,
			      "there is no 'Connection: Upgrade'; "
			      "a proxy on the way may have dropped it",
			      out_error);
	if (http_has_field(head, data, "Content-Length") ||
	    http_has_field(head, data, "Transfer-Encoding"))
		return refuse(400, "a request for a WebSocket may not have a body", out_error);
	return WS_UPGRADE_OK;
}

enum ws_upgrade_result ws_upgrade_check(const struct http_head *head, const uint8_t *data,
					struct ws_upgrade *out_upgrade,
					struct http_error *out_error)
{
	struct ws_upgrade upgrade = {0};

	if (!http_field_has_token(head, data, "Upgrade", "websocket") &&
	    !http_has_field(head, data, "Sec-WebSocket-Key"))
		return WS_UPGRADE_NONE;
	enum ws_upgrade_result result = request_check(head, data, out_error);

	if (result == WS_UPGRADE_OK)
		result = version_check(head, data, out_error);
	if (result == WS_UPGRADE_OK)
		result = key_check(head, data, &upgrade.key, out_error);
	if (result != WS_UPGRADE_OK)
		return result;
	http_field_find(head, data, "Origin", &upgrade.origin);
	*out_upgrade = upgrade;
	return WS_UPGRADE_OK;
}

#define SUBPROTOCOL_FIELD "Sec-WebSocket-Protocol"

/* The client's subprotocols in its order, each once. */
struct offer {
	struct slice names[WS_SUBPROTOCOLS_MAX];
	size_t count;
};

static bool offer_has(const struct offer *offer, struct slice name)
{
	for (size_t i = 0; i < offer->count; i++)
		if (slice_equals(offer->names[i], name))
			return true;
	return false;
}

static bool offer_add_list(struct offer *offer, struct slice list)
{
	struct slice name;

	while (http_list_next(&list, &name)) {
		if (!http_is_token(name) || offer_has(offer, name) ||
		    offer->count == WS_SUBPROTOCOLS_MAX)
			return false;
		offer->names[offer->count++] = name;
	}
	return true;
}

static bool offer_read(struct offer *offer, const struct http_head *head, const uint8_t *data)
{
	offer->count = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		struct slice name = slice_of(data + field->name_at, field->name_len);
		struct slice value = slice_of(data + field->value_at, field->value_len);

		if (slice_equals_nocase(name, SLICE_LITERAL(SUBPROTOCOL_FIELD)) &&
		    !offer_add_list(offer, value))
			return false;
	}
	return true;
}

int ws_subprotocol_choose(const struct http_head *head, const uint8_t *data,
			  const char *const *ours, size_t ours_count, size_t *out_index)
{
	struct offer offer;

	if (!offer_read(&offer, head, data))
		return -1;
	for (size_t i = 0; i < offer.count; i++)
		for (size_t k = 0; k < ours_count; k++)
			if (slice_equals(offer.names[i], slice_from_text(ours[k]))) {
				*out_index = k;
				return 1;
			}
	return 0;
}

bool ws_subprotocol_is_asked(const struct http_head *head, const uint8_t *data)
{
	return http_has_field(head, data, SUBPROTOCOL_FIELD);
}

static bool is_among(const char *list_text, struct slice wanted)
{
	struct slice list = slice_from_text(list_text);
	struct slice item;

	while (http_list_next(&list, &item))
		if (slice_equals(item, wanted))
			return true;
	return false;
}

const char *ws_response_check(const struct http_head *head, const uint8_t *data,
			      const char key[WS_KEY_LEN], const char *subprotocols)
{
	struct slice value;
	char accept[WS_ACCEPT_LEN];

	if (head->status != 101)
		return "the status is not 101";
	if (head->minor_version < 1)
		return "the answer is not HTTP/1.1";
	if (http_field_find(head, data, "Upgrade", &value) != 1 ||
	    !slice_equals_nocase(value, SLICE_LITERAL("websocket")))
		return "there is no 'Upgrade: websocket'";
	if (!http_field_has_token(head, data, "Connection", "upgrade"))
		return "there is no 'Connection: Upgrade'";
	ws_accept_value(slice_of(key, WS_KEY_LEN), accept);
	if (http_field_find(head, data, "Sec-WebSocket-Accept", &value) != 1 ||
	    !slice_equals(value, slice_of(accept, WS_ACCEPT_LEN)))
		return "the Sec-WebSocket-Accept is not the one for our key";
	if (http_field_find(head, data, "Sec-WebSocket-Extensions", &value) > 0)
		return "the server wants an extension that was not offered";
	switch (http_field_find(head, data, SUBPROTOCOL_FIELD, &value)) {
	case 0:
		return NULL;
	case 1:
		if (subprotocols != NULL && is_among(subprotocols, value))
			return NULL;
		return "the server chose a subprotocol that was not offered";
	default:
		return "the server chose more than one subprotocol";
	}
}
