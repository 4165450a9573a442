/* SPDX-License-Identifier: Apache-2.0
 * fuzz_bus_message.c - the input as a message of the broker's that another process passes on: what
 * is taken is a message that the bus takes, and comes out as it went in. */
#include "fuzz.h"

#include "bus/bus_subject.h"
#include "fleet/fleet_handover.h"

static bool is_same(const struct bus_message *a, const struct bus_message *b)
{
	bool is_same = slice_equals(a->subject, b->subject) && slice_equals(a->reply, b->reply) &&
		       slice_equals(a->body, b->body) && a->header_count == b->header_count;

	for (size_t i = 0; is_same && i < a->header_count; i++)
		is_same = slice_equals(a->headers[i].name, b->headers[i].name) &&
			  slice_equals(a->headers[i].value, b->headers[i].value);
	return is_same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bus_header headers[BUS_HEADERS_MAX], headers_again[BUS_HEADERS_MAX];
	struct bus_message message, again;
	struct buf out = {0};

	if (!bus_message_read(slice_of(data, size), headers, &message))
		return 0;
	CHECK(bus_subject_is_valid(message.subject) && message.header_count <= BUS_HEADERS_MAX);
	CHECK(bus_message_write(&out, &message) == 0);
	CHECK(bus_message_read(buf_slice(&out), headers_again, &again));
	CHECK(is_same(&message, &again));
	buf_finish(&out);
	return 0;
}
