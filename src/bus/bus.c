/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/random.h"
#include "bus/bus_private.h"

#define PENDING_MAX_DEFAULT  (UINT64_C(64) << 20)
#define REQUESTS_MAX_DEFAULT 65536
#define MESSAGE_MAX_DEFAULT  (UINT64_C(1) << 20) /* as nats-server has it */

/* --- messages --- */

struct slice bus_message_header(const struct bus_message *message, const char *name)
{
	for (size_t i = 0; i < message->header_count; i++)
		if (slice_equals(message->headers[i].name, slice_from_text(name)))
			return message->headers[i].value;
	return (struct slice){0};
}

/* A token (RFC 9110, 5.6.2). "Status" is how a broker says that nobody is there. */
static bool is_header_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", name.data[i]) != NULL)
			return false;
	return name.len > 0 && !slice_equals_nocase(name, SLICE_LITERAL("Status"));
}

/* libnats 3.4 reads an empty value wrongly: it takes the line behind it for the value. */
static bool is_header_value(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f)
			return false;
	return value.len > 0 && slice_trim(value).len == value.len;
}

size_t bus_headers_size(const struct bus_message *message)
{
	size_t size = sizeof("NATS/1.0\r\n\r\n") - 1;

	if (message->header_count == 0)
		return 0;
	for (size_t i = 0; i < message->header_count; i++)
		size += message->headers[i].name.len + message->headers[i].value.len +
			sizeof(": \r\n") - 1;
	return size;
}

int bus_message_check(const struct bus *bus, const struct bus_message *message)
{
	if (!bus_subject_is_valid(message->subject) || message->header_count > BUS_HEADERS_MAX ||
	    (message->reply.len > 0 && !bus_subject_is_valid(message->reply)))
		return -EINVAL;
	for (size_t i = 0; i < message->header_count; i++)
		if (!is_header_name(message->headers[i].name) ||
		    !is_header_value(message->headers[i].value))
			return -EINVAL;
	size_t max = __atomic_load_n(&bus->message_max, __ATOMIC_RELAXED);

	return bus_headers_size(message) + message->body.len > max ? -EMSGSIZE : 0;
}

/* --- publishing --- */

static int publish(struct bus *bus, const struct bus_message *message,
		   const struct bus_sending *how)
{
	int r = bus_message_check(bus, message);

	if (r == 0)
		r = bus->transport->publish(bus, message, how);
	if (r == 0)
		BUS_COUNT(bus, published);
	else if (r == -ENOBUFS)
		BUS_COUNT(bus, refused);
	return r;
}

int bus_publish(struct bus *bus, const struct bus_message *message)
{
	return publish(bus, message, &(struct bus_sending){.may_wait = true});
}

int bus_publish_counted(struct bus *bus, const struct bus_message *message,
			const struct bus_fate *fate)
{
	return publish(bus, message, &(struct bus_sending){.may_wait = true, .fate = *fate});
}

int bus_publish_now(struct bus *bus, const struct bus_message *message)
{
	return publish(bus, message, &(struct bus_sending){.may_wait = false});
}

int bus_reply(struct bus *bus, const struct bus_message *question, const struct bus_message *answer)
{
	struct bus_message message = *answer;

	if (question->reply.len == 0)
		return -EDESTADDRREQ;
	message.subject = question->reply;
	return bus_publish(bus, &message);
}

/* --- status --- */

uint64_t bus_family_epoch(const struct bus *bus)
{
	return counter_read(&bus->family_epoch);
}

void bus_status(struct bus *bus, struct bus_status *out_status)
{
	bus->transport->status(bus, out_status);
}

void bus_stats(struct bus *bus, struct bus_stats *out_stats)
{
#define STAT_LOAD(name, help) .name = counter_read(&bus->stats.name),
	struct bus_stats stats = {BUS_COUNTERS(STAT_LOAD) BUS_GAUGES(STAT_LOAD)};

	pthread_mutex_lock(&bus->requests.mutex);
	stats.requests_in_flight = bus->requests.in_flight;
	pthread_mutex_unlock(&bus->requests.mutex);
	*out_stats = stats;
}

/* --- life --- */

static void inbox_name(struct bus *bus)
{
	struct random_source random = {0};
	uint64_t number;

	random_fill(&random, &number, sizeof(number));
	snprintf(bus->inbox, sizeof(bus->inbox), "_INBOX.%016" PRIx64 ".", number);
}

void bus_init(struct bus *bus, const struct bus_transport *transport,
	      const struct bus_options *options)
{
	*bus = (struct bus){.transport = transport, .message_max = MESSAGE_MAX_DEFAULT};
	bus->pending_max = options->pending_max > 0 ? options->pending_max : PENDING_MAX_DEFAULT;
	bus->family_epoch = options->family_epoch;
	inbox_name(bus);
	requests_init(bus,
		      options->requests_max > 0 ? options->requests_max : REQUESTS_MAX_DEFAULT);
	topics_init(bus);
	inflow_init(bus);
}

void bus_set_limits(struct bus *bus, size_t pending_max, uint32_t requests_max)
{
	__atomic_store_n(&bus->pending_max, pending_max, __ATOMIC_RELAXED);
	requests_set_max(bus, requests_max);
}

void bus_finish(struct bus *bus)
{
	inflow_finish(bus);
	topics_finish(bus);
	requests_finish(bus);
}

void bus_destroy(struct bus **bus)
{
	if (*bus == NULL)
		return;
	CHECK((*bus)->stats.subscriptions == 0);
	(*bus)->transport->destroy(*bus);
	*bus = NULL;
}
