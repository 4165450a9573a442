/* SPDX-License-Identifier: Apache-2.0
 * handover_donor.c - one handover, step by step (HANDOVER_STEP_TABLE). A step that fails fails the
 * handover, with one outcome and one sentence; then the workers go on, the new process is told, and
 * ended if it does not end by itself. Up to THANKS it has moved nothing, so nothing is lost
 * whatever became of it; from THANKS on it has everything. */
#include "server/handover_donor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/state.h"
#include "fleet/fleet.h"
#include "server/handover_format.h"
#include "server/handover_program.h"
#include "server/handover_talk.h"
#include "server/server.h"
#include "server/server_handover.h"
#include "server/server_road.h"
#include "server/stillness.h"

/* While everybody stands still something has to go on: clients wait. */
#define STALL_MAX_NS (3 * NS_PER_S)

struct donor {
	const struct handover_donor_options *options;
	struct handover_result *result;
	struct talk talk;
	struct stillness *stillness;
	uint64_t began_ns;
	uint64_t still_ns; /* when the workers were asked to stand still; 0: not yet */
	bool has_road;
};

/* --- steps --- */

static void step(struct donor *donor, enum handover_step step)
{
	donor->result->step = step;
	log_debug("upgrade", F_TEXT("step", handover_step_text(step)));
}

static bool start(struct donor *donor)
{
	const struct handover_program *program = donor->options->program;
	int ends[2];
	int r = handover_pair(ends);

	step(donor, HANDOVER_STEP_START);
	if (r < 0)
		return talk_fail(&donor->talk, HANDOVER_OUTCOME_NO_MEMORY,
				 "no channel can be made: %s", strerror(-r));
	r = handover_program_start(program, ends[1], &donor->talk.pid);
	close(ends[1]);
	if (r < 0) {
		close(ends[0]);
		return talk_fail(
			&donor->talk, HANDOVER_OUTCOME_NOT_STARTED,
			"%.300s cannot be started: %s; put the new program there, and let the "
			"user of this process run it",
			program->path, strerror(-r));
	}
	donor->result->pid = donor->talk.pid;
	donor->talk.pid_fd = (int)syscall(SYS_pidfd_open, donor->talk.pid, 0);
	handover_channel_init(donor->talk.channel, ends[0], donor->talk.pid);
	log_info("upgrade: the new process has been started", F_UINT("new_pid", donor->talk.pid),
		 F_TEXT("program", program->path));
	return true;
}

static bool hear_hello(struct donor *donor)
{
	struct handover_message message;
	struct state_reader reader;
	struct state_field field;
	uint64_t format = 0;

	step(donor, HANDOVER_STEP_HELLO);
	if (!talk_await(&donor->talk, HANDOVER_HELLO, &message))
		return false;
	state_reader_init(&reader, buf_slice(&message.body));
	while (state_next(&reader, &field)) {
		if (field.tag == HANDOVER_TAG_FORMAT)
			state_u64(&field, &format);
		if (field.tag == HANDOVER_TAG_VERSION)
			snprintf(donor->result->version, sizeof(donor->result->version), "%.*s",
				 SLICE_ARG(field.value));
	}
	handover_message_finish(&message);
	if (format != HANDOVER_FORMAT)
		return talk_fail(&donor->talk, HANDOVER_OUTCOME_FORMAT,
				 "version %s hands over in format %llu and this one (%s) in format "
				 "%llu; stop this one and start the other",
				 donor->result->version, (unsigned long long)format,
				 GATEHOUSE_VERSION, (unsigned long long)HANDOVER_FORMAT);
	return true;
}

static bool send_offer(struct donor *donor)
{
	struct server *server = donor->options->server;
	struct buf body = {0};
	struct state_writer writer;
	uint64_t now = clock_now_ns();

	state_writer_init(&writer, &body, HANDOVER_MESSAGE_MAX);
	state_put_u64(&writer, HANDOVER_TAG_FORMAT, HANDOVER_FORMAT);
	state_put_text(&writer, HANDOVER_TAG_VERSION, GATEHOUSE_VERSION);
	state_put_u64(&writer, HANDOVER_TAG_DEADLINE,
		      (donor->talk.deadline_ns - MIN(now, donor->talk.deadline_ns)) / NS_PER_MS);
	state_put_u64(&writer, HANDOVER_TAG_HAS_BUS, server_is_bus_connected(server));
	state_put_u64(&writer, HANDOVER_TAG_HAS_KEYS, server_has_keys(server));
	state_put_text(&writer, HANDOVER_TAG_ORIGIN, server_fleet(server)->origin);
	state_put_u64(&writer, HANDOVER_TAG_BUS_EPOCH, bus_family_epoch(server_fleet(server)->bus));
	state_put_text(&writer, HANDOVER_TAG_RUN_ID, backends_run_id(server_backends(server)));
	state_put_u64(&writer, HANDOVER_TAG_LAST_ID, directory_last_id(server_directory(server)));
	int r = writer.error != 0
			? writer.error
			: handover_send(donor->talk.channel, HANDOVER_OFFER, buf_slice(&body), NULL,
					0, donor->talk.deadline_ns);

	state_wipe(&body);
	return r == 0 || talk_fail_channel(&donor->talk, r);
}

