/* SPDX-License-Identifier: Apache-2.0
 * handover_talk.c - whatever goes wrong in a handover becomes one outcome and one sentence here,
 * and the first that went wrong is told: a process that has ended tells more by how than a channel
 * that is closed, so its end is waited for. */
#include "server/handover_talk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/state.h"
#include "server/handover_donor.h"

/* For the new process to end by itself. */
#define END_PATIENCE_MS 2000

/* --- failing --- */

bool talk_fail(struct talk *talk, enum handover_outcome outcome, const char *format, ...)
{
	va_list arguments;

	if (talk->has_failed)
		return false;
	talk->has_failed = true;
	talk->result->outcome = outcome;
	va_start(arguments, format);
	vsnprintf(talk->result->why, sizeof(talk->result->why), format, arguments);
	va_end(arguments);
	return false;
}

bool talk_fail_slow(struct talk *talk)
{
	return talk_fail(
		talk, HANDOVER_OUTCOME_TOO_SLOW,
		"the new process (pid %d) was not done within server.upgrade_timeout; look at "
		"its log, or raise that",
		(int)talk->pid);
}

/* It has gone, or is about to: how. */
static bool fail_ended(struct talk *talk)
{
	siginfo_t info = {0};
	struct pollfd ended = {.fd = talk->pid_fd, .events = POLLIN};

	/* What it said last comes before its end. */
	poll(&ended, 1, END_PATIENCE_MS);
	if (waitid(P_PID, (id_t)talk->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return talk_fail(talk, HANDOVER_OUTCOME_ENDED,
				 "the new process (pid %d) closed the channel without a word",
				 (int)talk->pid);
	if (info.si_code != CLD_EXITED)
		return talk_fail(
			talk, HANDOVER_OUTCOME_ENDED,
			"the new process (pid %d) was killed by signal %d (SIG%s)", (int)talk->pid,
			info.si_status,
			sigabbrev_np(info.si_status) == NULL ? "?" : sigabbrev_np(info.si_status));
	if (info.si_status == 78)
		return talk_fail(
			talk, HANDOVER_OUTCOME_BAD_CONFIG,
			"the new process cannot work with its configuration here (exit code "
			"78): 'gatehouse check' and the lines of pid %d in the log say why",
			(int)talk->pid);
	return talk_fail(
		talk, HANDOVER_OUTCOME_ENDED,
		"the new process (pid %d) ended with exit code %d; the log has its last words",
		(int)talk->pid, info.si_status);
}

static bool fail_refused(struct talk *talk, const struct handover_message *message)
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
	return talk_fail(talk, (enum handover_outcome)outcome, "the new process says: %.*s",
			 (int)MIN(why.len, (size_t)400), (const char *)why.data);
}

bool talk_fail_channel(struct talk *talk, int error)
{
	switch (error) {
	case 0:
	case -EPIPE:
	case -ECONNRESET:
		return fail_ended(talk);
	case -ETIMEDOUT:
		return talk_fail_slow(talk);
	case -EPERM:
		return talk_fail(
			talk, HANDOVER_OUTCOME_STRANGER,
			"another process than the one that was started (pid %d) spoke; the "
			"program must not fork",
			(int)talk->pid);
	case -EPROTO:
		return talk_fail(talk, HANDOVER_OUTCOME_FORMAT,
				 "the new process (pid %d) said what this one does not understand",
				 (int)talk->pid);
	case -ENOMEM:
	case -EMFILE:
		return talk_fail(talk, HANDOVER_OUTCOME_NO_MEMORY,
				 "this process is out of memory or descriptors");
	default:
		return talk_fail(talk, HANDOVER_OUTCOME_ENDED,
				 "the channel to the new process failed: %s", strerror(-error));
	}
}

/* --- waiting --- */

static void tick(struct talk *talk)
{
	uint64_t now = clock_now_ns();

	if (now - talk->ticked_ns < NS_PER_S)
		return;
	talk->ticked_ns = now;
	talk->options->tick(talk->options->arg);
}

enum talk_heard talk_await_any(struct talk *talk, uint64_t until_ns)
{
	uint64_t now = clock_now_ns(), wait_ns = until_ns > now ? until_ns - now : 0;
	struct pollfd fds[] = {
		{.fd = talk->channel->fd, .events = POLLIN},
		{.fd = talk->options->signals, .events = POLLIN},
		{.fd = talk->counts_fd, .events = POLLIN},
		{.fd = talk->pid_fd, .events = POLLIN},
	};
	int wait_ms = (int)((MIN(wait_ns, NS_PER_S) + NS_PER_MS - 1) / NS_PER_MS);
	int r = poll(fds, ARRAY_LEN(fds), wait_ms);

	tick(talk);
	if (r > 0 && fds[1].revents != 0 && talk->options->must_stop(talk->options->arg)) {
		talk_fail(talk, HANDOVER_OUTCOME_STOPPED, "a signal asked this process to end");
		return TALK_FAILED;
	}
	if (r > 0 && fds[0].revents != 0)
		return TALK_MESSAGE;
	if (r > 0 && fds[2].revents != 0)
		return TALK_COUNTS;
	if (r > 0 && fds[3].revents != 0) {
		fail_ended(talk);
		return TALK_FAILED;
	}
	return TALK_TIME;
}

/* Reads what has come. False: it is not what was to come. */
static bool take_message(struct talk *talk, enum handover_kind wanted, struct handover_message *out)
{
	int r = handover_receive(talk->channel, out, talk->deadline_ns);

	/* It has stopped in the middle of a message. */
	if (r == -EPROTO && clock_now_ns() >= talk->deadline_ns)
		return talk_fail_slow(talk);
	if (r != 1)
		return talk_fail_channel(talk, r);
	if (out->kind == wanted)
		return true;
	if (out->kind == HANDOVER_REFUSED)
		fail_refused(talk, out);
	else
		talk_fail_channel(talk, -EPROTO);
	handover_message_finish(out);
	return false;
}

bool talk_await(struct talk *talk, enum handover_kind wanted, struct handover_message *out)
{
	for (;;) {
		switch (talk_await_any(talk, talk->deadline_ns)) {
		case TALK_FAILED:
			return false;
		case TALK_MESSAGE:
			return take_message(talk, wanted, out);
		default:
			if (clock_now_ns() >= talk->deadline_ns)
				return talk_fail_slow(talk);
		}
	}
}

bool talk_fail_refused(struct talk *talk)
{
	struct handover_message message;

	if (take_message(talk, HANDOVER_REFUSED, &message)) {
		fail_refused(talk, &message);
		handover_message_finish(&message);
	}
	return false;
}

/* --- the end of one that failed --- */

/* False: it has not ended. */
static bool await_end(struct talk *talk, int timeout_ms)
{
	struct pollfd ended = {.fd = talk->pid_fd, .events = POLLIN};
	siginfo_t info = {0};

	if (talk->pid_fd >= 0)
		poll(&ended, 1, timeout_ms);
	else
		usleep((useconds_t)timeout_ms * 1000);
	return waitid(P_PID, (id_t)talk->pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid != 0;
}

bool talk_has_thanked(struct talk *talk)
{
	struct handover_message message;
	bool has_thanked = false;

	while (!has_thanked && handover_receive(talk->channel, &message, 0) == 1) {
		has_thanked = message.kind == HANDOVER_THANKS;
		handover_message_finish(&message);
	}
	return has_thanked;
}

void talk_give_up(struct talk *talk)
{
	struct buf body = {0};
	struct state_writer writer;

	if (talk->pid == 0)
		return;
	if (talk->result->step != HANDOVER_STEP_COMMIT) {
		state_writer_init(&writer, &body, HANDOVER_MESSAGE_MAX);
		state_put_text(&writer, HANDOVER_TAG_WHY, talk->result->why);
		handover_send(talk->channel, HANDOVER_GIVEN_UP, buf_slice(&body), NULL, 0,
			      clock_now_ns() + NS_PER_S / 10);
		buf_finish(&body);
	}
}

void talk_kill(struct talk *talk)
{
	kill(talk->pid, SIGKILL);
	waitpid(talk->pid, NULL, 0);
}

void talk_bury(struct talk *talk)
{
	if (talk->pid == 0)
		return;
	if (!await_end(talk, END_PATIENCE_MS))
		talk_kill(talk);
}
