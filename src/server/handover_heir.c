/* SPDX-License-Identifier: Apache-2.0
 * handover_heir.c - the other side of handover_donor.c. If the channel ends before COMMIT, or the
 * old process gives up, this one ends without having moved anything: the old one's connections are
 * open in both processes, and closing them here ends none of them. */
#include "server/handover_heir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/state.h"
#include "server/handover_format.h"
#include "server/handover_intake.h"
#include "server/server_handover.h"

/* Until the old process says by when it gives up. */
#define GREETING_NS (30 * NS_PER_S)

static bool fail(struct handover_error *out_error, const char *text)
{
	snprintf(out_error->text, sizeof(out_error->text), "%s", text);
	return false;
}

static bool fail_channel(struct handover_error *out_error, int error)
{
	if (error == 0 || error == -EPIPE)
		return fail(out_error,
			    "the process before has ended in the middle of the handover");
	snprintf(out_error->text, sizeof(out_error->text),
		 "the channel to the process before failed: %s", strerror(-error));
	return false;
}

/* --- the beginning --- */

static enum handover_begun bad(struct handover_error *out_error, const char *text)
{
	fail(out_error, text);
	return HANDOVER_BAD;
}

/* The pair was made by the process before, which is our parent, and nobody else's can be. */
static bool is_of_parent(int fd, pid_t *out_pid)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return false;
	*out_pid = who.pid;
	return who.pid == getppid() && who.uid == geteuid();
}

enum handover_begun handover_heir_begin(struct handover_heir *heir,
					struct handover_error *out_error)
{
	const char *text = getenv(HANDOVER_VARIABLE);
	char *end;

	*heir = (struct handover_heir){.channel = {.fd = -1}};
	if (text == NULL)
		return HANDOVER_NOBODY;
	long fd = strtol(text, &end, 10);
	bool is_number = text[0] != 0 && *end == 0 && fd > STDERR_FILENO && fd < INT32_MAX;

	unsetenv(HANDOVER_VARIABLE);
	if (!is_number || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return bad(out_error, HANDOVER_VARIABLE
			   " names no open descriptor; it is for gateways that a running one "
			   "starts: unset it");
	if (!is_of_parent((int)fd, &heir->donor))
		return bad(out_error, HANDOVER_VARIABLE
			   " names no channel to the process that started this one; it is for "
			   "gateways that a running one starts: unset it");
	handover_channel_init(&heir->channel, (int)fd, heir->donor);
	return HANDOVER_BEGUN;
}

static int hello(struct handover_heir *heir)
{
	struct buf body = {0};
	struct state_writer writer;

	state_writer_init(&writer, &body, HANDOVER_MESSAGE_MAX);
	state_put_u64(&writer, HANDOVER_TAG_FORMAT, HANDOVER_FORMAT);
	state_put_text(&writer, HANDOVER_TAG_VERSION, GATEHOUSE_VERSION);
	state_put_u64(&writer, HANDOVER_TAG_PID, (uint64_t)getpid());
	int r = writer.error != 0 ? writer.error
				  : handover_send(&heir->channel, HANDOVER_HELLO, buf_slice(&body),
						  NULL, 0, clock_now_ns() + GREETING_NS);

	buf_finish(&body);
	return r;
}

static bool offer_read(struct handover_heir *heir, struct slice body,
		       struct handover_error *out_error)
{
	struct state_reader reader;
	struct state_field field;
	uint64_t format = 0, left_ms = 0, number;

