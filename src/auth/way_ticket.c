/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/way_ticket.h"

#include <stdlib.h>

#include "base/check.h"

struct ticket_way {
	struct auth_way base;
	struct shown_rules shown;
	struct tickets *tickets;
	const struct ticket_road *road;
};

enum auth_verdict ticket_verdict(enum ticket_result taken, struct ticket *ticket,
				 struct auth_result *out_result)
{
	switch (taken) {
	case TICKET_TAKEN:
		out_result->client_id = ticket->client_id;
		out_result->groups = ticket->groups;
		out_result->subprotocol = ticket->subprotocol;
		*ticket = (struct ticket){0};
		return AUTH_PROVED;
	case TICKET_ROUTE:
		return auth_result_set(out_result, AUTH_FORBIDDEN, "ticket_route",
				       "The ticket was for another route, and is used up now.");
	case TICKET_MOVED:
		return auth_result_set(out_result, AUTH_UNAVAILABLE, "ticket_node",
				       "The process that had the ticket hands over to the next, "
				       "which has it in a moment.");
	case TICKET_FOREIGN:
	case TICKET_UNKNOWN:
		break;
	}
	return auth_result_set(out_result, AUTH_WRONG, "ticket_unknown",
			       "The ticket is used up, or over, or was never made; a new one is "
			       "needed for each attempt.");
}

static enum auth_verdict check(const struct auth_way *base, const struct auth_request *request,
			       struct auth_result *out_result, struct auth_pending *out_pending)
{
	const struct ticket_way *way = CONTAINER_OF(base, struct ticket_way, base);
	struct ticket ticket = {0};
	struct slice text, origin;

	if (!shown_find(&way->shown, request->head, request->data, &text))
		return auth_result_set(out_result, AUTH_NO_PROOF, "no_ticket",
				       "The request has no ticket.");
	enum ticket_result taken = tickets_take(way->tickets, text, request->route, &ticket);

	if (taken == TICKET_FOREIGN && way->road != NULL && ticket_origin(text, &origin))
		return way->road->ask(way->road, request, origin, text, out_result, out_pending);
	return ticket_verdict(taken, &ticket, out_result);
}

static void hide(const struct auth_way *base, const struct http_head *head, uint8_t *data)
{
	shown_hide(&CONTAINER_OF(base, struct ticket_way, base)->shown, head, data);
}

static void destroy(struct auth_way *base)
{
	free(CONTAINER_OF(base, struct ticket_way, base));
}

static const struct auth_way_ops ops = {
	.name = "ticket",
	.cost = AUTH_COST_TABLE,
	.check = check,
	.hide = hide,
	.destroy = destroy,
};

struct auth_way *ticket_way_create(const struct shown_rules *shown, struct tickets *tickets,
				   const struct ticket_road *road)
{
	struct ticket_way *way = calloc(1, sizeof(*way));

	if (way == NULL)
		return NULL;
	way->base.ops = &ops;
	way->shown = *shown;
	way->tickets = tickets;
	way->road = road;
	return &way->base;
}
