/* SPDX-License-Identifier: Apache-2.0
 * link.c - a client's two subscriptions. They close with its session, but their memory is the
 * client's: it is held until the bus has reported both closed. */
#include "fleet/link.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "bus/bus_subject.h"
#include "fleet/client.h"
#include "fleet/command/command.h"
#include "fleet/command/command_trace.h"
#include "fleet/message.h"
#include "fleet/rpc/rpc_gate.h"

/* --- answers --- */

static int publish(const struct fleet *fleet, const char *reply,
		   const struct command_result *result)
{
	char status[16];
	int len = snprintf(status, sizeof(status), "%u", result->status);
	struct bus_header header = {SLICE_LITERAL(LINK_STATUS), slice_of(status, (size_t)len)};

	return bus_publish(fleet->bus, &(struct bus_message){
					       .subject = slice_from_text(reply),
					       .headers = &header,
					       .header_count = 1,
					       .body = result->body,
				       });
}

/* An answer that cannot be sent is lost; then who asked waits in vain, as with a node that
 * dies. Only what is too large can be said otherwise. */
void link_answer(struct command *command)
{
	static const char too_large[] =
		"{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,\"detail\":"
		"\"It was carried out, but the answer is larger than the broker takes.\","
		"\"reason\":\"max_payload\"}";
	char *reply = command->arg;

	if (reply != NULL && publish(command->fleet, reply, &command->result) == -EMSGSIZE)
		publish(command->fleet, reply,
			&(struct command_result){502, SLICE_LITERAL(too_large), NULL});
	free(reply);
	command_destroy(&command);
}

/* Takes over the command. */
static void run(struct client *client, struct command *command, const struct bus_message *question)
{
	char *reply = question->reply.len == 0 ? NULL : slice_to_text(question->reply);

	command->arg = reply;
	if (command_has_ended(command))
		link_answer(command);
	else
		command_run(command, client->session, link_answer, reply);
}

/* --- messages --- */

static unsigned push(struct client *client, struct message *message)
{
	struct message_fault fault;

	if (!message_check(client->home->fleet, message, &fault))
		return fault.problem.status;
	switch (rpc_gate_down(client->session, message, session_push)) {
	case 0:
		return 200;
	case -EPIPE:
		return 404;
	case -ENOBUFS:
	case -EPERM:
		return 409;
	default:
		return 503;
	}
}

static void header_problem(struct command *command, const struct bus_message *question,
			   const char *header)
{
	bool is_type = strcmp(header, MESSAGE_TYPE) == 0;

	command_problem(command, &(struct problem){
					 .status = 400,
					 .reason = is_type ? "type" : "compress",
					 .detail = is_type ? "The header " MESSAGE_TYPE
							     " has neither of its two values."
							   : "The header " MESSAGE_COMPRESS
							     " has neither of its two values.",
					 .seen = bus_message_header(question, header),
					 .allowed = is_type ? "text (as without the header), binary"
							    : "yes (as without the header), no",
				 });
}

static void run_send(struct client *client, const struct bus_message *question,
		     const struct message *message, const char *bad_header)
{
	struct command *command = command_create(client->home->fleet, &command_send);

	if (command == NULL)
		return;
	command_trace_arrived(command, client->session, question);
	if (bad_header == NULL)
		command_read_message(command, message);
	else
		header_problem(command, question, bad_header);
	run(client, command, question);
}

static void on_to(struct bus_subscription *sub, const struct bus_message *question)
{
	struct client *client = CONTAINER_OF(sub, struct client, link.to);
	const struct fleet *fleet = client->home->fleet;
	struct message message = {.bytes = question->body};
	const char *bad_header = message_headers_read(question, &message);

	if (question->reply.len > 0)
		run_send(client, question, &message, bad_header);
	else
		command_count(fleet, &command_send,
			      bad_header == NULL ? push(client, &message) : 400);
}

/* --- commands --- */

static void on_ctl(struct bus_subscription *sub, const struct bus_message *question)
{
	struct client *client = CONTAINER_OF(sub, struct client, link.ctl);
	struct command *command = command_parse(client->home->fleet, question->body);

	if (command == NULL)
		return;
	if (!command_has_ended(command))
		command_trace_arrived(command, client->session, question);
	run(client, command, question);
}

/* --- life --- */

static void on_to_closed(struct bus_subscription *sub)
{
	client_release(CONTAINER_OF(sub, struct client, link.to));
}

static void on_ctl_closed(struct bus_subscription *sub)
{
	client_release(CONTAINER_OF(sub, struct client, link.ctl));
}

static int subscribe(struct client *client, struct bus_subscription *sub, const char *prefix,
		     void (*on_message)(struct bus_subscription *sub,
					const struct bus_message *message))
{
	const struct presence *presence = client->session->presence;
	struct bus_subject subject;
	int r = bus_subject_of_client(prefix, presence_route_name(presence), presence->client_id,
				      &subject);

	if (r == 0)
		r = bus_subscribe(client->home->fleet->bus, sub, client->home->loop,
				  bus_subject_slice(&subject), on_message);
	if (r == 0)
		client_hold(client);
	return r;
}

int link_open(struct client *client)
{
	struct link *link = &client->link;
	CHECK(!link->is_open && client->session != NULL);
	int r = subscribe(client, &link->to, LINK_TO, on_to);

	if (r < 0)
		return r;
	r = subscribe(client, &link->ctl, LINK_CTL, on_ctl);
	if (r < 0)
		bus_unsubscribe(&link->to, on_to_closed);
	else
		link->is_open = true;
	return r;
}

void link_close(struct client *client)
{
	struct link *link = &client->link;

	if (!link->is_open)
		return;
	link->is_open = false;
	bus_unsubscribe(&link->to, on_to_closed);
	bus_unsubscribe(&link->ctl, on_ctl_closed);
}
