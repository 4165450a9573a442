/* SPDX-License-Identifier: Apache-2.0
 * takeover.c - who has a client, among the nodes of a cluster. Before it is let in, a question:
 * it is answered, or nobody has the client, or time is over; the one who asked may have gone by
 * then. After that, announcements: at once, again soon, slowly for ever; whoever hears of a
 * stronger claim than its own closes, and a reply is never answered. */
#include "fleet/takeover/takeover.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "bus/bus_subject.h"
#include "fleet/client.h"

/* The word that somebody has subscribed needs a moment through a cluster of brokers, so two
 * who come at once may miss each other's first announcement. */
#define SOON_NS NS_PER_S

static struct slice control_subject(const struct presence *presence, struct bus_subject *subject)
{
	int r = bus_subject_of_client(LINK_CTL, presence_route_name(presence), presence->client_id,
				      subject);

	CHECK(r == 0); /* both are bounded */
	return bus_subject_slice(subject);
}

/* --- the question --- */

static json_t *answer_load(const struct bus_message *answer)
{
	if (!slice_equals(bus_message_header(answer, LINK_STATUS), SLICE_LITERAL("200")))
		return NULL;
	return json_loadb((const char *)answer->body.data, answer->body.len, 0, NULL);
}

static void tell_answer(struct takeover_question *question, const struct bus_outcome *outcome)
{
	json_t *json = outcome->result == BUS_ANSWERED ? answer_load(outcome->answer) : NULL;
	struct client_claim holder;
	enum takeover_answer answer = TAKEOVER_UNKNOWN;

	if (claim_read(json, &holder))
		answer = TAKEOVER_HELD;
	/* Answered, but not with a claim: it has begun to end. */
	else if (outcome->result == BUS_NO_RESPONDERS || outcome->result == BUS_ANSWERED)
		answer = TAKEOVER_FREE;
	else
		counter_add(&question->home->fleet->takeovers.unanswered, 1);
	question->on_answer(question->owner, answer, answer == TAKEOVER_HELD ? &holder : NULL);
	json_decref(json);
}

static void on_done(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct takeover_question *question = CONTAINER_OF(request, struct takeover_question,
							  request);
	struct fleet_home *home = question->home;

	if (question->owner != NULL)
		tell_answer(question, outcome);
	free(question);
	home->questions--;
	home->on_gone(home);
}

struct takeover_question *takeover_ask(struct fleet_home *home, const struct presence *presence,
				       void (*on_answer)(void *owner, enum takeover_answer answer,
							 const struct client_claim *holder),
				       void *owner)
{
	struct takeover_question *question = calloc(1, sizeof(*question));
	struct bus_subject subject;
	struct bus_message message = {
		.subject = control_subject(presence, &subject),
		.body = SLICE_LITERAL("{\"command\":\"holder\"}"),
	};
	uint64_t timeout_ns = counter_read(&home->fleet->limits.claim_timeout_ns);

	if (question == NULL || bus_request(home->fleet->bus, &question->request, home->loop,
					    &message, timeout_ns, on_done) < 0) {
		free(question);
		counter_add(&home->fleet->takeovers.unanswered, 1);
		return NULL;
	}
	question->home = home;
	question->on_answer = on_answer;
	question->owner = owner;
	home->questions++;
	return question;
}

void takeover_ask_cancel(struct takeover_question **question)
{
	struct takeover_question *self = *question;

	*question = NULL;
	if (self == NULL)
		return;
	self->owner = NULL;
	bus_request_cancel(&self->request);
}

void takeover_stamp(struct presence *presence, const struct client_claim *holder)
{
	struct client_claim own = {.since_ms = clock_wall_ns() / NS_PER_MS};

	if (holder != NULL)
		claim_succeed(&own, holder);
	presence->connected_at_ms = own.since_ms & PRESENCE_TIME_MAX;
	presence->generation = (uint32_t)own.generation;
}

/* --- announcements --- */

struct client_claim takeover_claim(const struct client *client)
{
	CHECK(client->session != NULL);
	const struct presence *presence = client->session->presence;

	return (struct client_claim){
		.node = client->home->fleet->node,
		.since_ms = presence->connected_at_ms,
		.connection_id = presence->connection_id,
		.generation = presence->generation,
	};
}

/* One that is not sent, because the bus is full or away, or memory is out, is made up for by
 * the next. */
static void announce(const struct client *client, bool is_reply)
{
	struct client_claim claim = takeover_claim(client);
	json_t *json = claim_json(&claim);
	struct bus_subject subject;

	if (json == NULL)
		return;
	json_object_set_new(json, "command", json_string("claim"));
	json_object_set_new(json, "is_reply", json_boolean(is_reply));
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	if (text == NULL)
		return;
	int r = bus_publish_now(
		client->home->fleet->bus,
		&(struct bus_message){
			.subject = control_subject(client->session->presence, &subject),
			.body = slice_from_text(text),
		});
	free(text);
	if (r == 0)
		counter_add(&client->home->fleet->takeovers.announced, 1);
}

/* In `base_ns`, and up to `spread_ns` later. */
static void timer_set(struct client *client, uint64_t base_ns, uint64_t spread_ns)
{
	uint64_t spread_ms = MAX(spread_ns / NS_PER_MS, UINT64_C(1));
	uint64_t more_ms = random_u32(client->home->random) % spread_ms;

	loop_timer_start(client->home->loop, &client->takeover.timer,
			 base_ns + more_ms * NS_PER_MS);
}

static void announce_in_time(struct client *client)
{
	uint64_t interval_ns = counter_read(&client->home->fleet->limits.announce_interval_ns);

	timer_set(client, interval_ns / 2, interval_ns);
}

static void on_timer(struct timer *timer)
{
	struct client *client = CONTAINER_OF(timer, struct client, takeover.timer);

	CHECK(client->takeover.is_on);
	announce(client, false);
	announce_in_time(client);
}

void takeover_restore(struct client *client, enum directory_policy policy)
{
	CHECK(!client->takeover.is_on);
	if (policy == DIRECTORY_MANY)
		return;
	client->takeover = (struct takeover){.policy = policy, .is_on = true};
	loop_timer_init(&client->takeover.timer, on_timer);
}

void takeover_enter(struct client *client, enum directory_policy policy)
{
	takeover_restore(client, policy);
	if (!client->takeover.is_on)
		return;
	announce(client, false);
	timer_set(client, SOON_NS, SOON_NS);
}

void takeover_thaw(struct client *client)
{
	if (client->takeover.is_on)
		announce_in_time(client);
}

void takeover_leave(struct client *client)
{
	if (client->takeover.is_on)
		loop_timer_stop(client->home->loop, &client->takeover.timer);
	client->takeover.is_on = false;
}

void takeover_again(struct client *client, uint64_t within_ns)
{
	if (client->takeover.is_on)
		timer_set(client, SOON_NS, within_ns);
}

bool takeover_told(struct client *client, const struct client_claim *other, bool is_reply)
{
	struct client_claim own = takeover_claim(client);

	if (!client->takeover.is_on)
		return false;
	switch (claim_judge(client->takeover.policy, &own, other)) {
	case CLAIM_COEXISTS:
		return false;
	case CLAIM_STAYS:
		/* A reply is never answered: nodes of two minds would go on for ever. */
		if (!is_reply)
			announce(client, true);
		return false;
	case CLAIM_YIELDS:
		break;
	}
	counter_add(&client->home->fleet->takeovers.lost, 1);
	return true;
}
