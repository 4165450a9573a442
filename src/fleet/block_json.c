/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/block_json.h"

#include <string.h>

char *block_address_format(const struct net_prefix *address, char out[NET_PREFIX_TEXT_MAX])
{
	if (address->bits == NET_IP_BITS)
		return net_ip_format(&address->ip, out, NET_PREFIX_TEXT_MAX);
	return net_prefix_format(address, out, NET_PREFIX_TEXT_MAX);
}

static const char *text_or_null(const char *text)
{
	return text[0] == 0 ? NULL : text;
}

json_t *block_json_write(const struct block *block)
{
	const struct block_target *target = &block->target;
	char address[NET_PREFIX_TEXT_MAX];

	return json_pack(
		"{s:s*, s:s*, s:s*, s:I, s:I, s:b, s:s*}", "route", text_or_null(target->route),
		"client_id", text_or_null(target->client_id), "address",
		target->client_id[0] != 0 ? NULL : block_address_format(&target->address, address),
		"changed_at_ms", (json_int_t)block->changed_at_ms, "expires_at_ms",
		(json_int_t)block->expires_at_ms, "removed", (int)block->is_removed, "reason",
		text_or_null(block->reason));
}

/* One that is left out is "". */
static bool text_read(const json_t *json, const char *name, char *out, size_t size)
{
	const json_t *value = json_object_get(json, name);

	if (value == NULL)
		return true;
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len >= size || strlen(json_string_value(value)) != len)
		return false;
	memcpy(out, json_string_value(value), len + 1);
	return true;
}

static bool time_read(const json_t *json, const char *name, uint64_t *out_ms)
{
	const json_t *value = json_object_get(json, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*out_ms = (uint64_t)json_integer_value(value);
	return true;
}

static bool target_read(const json_t *json, struct block_target *target)
{
	const json_t *address = json_object_get(json, "address");

	if (!text_read(json, "route", target->route, sizeof(target->route)) ||
	    !text_read(json, "client_id", target->client_id, sizeof(target->client_id)))
		return false;
	if (target->client_id[0] != 0)
		return target->route[0] != 0 && address == NULL;
	return json_is_string(address) &&
	       net_prefix_parse(slice_from_text(json_string_value(address)), &target->address) ==
		       NULL;
}

bool block_json_read(const json_t *json, struct block *out_block)
{
	struct block block = {.is_removed = json_is_true(json_object_get(json, "removed"))};

	if (!json_is_object(json) || !target_read(json, &block.target) ||
	    !time_read(json, "changed_at_ms", &block.changed_at_ms) ||
	    !time_read(json, "expires_at_ms", &block.expires_at_ms) ||
	    !text_read(json, "reason", block.reason, sizeof(block.reason)))
		return false;
	block.id = block_id_of(&block.target);
	*out_block = block;
	return true;
}
