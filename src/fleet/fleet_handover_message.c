/* SPDX-License-Identifier: Apache-2.0
 * fleet_handover_message.c - a message of the broker's, from one process to the next
 * (fleet_handover.h). */
#include "bus/bus_subject.h"
#include "fleet/fleet_handover.h"

enum message_tag {
	MESSAGE_TAG_SUBJECT = 1,
	MESSAGE_TAG_REPLY = 2,
	MESSAGE_TAG_BODY = 3,
	MESSAGE_TAG_HEADER_NAME = 4, /* each with its value behind it */
	MESSAGE_TAG_HEADER_VALUE = 5,
};

int bus_message_write(struct buf *out, const struct bus_message *message)
{
	struct state_writer writer;

	state_writer_init(&writer, out, SIZE_MAX / 2);
	state_put_bytes(&writer, MESSAGE_TAG_SUBJECT, message->subject);
	if (message->reply.len > 0)
		state_put_bytes(&writer, MESSAGE_TAG_REPLY, message->reply);
	for (size_t i = 0; i < message->header_count; i++) {
		state_put_bytes(&writer, MESSAGE_TAG_HEADER_NAME, message->headers[i].name);
		state_put_bytes(&writer, MESSAGE_TAG_HEADER_VALUE, message->headers[i].value);
	}
	state_put_bytes(&writer, MESSAGE_TAG_BODY, message->body);
	return writer.error;
}

/* A name begins a header, and its value follows. */
static bool header_read(const struct state_field *field, struct bus_header *headers,
			struct bus_message *message)
{
	bool is_name = field->tag == MESSAGE_TAG_HEADER_NAME;
	size_t count = message->header_count;

	if (is_name && count < BUS_HEADERS_MAX && field->value.len > 0) {
		headers[count] = (struct bus_header){.name = field->value};
		message->header_count++;
		return true;
	}
	if (is_name || count == 0 || headers[count - 1].value.data != NULL)
		return false;
	headers[count - 1].value = field->value;
	return true;
}

static bool field_read(const struct state_field *field, struct bus_header *headers,
		       struct bus_message *message)
{
	switch (field->tag) {
	case MESSAGE_TAG_SUBJECT:
		message->subject = field->value;
		return true;
	case MESSAGE_TAG_REPLY:
		message->reply = field->value;
		return true;
	case MESSAGE_TAG_BODY:
		message->body = field->value;
		return true;
	case MESSAGE_TAG_HEADER_NAME:
	case MESSAGE_TAG_HEADER_VALUE:
		return header_read(field, headers, message);
	default:
		return !state_must_understand(field->tag);
	}
}

bool bus_message_read(struct slice bytes, struct bus_header *headers,
		      struct bus_message *out_message)
{
	struct bus_message message = {.headers = headers};
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, bytes);
	while (is_good && state_next(&reader, &field))
		is_good = field_read(&field, headers, &message);
	for (size_t i = 0; i < message.header_count; i++)
		is_good &= headers[i].value.data != NULL;
	if (!is_good || reader.is_bad || !bus_subject_is_valid(message.subject) ||
	    (message.reply.len > 0 && !bus_subject_is_valid(message.reply)))
		return false;
	*out_message = message;
	return true;
}
