/* SPDX-License-Identifier: Apache-2.0
 * type_ticket.c - the way 'ticket' as the configuration wants it: there is nothing to be said of
 * it. */
#include <errno.h>
#include <stdio.h>

#include "auth/auth_type.h"
#include "auth/way_ticket.h"

static const struct shown_rules shown = {
	.places = SHOWN_BIT(QUERY) | SHOWN_BIT(SUBPROTOCOL),
	.query = "ticket",
	.subprotocol = "ticket",
};

static int check(const struct auth_wanted *wanted, struct auth_error *error)
{
	(void)wanted;
	(void)error;
	return 0;
}

static int create(const struct auth_wanted *wanted, struct auth_way **out_way,
		  struct auth_error *error)
{
	*out_way = ticket_way_create(&shown, wanted->world->tickets, wanted->world->ticket_road);
	if (*out_way != NULL)
		return 0;
	snprintf(error->text, sizeof(error->text), "out of memory");
	return -ENOMEM;
}

const struct auth_type auth_type_ticket = {.name = "ticket", .create = create, .check = check};
