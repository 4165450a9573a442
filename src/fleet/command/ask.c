/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/command/ask.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/units.h"
#include "bus/bus_subject.h"
#include "fleet/command/command_road.h"
#include "fleet/command/command_trace.h"
#include "fleet/link.h"
#include "fleet/message.h"

static struct command *command_of(struct ask *ask)
{
	return CONTAINER_OF(ask, struct command, ask);
}

/* --- back --- */

/* In the thread of who asks. */
static void on_back(struct loop_task *task)
{
	struct ask *ask = CONTAINER_OF(task, struct ask, back);
	struct fleet_home *home = ask->home;

	CHECK(command_has_ended(command_of(ask)) && !ask->is_on_bus && !ask->is_probing);
	list_remove(&ask->node);
	ask->on_done(command_of(ask), ask->arg);
	home->on_gone(home);
}

void ask_go_back(struct command *command)
{
	command->ask.back.run = on_back;
	loop_post(command->ask.home->loop, &command->ask.back);
}

static void problem(struct command *command, unsigned status, const char *reason,
		    const char *detail)
{
	command_problem(command,
			&(struct problem){.status = status, .reason = reason, .detail = detail});
}

/* --- to a client of this node --- */

/* In the client's thread. */
static void arrive(struct presence_task *task, struct session *session)
{
	struct ask *ask = CONTAINER_OF(task, struct ask, there);
	struct command *command = command_of(ask);

	if (session != NULL) {
		command_run(command, session, ask_go_back, NULL);
		return;
	}
	if (command_road_bring(fleet_command_road(command->fleet), command))
		return;
	command_not_connected(command, slice_from_text(task->presence->client_id));
	ask_go_back(command);
}

/* False: no client of this name is here. */
static bool ask_here(struct command *command, const char *route, const char *client_id)
{
	struct presence *presence = directory_find(command->fleet->directory, route, client_id);
	struct ask *ask = &command->ask;

	if (presence == NULL)
		return false;
	ask->there.run = arrive;
	bool is_posted = presence_post(presence, &ask->there);

	presence_unref(&presence);
	return is_posted;
}

/* --- over the bus --- */

/* 0: the header is none of ours. */
static unsigned status_read(const struct bus_message *answer)
{
	struct slice text = bus_message_header(answer, LINK_STATUS);
	uint64_t status;

	if (text.data == NULL || units_parse_count(text, &status) != UNITS_OK || status < 200 ||
	    status > 599)
		return 0;
	return (unsigned)status;
}

static void take_answer(struct command *command, const struct bus_message *answer)
{
	unsigned status = status_read(answer);

	if (status == 0)
		problem(command, 502, "bad_answer",
			"What answered on the bus for this client is no Gatehouse: its answer has "
			"no " LINK_STATUS ".");
	else
		command_answer(command, status, answer->body);
}

static void problem_bus(struct command *command, const char *what, const char *reason)
{
	char detail[512];

	snprintf(detail, sizeof(detail), "%s: %s.", what, reason);
	problem(command, 503, "bus", detail);
}

static void problem_away(struct command *command)
{
	struct bus_status status;

	bus_status(command->fleet->bus, &status);
	problem_bus(command,
		    "The client is not connected to this node, and others cannot be asked, "
		    "because the broker is away",
		    status.is_connected ? "it was lost while we waited" : status.detail);
}

/* Nobody is subscribed: so the client is connected nowhere, unless its node may not subscribe. The
 * nodes of a fleet have the same permissions, as a rule; and each tells the others. */
static void no_responders(struct command *command)
{
	struct bus_status status;

	bus_status(command->fleet->bus, &status);
	bool is_other_deaf = counter_read(&command->fleet->deaf_nodes) > 0;

	if (status.is_deaf || is_other_deaf)
		problem_bus(command,
			    "The client is not connected to this node, and whether another has it "
			    "is not known",
			    status.is_deaf ? status.forbidden
					   : "the broker forbids subscriptions to another node, "
					     "which GET /api/v1/cluster names");
	else
		command_not_connected(command, slice_from_text(command->ask.client_id));
}

static void end_by_outcome(struct command *command, const struct bus_outcome *outcome)
{
	switch (outcome->result) {
	case BUS_ANSWERED:
		take_answer(command, outcome->answer);
		break;
	case BUS_NO_RESPONDERS:
		no_responders(command);
		break;
	case BUS_TIMED_OUT:
		problem(command, 504, "timed_out",
			"The node that has the client has not answered in time. What was asked for "
			"may still happen.");
		break;
	case BUS_DISCONNECTED:
		problem_away(command);
		break;
	default:
		problem_bus(command, "Asking the node that has the client failed", outcome->reason);
		break;
	}
}

static void end_lost(struct command *command)
{
	command_lost(command,
		     &(struct problem){
			     .status = 404,
			     .reason = "not_connected",
			     .detail = "This client is not connected any more. What was asked for "
				       "may have happened before.",
			     .seen = slice_from_text(command->ask.client_id),
		     });
}

static void on_outcome(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct ask *ask = CONTAINER_OF(request, struct ask, request);
	struct command *command = command_of(ask);

	CHECK(ask->is_on_bus);
	ask->is_on_bus = false;
	loop_timer_stop(ask->home->loop, &ask->watch);
	if (ask->is_gone && outcome->result == BUS_CANCELLED)
		end_lost(command);
	else
		end_by_outcome(command, outcome);
	if (ask->is_probing)
		bus_request_cancel(&ask->probe);
	else
		ask_go_back(command);
}

