/* SPDX-License-Identifier: Apache-2.0
 * handover_donor.c - one handover, step by step (HANDOVER_STEP_TABLE). A step that fails fails the
 * handover, with one outcome and one sentence; then the workers go on, the new process is told, and
 * ended if it does not end by itself. Up to THANKS it has moved nothing, so nothing is lost
 * whatever became of it; from THANKS on it has everything. */
#include "server/handover_donor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/state.h"
#include "fleet/fleet.h"
#include "server/handover_format.h"
#include "server/handover_program.h"
#include "server/server.h"
#include "server/server_handover.h"
#include "server/server_road.h"
#include "server/stillness.h"

/* While everybody stands still something has to go on: clients wait. */
#define STALL_MAX_NS (3 * NS_PER_S)

/* For the new process to end by itself. */
#define END_PATIENCE_MS 2000

struct donor {
	const struct handover_donor_options *options;
	struct handover_result *result;
	struct handover_channel *channel;
	struct stillness *stillness;
	uint64_t began_ns, deadline_ns, ticked_ns;
	uint64_t still_ns; /* when the workers were asked to stand still; 0: not yet */
	pid_t pid;
	int pid_fd;
	bool has_failed;
	bool has_road;
};

/* --- failing --- */

/* The first failure is told. Returns false. */
static bool fail(struct donor *donor, enum handover_outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(struct donor *donor, enum handover_outcome outcome, const char *format, ...)
{
	va_list arguments;

	if (donor->has_failed)
		return false;
	donor->has_failed = true;
	donor->result->outcome = outcome;
	va_start(arguments, format);
	vsnprintf(donor->result->why, sizeof(donor->result->why), format, arguments);
	va_end(arguments);
	return false;
}

static bool fail_slow(struct donor *donor)
{
	return fail(donor, HANDOVER_OUTCOME_TOO_SLOW,
		    "the new process (pid %d) was not done within server.upgrade_timeout; look at "
		    "its log, or raise that",
		    (int)donor->pid);
}

/* It has gone, or is about to: how. */
static bool fail_ended(struct donor *donor)
{
	siginfo_t info = {0};
	struct pollfd ended = {.fd = donor->pid_fd, .events = POLLIN};

	/* What it said last comes before its end. */
	poll(&ended, 1, END_PATIENCE_MS);
	if (waitid(P_PID, (id_t)donor->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return fail(donor, HANDOVER_OUTCOME_ENDED,
			    "the new process (pid %d) closed the channel without a word",
			    (int)donor->pid);
	if (info.si_code != CLD_EXITED)
		return fail(donor, HANDOVER_OUTCOME_ENDED,
			    "the new process (pid %d) was killed by signal %d (SIG%s)",
			    (int)donor->pid, info.si_status,
			    sigabbrev_np(info.si_status) == NULL ? "?"
								 : sigabbrev_np(info.si_status));
	if (info.si_status == 78)
		return fail(donor, HANDOVER_OUTCOME_BAD_CONFIG,
			    "the new process cannot work with its configuration here (exit code "
			    "78): 'gatehouse check' and the lines of pid %d in the log say why",
			    (int)donor->pid);
	return fail(donor, HANDOVER_OUTCOME_ENDED,
		    "the new process (pid %d) ended with exit code %d; the log has its last words",
		    (int)donor->pid, info.si_status);
}

static bool fail_refused(struct donor *donor, const struct handover_message *message)
{
	uint64_t outcome = HANDOVER_OUTCOME_REFUSED;
	struct slice why = SLICE_LITERAL("it did not say why");
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, buf_slice(&message->body));
	while (state_next(&reader, &field)) {
		if (field.tag == HANDOVER_TAG_WHY)
			why = field.value;
		if (field.tag == HANDOVER_TAG_OUTCOME)
			state_u64(&field, &outcome);
	}
	if (outcome == HANDOVER_OUTCOME_DONE || outcome >= HANDOVER_OUTCOME_COUNT)
		outcome = HANDOVER_OUTCOME_REFUSED;
	return fail(donor, (enum handover_outcome)outcome, "the new process says: %.*s",
		    (int)MIN(why.len, (size_t)400), (const char *)why.data);
}

/* Something went wrong with the channel. */
static bool fail_channel(struct donor *donor, int error)
{
	switch (error) {
	case 0:
	case -EPIPE:
	case -ECONNRESET:
		return fail_ended(donor);
	case -ETIMEDOUT:
		return fail_slow(donor);
	case -EPERM:
		return fail(donor, HANDOVER_OUTCOME_STRANGER,
			    "another process than the one that was started (pid %d) spoke; the "
			    "program must not fork",
			    (int)donor->pid);
	case -EPROTO:
		return fail(donor, HANDOVER_OUTCOME_FORMAT,
			    "the new process (pid %d) said what this one does not understand",
			    (int)donor->pid);
	case -ENOMEM:
	case -EMFILE:
		return fail(donor, HANDOVER_OUTCOME_NO_MEMORY,
			    "this process is out of memory or descriptors");
	default:
		return fail(donor, HANDOVER_OUTCOME_ENDED,
			    "the channel to the new process failed: %s", strerror(-error));
	}
}

/* --- waiting --- */

static void tick(struct donor *donor)
{
	uint64_t now = clock_now_ns();

	if (now - donor->ticked_ns < NS_PER_S)
		return;
	donor->ticked_ns = now;
	donor->options->tick(donor->options->arg);
}

enum heard { HEARD_FAILED, HEARD_MESSAGE, HEARD_COUNTS, HEARD_TIME };

/* Until something happens, at most until `until_ns`. */
static enum heard await_any(struct donor *donor, uint64_t until_ns)
{
	uint64_t now = clock_now_ns(), wait_ns = until_ns > now ? until_ns - now : 0;
	struct pollfd fds[] = {
		{.fd = donor->channel->fd, .events = POLLIN},
		{.fd = donor->options->signals, .events = POLLIN},
		{.fd = donor->stillness == NULL ? -1 : stillness_fd(donor->stillness),
		 .events = POLLIN},
		{.fd = donor->pid_fd, .events = POLLIN},
	};
	int wait_ms = (int)((MIN(wait_ns, NS_PER_S) + NS_PER_MS - 1) / NS_PER_MS);
	int r = poll(fds, ARRAY_LEN(fds), wait_ms);

	tick(donor);
	if (r > 0 && fds[1].revents != 0 && donor->options->must_stop(donor->options->arg)) {
		fail(donor, HANDOVER_OUTCOME_STOPPED, "a signal asked this process to end");
		return HEARD_FAILED;
	}
	if (r > 0 && fds[0].revents != 0)
		return HEARD_MESSAGE;
	if (r > 0 && fds[2].revents != 0)
		return HEARD_COUNTS;
	if (r > 0 && fds[3].revents != 0) {
		fail_ended(donor);
		return HEARD_FAILED;
	}
	return HEARD_TIME;
}

/* Reads what has come. False: it is not what was to come. */
static bool take_message(struct donor *donor, enum handover_kind wanted,
			 struct handover_message *out)
{
	int r = handover_receive(donor->channel, out, donor->deadline_ns);

	/* It has stopped in the middle of a message. */
	if (r == -EPROTO && clock_now_ns() >= donor->deadline_ns)
		return fail_slow(donor);
	if (r != 1)
		return fail_channel(donor, r);
	if (out->kind == wanted)
		return true;
	if (out->kind == HANDOVER_REFUSED)
		fail_refused(donor, out);
	else
		fail_channel(donor, -EPROTO);
	handover_message_finish(out);
	return false;
}

static bool await_message(struct donor *donor, enum handover_kind wanted,
			  struct handover_message *out)
{
	for (;;) {
		switch (await_any(donor, donor->deadline_ns)) {
		case HEARD_FAILED:
			return false;
		case HEARD_MESSAGE:
			return take_message(donor, wanted, out);
		default:
			if (clock_now_ns() >= donor->deadline_ns)
				return fail_slow(donor);
		}
	}
}

static void step(struct donor *donor, enum handover_step step)
{
	donor->result->step = step;
	log_debug("upgrade", F_TEXT("step", handover_step_text(step)));
}

/* --- steps --- */

static bool start(struct donor *donor)
{
	const struct handover_program *program = donor->options->program;
	int ends[2];
	int r = handover_pair(ends);

	step(donor, HANDOVER_STEP_START);
	if (r < 0)
		return fail(donor, HANDOVER_OUTCOME_NO_MEMORY, "no channel can be made: %s",
			    strerror(-r));
	r = handover_program_start(program, ends[1], &donor->pid);
	close(ends[1]);
	if (r < 0) {
		close(ends[0]);
		return fail(donor, HANDOVER_OUTCOME_NOT_STARTED,
			    "%.300s cannot be started: %s; put the new program there, and let the "
			    "user of this process run it",
			    program->path, strerror(-r));
	}
	donor->result->pid = donor->pid;
	donor->pid_fd = (int)syscall(SYS_pidfd_open, donor->pid, 0);
	handover_channel_init(donor->channel, ends[0], donor->pid);
	log_info("upgrade: the new process has been started", F_UINT("new_pid", donor->pid),
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
	if (!await_message(donor, HANDOVER_HELLO, &message))
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
		return fail(donor, HANDOVER_OUTCOME_FORMAT,
			    "version %s hands over in format %llu and this one (%s) in format "
			    "%llu; stop this one and start the other",
			    donor->result->version, (unsigned long long)format, GATEHOUSE_VERSION,
			    (unsigned long long)HANDOVER_FORMAT);
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
		      (donor->deadline_ns - MIN(now, donor->deadline_ns)) / NS_PER_MS);
	state_put_u64(&writer, HANDOVER_TAG_HAS_BUS, server_is_bus_connected(server));
	state_put_u64(&writer, HANDOVER_TAG_HAS_KEYS, server_has_keys(server));
	state_put_text(&writer, HANDOVER_TAG_ORIGIN, server_fleet(server)->origin);
	state_put_u64(&writer, HANDOVER_TAG_BUS_EPOCH, bus_family_epoch(server_fleet(server)->bus));
	state_put_text(&writer, HANDOVER_TAG_RUN_ID, backends_run_id(server_backends(server)));
	state_put_u64(&writer, HANDOVER_TAG_LAST_ID, directory_last_id(server_directory(server)));
	int r = writer.error != 0 ? writer.error
				  : handover_send(donor->channel, HANDOVER_OFFER, buf_slice(&body),
						  NULL, 0, donor->deadline_ns);

	state_wipe(&body);
	return r == 0 || fail_channel(donor, r);
}

static bool give_doors(struct donor *donor)
{
	step(donor, HANDOVER_STEP_DOORS);
	int r = server_send_doors(donor->options->server, donor->channel, donor->deadline_ns);

	return r == 0 ? send_offer(donor) : fail_channel(donor, r);
}

static bool hear_ready(struct donor *donor)
{
	struct handover_message message;
	struct state_reader reader;
	struct state_field field;

	step(donor, HANDOVER_STEP_READY);
	if (!await_message(donor, HANDOVER_READY, &message))
		return false;
	state_reader_init(&reader, buf_slice(&message.body));
	while (state_next(&reader, &field))
		if (field.tag == HANDOVER_TAG_PLACE)
			server_give_away(donor->options->server, field.value);
	handover_message_finish(&message);
	return true;
}

/* It has nothing to say now but that it cannot. */
static bool hear_refusal(struct donor *donor)
{
	struct handover_message message;

	if (take_message(donor, HANDOVER_REFUSED, &message)) {
		fail_refused(donor, &message);
		handover_message_finish(&message);
	}
	return false;
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
			return hear_refusal(donor);
		if (counts.error != 0)
			return fail(donor, HANDOVER_OUTCOME_NOT_STILL, "%s failed: %s", counts.what,
				    strerror(-counts.error));
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
		if (now - progressed_ns >= STALL_MAX_NS || now >= donor->deadline_ns)
			return fail_slow(donor);
		switch (await_any(donor, progressed_ns + STALL_MAX_NS)) {
		case HEARD_FAILED:
			return false;
		case HEARD_MESSAGE:
			return hear_refusal(donor);
		default:
			break;
		}
	}
}

static bool freeze(struct donor *donor)
{
	step(donor, HANDOVER_STEP_FREEZE);
	donor->stillness = stillness_create(
		donor->channel, server_options(donor->options->server)->plan->input.engine);
	if (donor->stillness == NULL)
		return fail(donor, HANDOVER_OUTCOME_NO_MEMORY,
			    "this process is out of memory or descriptors");
	if (server_carry_prepare(donor->options->server, false) < 0)
		return fail_channel(donor, -ENOMEM);
	donor->has_road = true;
	server_road_pause(donor->options->server);
	donor->still_ns = clock_now_ns();
	server_stand_still(donor->options->server, donor->stillness,
			   MIN(donor->deadline_ns, donor->still_ns + STALL_MAX_NS));
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
		r = handover_send(donor->channel, HANDOVER_STATE, buf_slice(&body), NULL, 0,
				  donor->deadline_ns);
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
		return fail_channel(donor, r);
	donor->deadline_ns = MIN(donor->deadline_ns, clock_now_ns() + STALL_MAX_NS);
	if (!await_message(donor, HANDOVER_TAKEN, &message))
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
	return has_memory || fail_channel(donor, -ENOMEM);
}

/* The new one has everything from the moment that it thanks. If it never does it is ended before
 * the workers here go on, so that no connection has two owners. */
static bool commit(struct donor *donor)
{
	struct handover_message message;

	step(donor, HANDOVER_STEP_COMMIT);
	int r = handover_send(donor->channel, HANDOVER_COMMIT, (struct slice){0}, NULL, 0,
			      donor->deadline_ns);

	if (r < 0)
		return fail_channel(donor, r);
	if (!await_message(donor, HANDOVER_THANKS, &message))
		return false;
	handover_message_finish(&message);
	return true;
}

/* --- the end of one that failed --- */

/* False: it has not ended. */
static bool await_end(struct donor *donor, int timeout_ms)
{
	struct pollfd ended = {.fd = donor->pid_fd, .events = POLLIN};
	siginfo_t info = {0};

	if (donor->pid_fd >= 0)
		poll(&ended, 1, timeout_ms);
	else
		usleep((useconds_t)timeout_ms * 1000);
	return waitid(P_PID, (id_t)donor->pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid != 0;
}

/* It has thanked, and we did not hear it in time. */
static bool has_thanked(struct donor *donor)
{
	struct handover_message message;
	bool has_thanked = false;

	while (!has_thanked && handover_receive(donor->channel, &message, 0) == 1) {
		has_thanked = message.kind == HANDOVER_THANKS;
		handover_message_finish(&message);
	}
	return has_thanked;
}

static void tell_heir(struct donor *donor)
{
	struct buf body = {0};
	struct state_writer writer;

	if (donor->pid == 0)
		return;
	/* Once it could have thanked, only its death makes sure that it does not. */
	if (donor->result->step != HANDOVER_STEP_COMMIT) {
		state_writer_init(&writer, &body, HANDOVER_MESSAGE_MAX);
		state_put_text(&writer, HANDOVER_TAG_WHY, donor->result->why);
		handover_send(donor->channel, HANDOVER_GIVEN_UP, buf_slice(&body), NULL, 0,
			      clock_now_ns() + NS_PER_S / 10);
		buf_finish(&body);
	}
}

static void bury_heir(struct donor *donor)
{
	if (donor->pid == 0)
		return;
	if (!await_end(donor, END_PATIENCE_MS)) {
		kill(donor->pid, SIGKILL);
		waitpid(donor->pid, NULL, 0);
	}
}

/* In the step COMMIT it is killed before anybody goes on. False: it has thanked after all. */
static bool undo(struct donor *donor)
{
	if (donor->result->step == HANDOVER_STEP_COMMIT) {
		kill(donor->pid, SIGKILL);
		waitpid(donor->pid, NULL, 0);
		if (has_thanked(donor))
			return false;
		donor->pid = 0;
	}
	tell_heir(donor);
	if (donor->pid != 0)
		handover_channel_cut(donor->channel); /* a worker that sends stops */
	if (donor->stillness != NULL) {
		stillness_decide(donor->stillness, STILLNESS_GO_ON);
		donor->result->still_ns = clock_now_ns() - donor->still_ns;
	}
	if (donor->has_road)
		server_carry_cancel(donor->options->server);
	server_take_back(donor->options->server);
	bury_heir(donor);
	return true;
}

/* --- all of it --- */

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
		donor->options->on_commit(donor->options->arg, donor->pid);
		server_road_commit(donor->options->server);
		stillness_decide(donor->stillness, STILLNESS_GONE);
		server_retire(donor->options->server);
		server_carry(donor->options->server, donor->channel, NULL, NULL);
	} else {
		donor->result->moved = 0;
		handover_channel_finish(donor->channel);
	}
	stillness_destroy(&donor->stillness);
	if (donor->pid_fd >= 0)
		close(donor->pid_fd);
}

void handover_give(const struct handover_donor_options *options, struct handover_result *out_result)
{
	struct handover_channel channel = {.fd = -1};
	uint64_t now = clock_now_ns();
	struct donor donor = {
		.options = options,
		.result = out_result,
		.channel = &channel,
		.began_ns = now,
		.ticked_ns = now,
		.deadline_ns = now + options->timeout_ns,
		.pid_fd = -1,
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
