/* SPDX-License-Identifier: Apache-2.0
 * way_ticket.h - a client proves who it is by a ticket that the API made for it
 * (docs/auth-tokens.md).
 *
 * Layer: auth. */
#pragma once

#include "auth/auth_way.h"
#include "auth/shown.h"
#include "auth/tickets.h"

/* The road to other nodes, whose tickets may be shown here. */
struct ticket_road {
	/* Has the node `origin` take the ticket, and ends the pending with what it says; in the
	 * thread of the request's loop. AUTH_LATER and *out_pending; or not: then it says why in
	 * *out_result. */
	enum auth_verdict (*ask)(const struct ticket_road *road, const struct auth_request *request,
				 struct slice origin, struct slice ticket,
				 struct auth_result *out_result, struct auth_pending *out_pending);
};

/* `shown` and the others are lent for as long as the way lives; `road` may be NULL: there are no
 * other nodes. NULL: memory is out. */
struct auth_way *ticket_way_create(const struct shown_rules *shown, struct tickets *tickets,
				   const struct ticket_road *road);

/* What is to be said of a ticket; takes over what is in `ticket`. */
enum auth_verdict ticket_verdict(enum ticket_result taken, struct ticket *ticket,
				 struct auth_result *out_result);
