/* SPDX-License-Identifier: Apache-2.0
 * The bus inside this process: what is published goes to the topics here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/bus_private.h"

/* What is published is with its subscribers, if there are any. */
static void tell_taken(struct bus *bus, const struct bus_sending *how)
{
	if (how->fate.taken != NULL)
		counter_add(how->fate.taken, 1);
	if (how->token != 0)
		requests_taken(bus, how->token);
}

static int embedded_publish(struct bus *bus, const struct bus_message *message,
			    const struct bus_sending *how)
{
	uint64_t answered = requests_token(bus, message->subject), token = how->token;

	if (answered != 0) {
		requests_answer(bus, answered, message);
		return 0;
	}
	int count = topics_deliver(bus, message, token);

	if (count >= 0)
		tell_taken(bus, how);
	if (count == 0 && token != 0)
		requests_complete(bus, token, BUS_NO_RESPONDERS);
	return MIN(count, 0);
}

static void embedded_status(struct bus *bus, struct bus_status *out_status)
{
	(void)bus;
	*out_status = (struct bus_status){.is_connected = true, .detail = "embedded"};
}

static void embedded_destroy(struct bus *bus)
{
	bus_finish(bus);
	free(bus);
}

static const struct bus_transport embedded = {
	.publish = embedded_publish,
	.status = embedded_status,
	.destroy = embedded_destroy,
};

int bus_create_embedded(const struct bus_options *options, struct bus **out_bus)
{
	struct bus *bus = aligned_alloc(_Alignof(struct bus), sizeof(*bus));

	if (bus == NULL)
		return -ENOMEM;
	bus_init(bus, &embedded, options);
	*out_bus = bus;
	return 0;
}
