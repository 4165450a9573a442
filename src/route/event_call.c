/* SPDX-License-Identifier: Apache-2.0
 * event_call.c - the call of an OCPP-J client that its back end has not answered (event_uplink.h).
 * Until the answer has been sent to the client nothing else of it is delivered, for at most
 * routes[].answer_timeout after the call itself was. */
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "route/event_uplink.h"
#include "route/route.h"

struct event_call {
	struct event_uplink *uplink;
	uint64_t number;
	struct timer timer;
};

static void on_late(struct timer *timer)
{
	struct event_uplink *uplink = CONTAINER_OF(timer, struct event_call, timer)->uplink;

	CHECK(uplink->call != NULL && uplink->base.owner != NULL);
	counter_add(&event_backend_of(uplink)->stats.unanswered, 1);
	event_call_end(uplink);
	uplink->base.handler->on_trouble(&uplink->base, "a client's call was not answered",
					 "nothing came within routes[].answer_timeout");
	event_uplink_go_on(uplink);
}

/* Without memory for it the next call does not wait. No time is limited yet: the back end may be
 * away. */
void event_call_begin(struct event_uplink *uplink, const struct event *event)
{
	if (event == NULL || event->call == 0 || uplink->base.owner == NULL)
		return;
	struct event_call *call = malloc(sizeof(*call));

	CHECK(uplink->call == NULL);
	if (call == NULL)
		return;
	*call = (struct event_call){.uplink = uplink, .number = event->call};
	loop_timer_init(&call->timer, on_late);
	uplink->call = call;
}

void event_call_delivered(struct event_uplink *uplink)
{
	if (uplink->call != NULL)
		loop_timer_start(uplink->loop, &uplink->call->timer,
				 uplink->base.route->config->answer_timeout * NS_PER_MS);
}

bool event_call_answer(struct event_uplink *uplink, uint64_t number)
{
	if (uplink->call == NULL || uplink->call->number != number)
		return false;
	event_call_end(uplink);
	return true;
}

void event_call_end(struct event_uplink *uplink)
{
	struct event_call *call = uplink->call;

	uplink->call = NULL;
	if (call != NULL)
		loop_timer_stop(uplink->loop, &call->timer);
	free(call);
}
