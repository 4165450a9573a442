/* SPDX-License-Identifier: Apache-2.0
 * handover.h - how a handover from one process to the next can end, in one table, and what is known
 * of one.
 *
 * Layer: server. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* X(NAME, label, help). The labels are the values of gatehouse_upgrades_total{outcome}. */
#define HANDOVER_OUTCOME_TABLE(X)                                                                  \
	X(DONE, "done", "the new process has taken over")                                          \
	X(NOT_STARTED, "not_started",                                                              \
	  "the new program could not be started: it is missing, or "                               \
	  "may not be run")                                                                        \
	X(BAD_CONFIG, "bad_config", "the new process refused its configuration; its log says why") \
	X(ENDED, "ended", "the new process ended before it had taken over")                        \
	X(REFUSED, "refused", "the new process said that it cannot take over, and why")            \
	X(TOO_SLOW, "too_slow", "the new process was not done in time")                            \
	X(FORMAT, "format", "the two versions do not understand each other")                       \
	X(STRANGER, "stranger", "somebody else spoke in the place of the new process")             \
	X(NOT_STILL, "not_still", "a worker of the old process could not hand over")               \
	X(NOT_NOW, "not_now", "there can be none now, and the log says why")                       \
	X(STOPPED, "stopped", "a signal asked the old process to end meanwhile")                   \
	X(NO_MEMORY, "no_memory", "the old process was out of memory or descriptors")

#define HANDOVER_OUTCOME_ENUM(NAME, ...) HANDOVER_OUTCOME_##NAME,
enum handover_outcome { HANDOVER_OUTCOME_TABLE(HANDOVER_OUTCOME_ENUM) HANDOVER_OUTCOME_COUNT };

const char *handover_outcome_label(enum handover_outcome outcome);
const char *handover_outcome_help(enum handover_outcome outcome);

/* Where one is; what was being done when it failed. */
#define HANDOVER_STEP_TABLE(X)                   \
	X(START, "start the new program")        \
	X(HELLO, "wait for its first word")      \
	X(DOORS, "hand the listeners over")      \
	X(READY, "wait until it has started")    \
	X(FREEZE, "stand still")                 \
	X(TRANSFER, "hand the connections over") \
	X(TAKEN, "wait until it has them")       \
	X(COMMIT, "let go")

#define HANDOVER_STEP_ENUM(NAME, ...) HANDOVER_STEP_##NAME,
enum handover_step { HANDOVER_STEP_TABLE(HANDOVER_STEP_ENUM) HANDOVER_STEP_COUNT };

const char *handover_step_text(enum handover_step step);

struct handover_result {
	enum handover_outcome outcome;
	enum handover_step step; /* the last one */
	char why[512];           /* a sentence; "" if it is done */
	pid_t pid;               /* of the new process; 0: there was none */
	char version[32];        /* its; "" = it did not say */
	uint64_t moved, stayed;  /* connections */
	uint64_t still_ns;       /* how long no client was served */
	uint64_t took_ns;
};
