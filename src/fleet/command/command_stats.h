/* SPDX-License-Identifier: Apache-2.0
 * command_stats.h - how commands ended.
 *
 * Layer: fleet. */
#pragma once

#include <stdint.h>

#define COMMAND_KINDS_MAX 16

/* X(NAME, label) */
#define COMMAND_OUTCOMES(X)               \
	X(DONE, "done")                   \
	X(NOT_CONNECTED, "not_connected") \
	X(REFUSED, "refused")             \
	X(TIMED_OUT, "timed_out")         \
	X(FAILED, "failed")

#define COMMAND_OUTCOME_ENUM(NAME, ...) COMMAND_##NAME,
enum command_outcome { COMMAND_OUTCOMES(COMMAND_OUTCOME_ENUM) COMMAND_OUTCOME_COUNT };

const char *command_outcome_label(enum command_outcome outcome);

/* By kind, in the order of command_kind_at, and outcome; each atomic. A command counts on
 * the node that has its client, or, if none has, on the one that was asked. */
struct command_stats {
	uint64_t ended[COMMAND_KINDS_MAX][COMMAND_OUTCOME_COUNT];
};