static bool give_doors(struct donor *donor)
{
	step(donor, HANDOVER_STEP_DOORS);
	int r = server_send_doors(donor->options->server, donor->talk.channel,
				  donor->talk.deadline_ns);

	return r == 0 ? send_offer(donor) : talk_fail_channel(&donor->talk, r);
}

static bool hear_ready(struct donor *donor)
{
	struct handover_message message;
	struct state_reader reader;
	struct state_field field;

	step(donor, HANDOVER_STEP_READY);
	if (!talk_await(&donor->talk, HANDOVER_READY, &message))
		return false;
	state_reader_init(&reader, buf_slice(&message.body));
	while (state_next(&reader, &field))
		if (field.tag == HANDOVER_TAG_PLACE)
			server_give_away(donor->options->server, field.value);
	handover_message_finish(&message);
	return true;
}

/* All workers have exported, or one of them cannot. */
static bool await_exported(struct donor *donor)
{
	uint64_t progress = 0, progressed_ns = clock_now_ns();

	for (;;) {
		struct stillness_counts counts = stillness_counts(donor->stillness);
		uint64_t now = clock_now_ns();

		/* A worker may notice first that the new process has gone. */
		if (counts.error == -EPIPE || counts.error == -ECONNRESET)
			return talk_fail_refused(&donor->talk);
		if (counts.error != 0)
			return talk_fail(&donor->talk, HANDOVER_OUTCOME_NOT_STILL, "%s failed: %s",
					 counts.what, strerror(-counts.error));
		if (counts.exported == counts.asked) {
			donor->result->moved = counts.gone;
			donor->result->stayed = counts.stay;
			return true;
		}
		if (counts.exported > 0 || counts.gone > 0)
			step(donor, HANDOVER_STEP_TRANSFER);
		if (counts.progress != progress)
			progressed_ns = now;
		progress = counts.progress;
		if (now - progressed_ns >= STALL_MAX_NS || now >= donor->talk.deadline_ns)
			return talk_fail_slow(&donor->talk);
		switch (talk_await_any(&donor->talk, progressed_ns + STALL_MAX_NS)) {
		case TALK_FAILED:
			return false;
		case TALK_MESSAGE:
			return talk_fail_refused(&donor->talk);
		default:
			break;
		}
	}
}

static bool freeze(struct donor *donor)
{
	step(donor, HANDOVER_STEP_FREEZE);
	donor->stillness = stillness_create(
		donor->options->server, donor->talk.channel,
		server_options(donor->options->server)->plan->input.engine);
	if (donor->stillness == NULL)
		return talk_fail(&donor->talk, HANDOVER_OUTCOME_NO_MEMORY,
				 "this process is out of memory or descriptors");
	donor->talk.counts_fd = stillness_fd(donor->stillness);
	if (server_carry_prepare(donor->options->server, false) < 0)
		return talk_fail_channel(&donor->talk, -ENOMEM);
	donor->has_road = true;
	server_road_pause(donor->options->server);
	donor->still_ns = clock_now_ns();
	server_stand_still(donor->options->server, donor->stillness,
			   MIN(donor->talk.deadline_ns, donor->still_ns + STALL_MAX_NS));
	return await_exported(donor);
}

static int state_write(const struct handover_donor_options *options, enum handover_kind kind,
		       struct buf *out)
{
	struct buf extra = {0};
	struct state_writer writer;

	state_writer_init(&writer, out, HANDOVER_MESSAGE_MAX);
	if (kind == HANDOVER_STATE)
		server_state_export(options->server, &writer);
	options->give_extra(options->arg, &extra);
	state_put_bytes(&writer, HANDOVER_TAG_EXTRA, buf_slice(&extra));
	buf_finish(&extra);
	return writer.error;
}

static int state_send(struct donor *donor)
{
	struct buf body = {0};
	int r = state_write(donor->options, HANDOVER_STATE, &body);

	if (r == 0)
		r = handover_send(donor->talk.channel, HANDOVER_STATE, buf_slice(&body), NULL, 0,
				  donor->talk.deadline_ns);
	state_wipe(&body);
	return r;
}

