/* SPDX-License-Identifier: Apache-2.0
 * event_call.c - the call of an OCPP-J client that its back end has not answered (event_uplink.h).
 * Until the answer has been sent to the client nothing else of it is delivered, for at most
 * routes[].answer_timeout after the call itself was. */
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/state.h"
#include "route/event_uplink.h"
#include "route/route.h"

struct event_call {
	struct event_uplink *uplink;
	uint64_t number;
	struct timer timer;
	uint64_t left_ns;     /* until it runs */
	uint64_t deadline_ns; /* of the loop's clock; 0: the back end does not have it yet */
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

static struct event_call *call_create(struct event_uplink *uplink, uint64_t number)
{
	struct event_call *call = malloc(sizeof(*call));

	if (call == NULL)
		return NULL;
	*call = (struct event_call){.uplink = uplink, .number = number};
	loop_timer_init(&call->timer, on_late);
	uplink->call = call;
	return call;
}

static void timer_start(struct event_call *call, uint64_t after_ns)
{
	struct loop *loop = call->uplink->loop;

	call->deadline_ns = loop_now(loop) + after_ns;
	loop_timer_start(loop, &call->timer, after_ns);
}

/* Without memory for it the next call does not wait. No time is limited yet: the back end may be
 * away. */
void event_call_begin(struct event_uplink *uplink, const struct event *event)
{
	if (event == NULL || event->call == 0 || uplink->base.owner == NULL)
		return;
	CHECK(uplink->call == NULL);
	call_create(uplink, event->call);
}

void event_call_delivered(struct event_uplink *uplink)
{
	if (uplink->call != NULL)
		timer_start(uplink->call, uplink->base.route->config->answer_timeout * NS_PER_MS);
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

/* --- from process to process --- */

enum call_tag {
	CALL_TAG_NUMBER = 1,
	CALL_TAG_LEFT = 2, /* [ns] that the back end has; left out: it does not have the call yet */
};

void event_call_export(const struct event_uplink *uplink, uint16_t tag, struct state_writer *out)
{
	const struct event_call *call = uplink->call;
	bool is_leaving = uplink->flight != NULL && uplink->flight->is_under_way;

	if (call == NULL || (call->deadline_ns == 0 && !is_leaving))
		return;
	uint64_t now_ns = loop_now(uplink->loop);
	size_t begun = state_begin(out, tag);

	state_put_u64(out, CALL_TAG_NUMBER, call->number);
	if (call->deadline_ns != 0)
		state_put_u64(out, CALL_TAG_LEFT,
			      call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 1);
	state_end(out, begun);
}

bool event_call_import(struct event_uplink *uplink, struct slice state)
{
	uint64_t number = 0, left_ns = 0;
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, state);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == CALL_TAG_NUMBER)
			is_good = state_u64(&field, &number);
		else if (field.tag == CALL_TAG_LEFT)
			is_good = state_u64(&field, &left_ns);
		else
			is_good = !state_must_understand(field.tag);
	}
	if (!is_good || reader.is_bad || number == 0 || uplink->call != NULL ||
	    call_create(uplink, number) == NULL)
		return false;
	uplink->call->left_ns = left_ns;
	return true;
}

void event_call_thaw(struct event_uplink *uplink)
{
	if (uplink->call != NULL && uplink->call->left_ns != 0)
		timer_start(uplink->call, uplink->call->left_ns);
}
