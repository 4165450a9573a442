/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/message.h"

#include <stdio.h>

#include "base/units.h"
#include "proto/utf8.h"

static void fault_size(uint64_t max, size_t len, struct message_fault *out_fault)
{
	int used = snprintf(out_fault->seen, sizeof(out_fault->seen), "%zu", len);

	out_fault->problem = (struct problem){
		.status = 413,
		.reason = "max_message_size",
		.detail = "The message is larger than server.max_message_size. Send less, or raise "
			  "it.",
		.seen = slice_of(out_fault->seen, (size_t)used),
		.allowed = units_format_size(max, out_fault->allowed, sizeof(out_fault->allowed)),
	};
}

bool message_check(const struct config *config, const struct message *message,
		   struct message_fault *out_fault)
{
	uint64_t max = config->server.max_message_size;

	if (message->bytes.len > max) {
		fault_size(max, message->bytes.len, out_fault);
		return false;
	}
	if (!message->is_text || utf8_is_valid(message->bytes.data, message->bytes.len))
		return true;
	out_fault->problem = (struct problem){
		.status = 400,
		.reason = "not_utf8",
		.detail = "The message is not UTF-8, as text must be. Send it as binary, or mend "
			  "it.",
		.allowed = "UTF-8",
	};
	return false;
}

static struct slice type_name(bool is_text)
{
	return is_text ? SLICE_LITERAL("text") : SLICE_LITERAL("binary");
}

struct bus_header message_type_header(const struct message *message)
{
	return (struct bus_header){SLICE_LITERAL(MESSAGE_TYPE), type_name(message->is_text)};
}

bool message_type_read(const struct bus_message *from, bool *out_is_text)
{
	struct slice type = bus_message_header(from, MESSAGE_TYPE);
	bool is_text = type.data == NULL || slice_equals(type, type_name(true));

	if (!is_text && !slice_equals(type, type_name(false)))
		return false;
	*out_is_text = is_text;
	return true;
}