static bool hear_taken(struct donor *donor)
{
	struct handover_message message;
	struct state_reader reader;
	struct state_field field;
	uint64_t mark;
	bool has_memory = true;

	int r = state_send(donor);

	step(donor, HANDOVER_STEP_TAKEN);
	if (r < 0)
		return talk_fail_channel(&donor->talk, r);
	donor->talk.deadline_ns = MIN(donor->talk.deadline_ns, clock_now_ns() + STALL_MAX_NS);
	if (!talk_await(&donor->talk, HANDOVER_TAKEN, &message))
		return false;
	state_reader_init(&reader, buf_slice(&message.body));
	while (state_next(&reader, &field)) {
		if (field.tag != HANDOVER_TAG_MARK || !state_u64(&field, &mark))
			continue;
		has_memory &= stillness_not_taken(donor->stillness, mark);
		donor->result->moved--;
		donor->result->stayed++;
	}
	handover_message_finish(&message);
	return has_memory || talk_fail_channel(&donor->talk, -ENOMEM);
}

/* The new one has everything from the moment that it thanks. If it never does it is ended before
 * the workers here go on, so that no connection has two owners. */
static bool commit(struct donor *donor)
{
	struct handover_message message;

	step(donor, HANDOVER_STEP_COMMIT);
	int r = handover_send(donor->talk.channel, HANDOVER_COMMIT, (struct slice){0}, NULL, 0,
			      donor->talk.deadline_ns);

	if (r < 0)
		return talk_fail_channel(&donor->talk, r);
	if (!talk_await(&donor->talk, HANDOVER_THANKS, &message))
		return false;
	handover_message_finish(&message);
	return true;
}

/* --- all of it --- */

/* In the step COMMIT it is killed before anybody goes on. False: it has thanked after all. */
static bool undo(struct donor *donor)
{
	if (donor->result->step == HANDOVER_STEP_COMMIT) {
		talk_kill(&donor->talk);
		if (talk_has_thanked(&donor->talk))
			return false;
		donor->talk.pid = 0;
	}
	talk_give_up(&donor->talk);
	if (donor->talk.pid != 0)
		handover_channel_cut(donor->talk.channel); /* a worker that sends stops */
	if (donor->stillness != NULL) {
		stillness_decide(donor->stillness, STILLNESS_GO_ON);
		donor->result->still_ns = clock_now_ns() - donor->still_ns;
	}
	if (donor->has_road)
		server_carry_cancel(donor->options->server);
	server_take_back(donor->options->server);
	talk_bury(&donor->talk);
	return true;
}

static bool hand_over(struct donor *donor)
{
	return start(donor) && hear_hello(donor) && give_doors(donor) && hear_ready(donor) &&
	       freeze(donor) && hear_taken(donor) && commit(donor);
}

static void finish(struct donor *donor, bool is_done)
{
	uint64_t now = clock_now_ns();

	donor->result->took_ns = now - donor->began_ns;
	if (is_done) {
		donor->result->still_ns = now - donor->still_ns;
		donor->result->outcome = HANDOVER_OUTCOME_DONE;
		donor->options->on_commit(donor->options->arg, donor->talk.pid);
		server_road_commit(donor->options->server);
		stillness_decide(donor->stillness, STILLNESS_GONE);
		server_retire(donor->options->server);
		server_carry(donor->options->server, donor->talk.channel, NULL, NULL);
	} else {
		donor->result->moved = 0;
		handover_channel_finish(donor->talk.channel);
	}
	stillness_destroy(&donor->stillness);
	if (donor->talk.pid_fd >= 0)
		close(donor->talk.pid_fd);
}

void handover_give(const struct handover_donor_options *options, struct handover_result *out_result)
{
	struct handover_channel channel = {.fd = -1};
	uint64_t now = clock_now_ns();
	struct donor donor = {
		.options = options,
		.result = out_result,
		.talk = {.options = options,
			 .result = out_result,
			 .channel = &channel,
			 .deadline_ns = now + options->timeout_ns,
			 .ticked_ns = now,
			 .pid_fd = -1,
			 .counts_fd = -1},
		.began_ns = now,
	};

	*out_result = (struct handover_result){0};
	bool is_done = hand_over(&donor) || !undo(&donor);

	finish(&donor, is_done);
}

void handover_say_end(const struct handover_donor_options *options)
{
	struct buf body = {0};

	if (state_write(options, HANDOVER_END, &body) == 0)
		server_carry_last(options->server, buf_slice(&body));
	state_wipe(&body);
	server_carry_end(options->server);
}
