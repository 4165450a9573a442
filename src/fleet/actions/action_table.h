/* SPDX-License-Identifier: Apache-2.0
 * action_table.h - which actions there are, and how many of each were done.
 *
 * Layer: fleet. */
#pragma once

#include <stdint.h>

/* X(NAME, name): the name is that of the document and of metrics. */
#define ACTION_TABLE(X)   \
	X(SEND, "send")   \
	X(CLOSE, "close") \
	X(JOIN, "join")   \
	X(LEAVE, "leave") \
	X(SEND_GROUP, "send_group")

#define ACTION_ENUM(NAME, name) ACTION_##NAME,
enum action_kind { ACTION_TABLE(ACTION_ENUM) ACTION_KIND_COUNT };

const char *action_name(enum action_kind kind);

/* Atomic, all only rise. */
struct action_stats {
	uint64_t done[ACTION_KIND_COUNT];
	uint64_t failed[ACTION_KIND_COUNT];
};
