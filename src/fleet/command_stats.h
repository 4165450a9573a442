/* SPDX-License-Identifier: Apache-2.0
 * command_stats.h - how commands ended.
 *
 * Layer: fleet. */
#pragma once

#include <stdint.h>

#define COMMAND_KINDS_MAX 16

/* X(NAME, label, help) */
#define COMMAND_OUTCOMES(X)                                                             \
	X(DONE, "done", "it was carried out")                                           \
	X(NOT_CONNECTED, "not_connected", "the client was connected nowhere")           \
	X(REFUSED, "refused", "the request was wrong, or the client could not take it") \
	X(TIMED_OUT, "timed_out", "no answer came in time")                             \
	X(FAILED, "failed", "memory was out, or the broker away")

#define COMMAND_OUTCOME_ENUM(NAME, ...) COMMAND_##NAME,
enum command_outcome { COMMAND_OUTCOMES(COMMAND_OUTCOME_ENUM) COMMAND_OUTCOME_COUNT };

const char *command_outcome_label(enum command_outcome outcome);

/* By kind, in the order of command_kind_at, and outcome; each atomic. A command counts on
 * the node that has its client, or, if none has, on the one that was asked. */
struct command_stats {
	uint64_t ended[COMMAND_KINDS_MAX][COMMAND_OUTCOME_COUNT];
};
