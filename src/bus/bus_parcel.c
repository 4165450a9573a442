/* SPDX-License-Identifier: Apache-2.0
 * bus_parcel.c - one copy of a message, for all who get it (bus_private.h). It is charged to an
 * account when it is made, holds a delivery for each loop, and is freed, and its account
 * relieved, by the last of them, in whatever thread that is. */
#include <errno.h>

#include "base/payload.h"
#include "bus/bus_private.h"

static size_t text_size(struct slice text)
{
	return text.len + 1;
}

static size_t parcel_size(const struct bus_message *message, size_t delivery_count)
{
	size_t size = sizeof(struct bus_parcel) + delivery_count * sizeof(struct bus_delivery) +
		      message->header_count * sizeof(struct bus_header) +
		      text_size(message->subject) + text_size(message->reply) +
		      text_size(message->body);

	for (size_t i = 0; i < message->header_count; i++)
		size += text_size(message->headers[i].name) + text_size(message->headers[i].value);
	return size;
}

static int charge(uint64_t *pending, size_t size, size_t max)
{
	uint64_t before = __atomic_fetch_add(pending, size, __ATOMIC_RELAXED);

	if (before + size <= max)
		return 0;
	__atomic_fetch_sub(pending, size, __ATOMIC_RELAXED);
	return -ENOBUFS;
}

int parcel_create(struct bus *bus, uint64_t *pending, const struct bus_message *message,
		  size_t delivery_count, struct bus_parcel **out_parcel)
{
	size_t size = parcel_size(message, delivery_count);
	int r = charge(pending, size, __atomic_load_n(&bus->pending_max, __ATOMIC_RELAXED));

	if (r < 0)
		return r;
	struct bus_parcel *parcel = payload_alloc(size);

	if (parcel == NULL) {
		__atomic_fetch_sub(pending, size, __ATOMIC_RELAXED);
		return -ENOMEM;
	}
	*parcel = (struct bus_parcel){.bus = bus, .size = size, .pending = pending, .holders = 1};
	*out_parcel = parcel;
	return 0;
}

static struct slice text_copy(uint8_t **at, struct slice text)
{
	struct slice copy = slice_of(*at, text.len);

	if (text.len > 0)
		memcpy(*at, text.data, text.len);
	(*at)[text.len] = 0;
	*at += text.len + 1;
	return copy;
}

void parcel_fill(struct bus_parcel *parcel, const struct bus_message *message,
		 size_t delivery_count)
{
	struct bus_header *headers = (struct bus_header *)(parcel->deliveries + delivery_count);
	uint8_t *at = (uint8_t *)(headers + message->header_count);

	for (size_t i = 0; i < message->header_count; i++) {
		headers[i].name = text_copy(&at, message->headers[i].name);
		headers[i].value = text_copy(&at, message->headers[i].value);
	}
	parcel->message = (struct bus_message){.headers = headers,
					       .header_count = message->header_count};
	parcel->message.subject = text_copy(&at, message->subject);
	parcel->message.reply = text_copy(&at, message->reply);
	parcel->message.body = text_copy(&at, message->body);
}

void parcel_unref(struct bus_parcel *parcel)
{
	if (parcel == NULL || !reference_drop(&parcel->holders))
		return;
	struct bus *bus = parcel->bus;
	uint64_t token = parcel->token;
	bool is_delivered = parcel->is_delivered;

	__atomic_fetch_sub(parcel->pending, parcel->size, __ATOMIC_RELAXED);
	payload_free(parcel, parcel->size);
	if (token != 0)
		requests_settle(bus, token, is_delivered);
}