	state_reader_init(&reader, body);
	while (state_next(&reader, &field)) {
		bool is_number = state_u64(&field, &number);

		if (field.tag == HANDOVER_TAG_VERSION)
			snprintf(heir->donor_version, sizeof(heir->donor_version), "%.*s",
				 SLICE_ARG(field.value));
		if (field.tag == HANDOVER_TAG_RUN_ID)
			snprintf(heir->run_id, sizeof(heir->run_id), "%.*s",
				 SLICE_ARG(field.value));
		if (field.tag == HANDOVER_TAG_ORIGIN)
			snprintf(heir->origin, sizeof(heir->origin), "%.*s",
				 SLICE_ARG(field.value));
		if (!is_number)
			continue;
		format = field.tag == HANDOVER_TAG_FORMAT ? number : format;
		left_ms = field.tag == HANDOVER_TAG_DEADLINE ? number : left_ms;
		heir->donor_has_bus |= field.tag == HANDOVER_TAG_HAS_BUS && number != 0;
		heir->donor_has_keys |= field.tag == HANDOVER_TAG_HAS_KEYS && number != 0;
		if (field.tag == HANDOVER_TAG_LAST_ID)
			heir->last_id = number;
		if (field.tag == HANDOVER_TAG_BUS_EPOCH)
			heir->bus_epoch = number;
	}
	heir->deadline_ns = clock_now_ns() + left_ms * NS_PER_MS;
	if (reader.is_bad || format != HANDOVER_FORMAT)
		return fail(out_error, "the process before hands over in another format");
	return true;
}

/* It goes on itself. */
static bool fail_given_up(const struct handover_message *message, struct handover_error *out_error)
{
	struct slice why = SLICE_LITERAL("?");
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, buf_slice(&message->body));
	while (state_next(&reader, &field))
		if (field.tag == HANDOVER_TAG_WHY)
			why = field.value;
	snprintf(out_error->text, sizeof(out_error->text),
		 "the process before goes on itself: %.*s", (int)MIN(why.len, (size_t)400),
		 (const char *)why.data);
	return false;
}

static bool hear(struct handover_heir *heir, struct handover_message *out_message,
		 uint64_t deadline_ns, struct handover_error *out_error)
{
	int r = handover_receive(&heir->channel, out_message, deadline_ns);

	if (r != 1)
		return fail_channel(out_error, r);
	if (out_message->kind != HANDOVER_GIVEN_UP)
		return true;
	fail_given_up(out_message, out_error);
	handover_message_finish(out_message);
	return false;
}

bool handover_heir_greet(struct handover_heir *heir, struct handover_error *out_error)
{
	struct handover_message message;
	int r = hello(heir);
	bool is_offer = false;

	if (r < 0)
		return fail_channel(out_error, r);
	while (!is_offer) {
		if (!hear(heir, &message, clock_now_ns() + GREETING_NS, out_error))
			return false;
		is_offer = message.kind == HANDOVER_OFFER;
		if (message.kind == HANDOVER_DOORS)
			r = handover_sockets_add(&heir->sockets, &message);
		else if (!is_offer)
			r = -EPROTO;
		if (r == 0 && is_offer && !offer_read(heir, buf_slice(&message.body), out_error)) {
			handover_message_finish(&message);
			return false;
		}
		handover_message_finish(&message);
		if (r < 0)
			return fail_channel(out_error, r);
	}
	return true;
}

void handover_heir_refuse(struct handover_heir *heir, enum handover_outcome outcome,
			  const char *why)
{
	struct buf body = {0};
	struct state_writer writer;

	if (heir->channel.fd < 0)
		return;
	state_writer_init(&writer, &body, HANDOVER_MESSAGE_MAX);
	state_put_u64(&writer, HANDOVER_TAG_OUTCOME, outcome);
	state_put_text(&writer, HANDOVER_TAG_WHY, why);
	if (writer.error == 0)
		handover_send(&heir->channel, HANDOVER_REFUSED, buf_slice(&body), NULL, 0,
			      clock_now_ns() + NS_PER_S);
	buf_finish(&body);
}

/* --- taking over --- */

static int say_ready(struct handover_heir *heir)
{
	struct buf body = {0};
	struct state_writer writer;

	state_writer_init(&writer, &body, HANDOVER_MESSAGE_MAX);
	for (size_t i = 0; i < heir->sockets.count; i++)
		if (heir->sockets.items[i].fd < 0)
			state_put_text(&writer, HANDOVER_TAG_PLACE, heir->sockets.items[i].place);
	int r = writer.error != 0 ? writer.error
				  : handover_send(&heir->channel, HANDOVER_READY, buf_slice(&body),
						  NULL, 0, heir->deadline_ns);

	buf_finish(&body);
	return r;
}

