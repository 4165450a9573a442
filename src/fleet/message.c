/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/message.h"

#include <stdio.h>

#include "base/counter.h"
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

bool message_check(const struct fleet *fleet, const struct message *message,
		   struct message_fault *out_fault)
{
	uint64_t max = counter_read(&fleet->limits.max_message_size);

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

size_t message_headers(const struct message *message, struct bus_header out[MESSAGE_HEADERS_MAX])
{
	out[0] = (struct bus_header){SLICE_LITERAL(MESSAGE_TYPE), type_name(message->is_text)};
	if (!message->stays_plain)
		return 1;
	out[1] = (struct bus_header){SLICE_LITERAL(MESSAGE_COMPRESS), SLICE_LITERAL("no")};
	return 2;
}

bool message_compress_read(struct slice value, bool *out_stays_plain)
{
	bool stays_plain = slice_equals_nocase(value, SLICE_LITERAL("no"));

	if (value.data != NULL && !stays_plain && !slice_equals_nocase(value, SLICE_LITERAL("yes")))
		return false;
	*out_stays_plain = stays_plain;
	return true;
}

const char *message_headers_read(const struct bus_message *from, struct message *message)
{
	struct slice type = bus_message_header(from, MESSAGE_TYPE);
	bool is_text = type.data == NULL || slice_equals(type, type_name(true));

	if (!is_text && !slice_equals(type, type_name(false)))
		return MESSAGE_TYPE;
	message->is_text = is_text;
	return message_compress_read(bus_message_header(from, MESSAGE_COMPRESS),
				     &message->stays_plain)
		       ? NULL
		       : MESSAGE_COMPRESS;
}
