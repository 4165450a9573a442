/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ticket_road.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "fleet/client.h"

#define SUBJECT        "gatehouse.ticket."
#define ASK_TIMEOUT_NS (2 * NS_PER_S)

static struct slice subject_write(struct slice origin, char *out, size_t size)
{
	int len = snprintf(out, size, SUBJECT "%.*s", SLICE_ARG(origin));

	CHECK(len > 0 && (size_t)len < size);
	return slice_of(out, (size_t)len);
}

/* --- asking --- */

struct question {
	struct bus_request request;
	struct fleet_home *home;
	struct auth_pending *pending; /* NULL: nobody waits any more */
};

static enum auth_verdict unavailable(struct auth_result *result)
{
	return auth_result_set(result, AUTH_UNAVAILABLE, "ticket_node",
			       "The node that made the ticket cannot be asked about it now.");
}

static char *text_take(const json_t *answer, const char *name)
{
	const char *text = json_string_value(json_object_get(answer, name));

	return text == NULL ? NULL : strdup(text);
}

static enum auth_verdict answer_read(const struct bus_message *message, struct auth_result *result)
{
	json_t *answer = json_loadb((const char *)message->body.data, message->body.len, 0, NULL);
	const char *word = json_string_value(json_object_get(answer, "result"));
	enum ticket_result taken = TICKET_UNKNOWN;
	struct ticket ticket = {0};

	if (word == NULL) {
		json_decref(answer);
		return unavailable(result);
	}
	if (strcmp(word, "route") == 0)
		taken = TICKET_ROUTE;
	if (strcmp(word, "moved") == 0)
		taken = TICKET_MOVED;
	if (strcmp(word, "taken") == 0) {
		ticket = (struct ticket){.client_id = text_take(answer, "client_id"),
					 .groups = text_take(answer, "groups"),
					 .subprotocol = text_take(answer, "subprotocol")};
		taken = ticket.client_id == NULL ? TICKET_UNKNOWN : TICKET_TAKEN;
	}
	json_decref(answer);
	enum auth_verdict verdict = ticket_verdict(taken, &ticket, result);

	ticket_finish(&ticket);
	return verdict;
}

static void on_answer(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct question *question = CONTAINER_OF(request, struct question, request);
	struct fleet_home *home = question->home;
	struct auth_pending *pending = question->pending;
	struct auth_result result = {0};
	struct ticket none = {0};
	enum auth_verdict verdict;

	free(question);
	if (pending != NULL) {
		if (outcome->result == BUS_ANSWERED)
			verdict = answer_read(outcome->answer, &result);
		else if (outcome->result == BUS_NO_RESPONDERS) /* it is gone, with its tickets */
			verdict = ticket_verdict(TICKET_UNKNOWN, &none, &result);
		else
			verdict = unavailable(&result);
		auth_pending_done(pending, verdict, &result);
	}
	home->questions--;
	home->on_gone(home);
}

static void on_cancel(struct auth_pending *pending)
{
	struct question *question = pending->job;

	question->pending = NULL;
	bus_request_cancel(&question->request);
}

static int question_send(struct question *question, const struct auth_request *asked,
			 struct slice origin, struct slice ticket)
{
	char subject[sizeof(SUBJECT) + TICKET_ORIGIN_MAX];
	json_t *json = json_pack("{s:s%, s:s}", "ticket", (const char *)ticket.data, ticket.len,
				 "route", asked->route);
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
	int r = -1;

	json_decref(json);
	if (text != NULL)
		r = bus_request(question->home->fleet->bus, &question->request,
				question->home->loop,
				&(struct bus_message){
					.subject = subject_write(origin, subject, sizeof(subject)),
					.body = slice_from_text(text)},
				ASK_TIMEOUT_NS, on_answer);
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	return r;
}

static enum auth_verdict ask(const struct ticket_road *road, const struct auth_request *asked,
			     struct slice origin, struct slice ticket,
			     struct auth_result *out_result, struct auth_pending *out_pending)
{
	struct question *question = calloc(1, sizeof(*question));

	(void)road;
	if (question == NULL)
		return unavailable(out_result);
	question->home = asked->fleet_home;
	question->pending = out_pending;
	if (question_send(question, asked, origin, ticket) < 0) {
		free(question);
		return unavailable(out_result);
	}
	question->home->questions++;
	*out_pending = (struct auth_pending){.job = question, .cancel = on_cancel};
	return AUTH_LATER;
}

const struct ticket_road ticket_road = {.ask = ask};

/* --- being asked --- */

static json_t *take(struct ticket_ear *ear, const json_t *asked)
{
	const json_t *text = json_object_get(asked, "ticket");
	const char *route = json_string_value(json_object_get(asked, "route"));
	struct ticket ticket = {0};
	enum ticket_result taken = TICKET_UNKNOWN;
	json_t *answer;

	if (json_is_string(text) && route != NULL)
		taken = tickets_take(ear->tickets,
				     slice_of(json_string_value(text), json_string_length(text)),
				     route, &ticket);
	if (taken == TICKET_TAKEN)
		answer = json_pack("{s:s, s:s, s:s*, s:s*}", "result", "taken", "client_id",
				   ticket.client_id, "groups", ticket.groups, "subprotocol",
				   ticket.subprotocol);
	else
		answer = json_pack("{s:s}", "result",
				   taken == TICKET_ROUTE   ? "route"
				   : taken == TICKET_MOVED ? "moved"
							   : "unknown");
	ticket_finish(&ticket);
	return answer;
}

static void on_message(struct bus_subscription *subscription, const struct bus_message *message)
{
	struct ticket_ear *ear = CONTAINER_OF(subscription, struct ticket_ear, subscription);
	json_t *asked = json_loadb((const char *)message->body.data, message->body.len,
				   JSON_REJECT_DUPLICATES, NULL);
	json_t *answer = take(ear, asked);
	char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);

	if (text != NULL)
		bus_reply(ear->fleet->bus, message,
			  &(struct bus_message){.body = slice_from_text(text)});
	free(text); /* if it did not leave, its client is told to try again */
	json_decref(answer);
	json_decref(asked);
}

void ticket_ear_open(struct ticket_ear *ear, struct fleet_home *home)
{
	char subject[sizeof(SUBJECT) + TICKET_ORIGIN_MAX];
	struct slice name = subject_write(slice_from_text(ear->fleet->origin), subject,
					  sizeof(subject));

	if (!ear->fleet->is_clustered)
		return;
	if (bus_subscribe(ear->fleet->bus, &ear->subscription, home->loop, name, on_message) < 0) {
		log_warn("other nodes cannot redeem tickets of this one: out of memory");
		return;
	}
	ear->home = home;
	home->clients++;
}

static void on_closed(struct bus_subscription *subscription)
{
	struct ticket_ear *ear = CONTAINER_OF(subscription, struct ticket_ear, subscription);
	struct fleet_home *home = ear->home;

	ear->home = NULL;
	home->clients--;
	home->on_gone(home);
}

void ticket_ear_close(struct ticket_ear *ear)
{
	if (ear->home != NULL)
		bus_unsubscribe(&ear->subscription, on_closed);
}