static bool fail_intake(struct handover_heir *heir, int error, struct handover_error *out_error)
{
	snprintf(out_error->text, sizeof(out_error->text),
		 "a connection could not be taken over: %s; raise the limits on memory and "
		 "descriptors for this service",
		 strerror(-error));
	handover_heir_refuse(heir, HANDOVER_OUTCOME_REFUSED, out_error->text);
	return false;
}

/* Everything up to STATE, which is in *out_state. */
static bool take_conns(struct handover_heir *heir, struct handover_intake *intake,
		       struct handover_message *out_state, struct handover_error *out_error)
{
	for (;;) {
		if (!hear(heir, out_state, heir->deadline_ns, out_error))
			return false;
		if (out_state->kind == HANDOVER_STATE)
			return true;
		int r = out_state->kind == HANDOVER_CONNS ? handover_intake_give(intake, out_state)
							  : -EPROTO;

		handover_message_finish(out_state);
		if (r < 0)
			return fail_intake(heir, r, out_error);
	}
}

static bool take_state(struct handover_heir *heir, struct server *server, struct slice body,
		       void (*take_extra)(void *arg, struct slice extra), void *arg,
		       struct handover_error *out_error)
{
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, body);
	if (!server_state_import(server, &reader)) {
		handover_heir_refuse(heir, HANDOVER_OUTCOME_FORMAT,
				     "the state of the process before is not understood");
		return fail(out_error, "the state of the process before is not understood");
	}
	state_reader_init(&reader, body);
	while (take_extra != NULL && state_next(&reader, &field))
		if (field.tag == HANDOVER_TAG_EXTRA)
			take_extra(arg, field.value);
	return true;
}

static int say_taken(struct handover_heir *heir, const struct handover_intake *intake)
{
	struct buf body = {0};
	struct state_writer writer;

	state_writer_init(&writer, &body, HANDOVER_MESSAGE_MAX);
	handover_intake_put_refused(intake, &writer);
	int r = writer.error != 0 ? writer.error
				  : handover_send(&heir->channel, HANDOVER_TAKEN, buf_slice(&body),
						  NULL, 0, heir->deadline_ns);

	buf_finish(&body);
	return r;
}

/* From the thanks on they are ours, whatever becomes of the other. */
static bool await_commit(struct handover_heir *heir, struct handover_error *out_error)
{
	struct handover_message message;

	/* The old one gives up in time, and says so, or ends. */
	if (!hear(heir, &message, UINT64_MAX / 2, out_error))
		return false;
	bool is_commit = message.kind == HANDOVER_COMMIT;

	handover_message_finish(&message);
	if (!is_commit)
		return fail_channel(out_error, -EPROTO);
	handover_send(&heir->channel, HANDOVER_THANKS, (struct slice){0}, NULL, 0,
		      clock_now_ns() + NS_PER_S);
	return true;
}

bool handover_heir_take(struct handover_heir *heir, struct server *server,
			void (*take_extra)(void *arg, struct slice extra), void *arg,
			struct handover_error *out_error)
{
	struct handover_intake *intake = handover_intake_create(server);
	struct handover_message state;
	int r = intake == NULL ? -ENOMEM : server_carry_prepare(server, true);

	if (r == 0)
		r = say_ready(heir);

	if (r < 0)
		return fail_channel(out_error, r);
	if (!take_conns(heir, intake, &state, out_error))
		return false;
	r = handover_intake_wait(intake, &heir->moved);
	if (r < 0)
		return fail_intake(heir, r, out_error);
	bool is_good = take_state(heir, server, buf_slice(&state.body), take_extra, arg, out_error);

	handover_message_finish(&state);
	if (!is_good)
		return false;
	r = say_taken(heir, intake);
	if (r < 0)
		return fail_channel(out_error, r);
	if (!await_commit(heir, out_error))
		return false;
	handover_intake_destroy(&intake);
	return true;
}

/* --- afterwards --- */

void handover_heir_take_last(struct slice body, void (*take_extra)(void *arg, struct slice extra),
			     void *arg)
{
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, body);
	while (state_next(&reader, &field))
		if (field.tag == HANDOVER_TAG_EXTRA)
			take_extra(arg, field.value);
}

void handover_heir_finish(struct handover_heir *heir)
{
	handover_sockets_finish(&heir->sockets);
	handover_channel_finish(&heir->channel);
}
