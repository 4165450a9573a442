/* SPDX-License-Identifier: Apache-2.0
 * handover_talk.h - what the old process of a handover hears of the new one that it has started,
 * and how that one ends if it must.
 *
 * Layer: server. In the main thread, until the deadline. Knows no step of a handover but the last,
 * and nothing of what is handed over: that is handover_donor.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/handover.h"
#include "server/handover_channel.h"
#include "server/handover_format.h"

struct handover_donor_options;

struct talk {
	const struct handover_donor_options *options;
	struct handover_result *result;
	struct handover_channel *channel;
	uint64_t deadline_ns; /* of clock_now_ns, as all times here */
	uint64_t ticked_ns;
	pid_t pid;     /* 0: it has not been started, or has been buried */
	int pid_fd;    /* -1: none */
	int counts_fd; /* readable when stillness_counts are others; -1: nobody stands still */
	bool has_failed;
};

enum talk_heard { TALK_FAILED, TALK_MESSAGE, TALK_COUNTS, TALK_TIME };

/* Each returns false. Of several failures the first is the result's. */
bool talk_fail(struct talk *talk, enum handover_outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool talk_fail_slow(struct talk *talk);

/* `error`: of handover_send and handover_receive; 0: the other has gone. */
bool talk_fail_channel(struct talk *talk, int error);

/* When it has nothing to say but that it cannot: that. */
bool talk_fail_refused(struct talk *talk);

/* Until something happens, at most until `until_ns`; TALK_FAILED: it has failed. */
enum talk_heard talk_await_any(struct talk *talk, uint64_t until_ns);

/* A message of this kind, the caller's to finish. False: it has failed. */
bool talk_await(struct talk *talk, enum handover_kind wanted, struct handover_message *out);

/* It has thanked, and we did not hear it in time. */
bool talk_has_thanked(struct talk *talk);

/* --- the end of a new process that is not to go on --- */

/* Tells it why, if there is one. Once it could have thanked it is told nothing: only its death
 * makes sure that it does not. */
void talk_give_up(struct talk *talk);

/* At once. */
void talk_kill(struct talk *talk);

/* Once it has been told: it may end by itself. Harmless if there is none. */
void talk_bury(struct talk *talk);
