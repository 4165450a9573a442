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

/* Does the text decode to 16 bytes? 16 bytes are 21 digits and 2 bits. The other 4 bits of
 * the last digit should be zeros, but a client that draws 22 digits at random leaves them
 * as they come, and a reader may pass over them (RFC 4648, 3.5). */
static bool is_key(struct slice text)
{
	if (text.len != WS_KEY_LEN || text.data[22] != '=' || text.data[23] != '=')
		return false;
	for (size_t i = 0; i < 22; i++)
		if (base64_digit(text.data[i]) == NOT_A_DIGIT)
			return false;
	return true;
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
	if (http_request_body(head, data).kind != HTTP_BODY_NONE)
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

bool ws_subprotocol_choose(const struct http_head *head, const uint8_t *data,
			   const char *const *ours, size_t ours_count, size_t *out_index)
{
	for (size_t i = 0; i < ours_count; i++)
		if (http_field_has_item(head, data, SUBPROTOCOL_FIELD, ours[i])) {
			*out_index = i;
			return true;
		}
	return false;
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