/* --- is the client still there? ---
 *
 * The broker takes a question to a client until it hears that the client has left. So one
 * that meets the end of a connection, or of its node, is answered by nobody. Who waits
 * asks again, not for the same, which could happen twice, but whether there is anybody. */

#define WATCH_FIRST_NS (250 * NS_PER_MS)
#define WATCH_NEXT_NS  (1 * NS_PER_S)

static void on_probed(struct bus_request *probe, const struct bus_outcome *outcome)
{
	struct ask *ask = CONTAINER_OF(probe, struct ask, probe);

	CHECK(ask->is_probing);
	ask->is_probing = false;
	if (!ask->is_on_bus) {
		ask_go_back(command_of(ask));
	} else if (outcome->result == BUS_NO_RESPONDERS) {
		ask->is_gone = true;
		bus_request_cancel(&ask->request);
	} else {
		loop_timer_start(ask->home->loop, &ask->watch, WATCH_NEXT_NS);
	}
}

static void on_watch(struct timer *timer)
{
	struct ask *ask = CONTAINER_OF(timer, struct ask, watch);
	struct bus_subject subject;

	CHECK(ask->is_on_bus && !ask->is_probing);
	int r = bus_subject_of_client(LINK_CTL, ask->route, ask->client_id, &subject);

	if (r == 0)
		r = bus_request(command_of(ask)->fleet->bus, &ask->probe, ask->home->loop,
				&(struct bus_message){
					.subject = bus_subject_slice(&subject),
					.body = SLICE_LITERAL("{\"command\":\"inspect\"}"),
				},
				WATCH_NEXT_NS, on_probed);
	ask->is_probing = r == 0;
	if (r < 0)
		loop_timer_start(ask->home->loop, &ask->watch, WATCH_NEXT_NS);
}

/* --- the question --- */

static void problem_send(struct command *command, int error)
{
	if (error == -EMSGSIZE)
		problem(command, 413, "max_payload",
			"The client is connected to another node, if at all, and the message is "
			"larger than the broker takes. Send less, or raise its max_payload.");
	else if (error == -ENOMEM)
		command_done(command, 503, NULL);
	else
		problem_bus(command, "Asking the node that has the client failed",
			    error == -EAGAIN    ? "bus.requests_max questions are under way"
			    : error == -ENOBUFS ? "bus.pending_max bytes wait for the broker"
						: "the bus refused the message");
}

/* Returns 0, or a negative errno as bus_request. */
static int request(struct command *command, const char *prefix, struct bus_message message)
{
	struct ask *ask = &command->ask;
	struct bus_subject subject;
	int r = bus_subject_of_client(prefix, ask->route, ask->client_id, &subject);

	message.subject = bus_subject_slice(&subject);
	if (r == 0)
		r = bus_request(command->fleet->bus, &ask->request, ask->home->loop, &message,
				command->timeout_ns, on_outcome);
	ask->is_on_bus = r == 0;
	if (r == 0)
		loop_timer_start(ask->home->loop, &ask->watch, WATCH_FIRST_NS);
	return r;
}

static int request_message(struct command *command)
{
	const struct message *message = command_args(command);
	struct bus_header headers[MESSAGE_HEADERS_MAX + 1];
	char trace[TRACE_PARENT_LEN + 1];
	size_t count = message_headers(message, headers);

	count += command_trace_headers(command, &headers[count], trace);
	return request(command, LINK_TO,
		       (struct bus_message){
			       .headers = headers, .header_count = count, .body = message->bytes});
}

static int request_command(struct command *command)
{
	char *text = command_format(command), trace[TRACE_PARENT_LEN + 1];
	struct bus_header header;
	size_t count = command_trace_headers(command, &header, trace);
	int r = text == NULL ? -ENOMEM
			     : request(command, LINK_CTL,
				       (struct bus_message){.headers = &header,
							    .header_count = count,
							    .body = slice_from_text(text)});

	free(text);
	return r;
}

static void ask_bus(struct command *command)
{
	int r = command->kind == &command_send ? request_message(command)
					       : request_command(command);

	if (r == 0)
		return;
	problem_send(command, r);
	ask_go_back(command);
}

/* --- asking --- */

static uint64_t last_number; /* atomic: by which the result finds back from another process */

void fleet_ask(struct fleet_home *home, const char *route, const char *client_id,
	       struct command *command, uint64_t timeout_ns,
	       void (*on_done)(struct command *command, void *arg), void *arg)
{
	struct ask *ask = &command->ask;

	*ask = (struct ask){.home = home, .on_done = on_done, .arg = arg};
	ask->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
	list_init(&ask->in_road);
	snprintf(ask->route, sizeof(ask->route), "%s", route);
	snprintf(ask->client_id, sizeof(ask->client_id), "%s", client_id);
	loop_timer_init(&ask->watch, on_watch);
	command->timeout_ns = timeout_ns;
	list_append(&home->asks, &ask->node);
	if (command_has_ended(command)) {
		ask_go_back(command);
	} else if (ask_here(command, route, client_id) ||
		   command_road_bring(fleet_command_road(command->fleet), command)) {
		return;
	} else if (command->fleet->is_clustered) {
		ask_bus(command);
	} else {
		command_not_connected(command, slice_from_text(client_id));
		ask_go_back(command);
	}
}

void fleet_home_abort(struct fleet_home *home)
{
	for (struct list_node *node = home->asks.next; node != &home->asks; node = node->next) {
		struct ask *ask = CONTAINER_OF(node, struct ask, node);

		if (ask->is_on_bus)
			bus_request_cancel(&ask->request);
	}
	if (home->on_abort != NULL)
		home->on_abort(home);
}
