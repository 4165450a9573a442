/* SPDX-License-Identifier: Apache-2.0
 * history.h - the last hour in a few numbers, so that whoever looks sees what was before.
 *
 * Layer: admin. Thread-safe. Of fixed size. Goes from process to process in a live upgrade. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/slice.h"

struct admin;
struct history;

#define HISTORY_INTERVAL_MS UINT64_C(5000)
#define HISTORY_ROWS        720 /* an hour */

/* What is in a row. X(NAME, name, is it a counter). */
#define HISTORY_TABLE(X)                                \
	X(AT, "at_ms", false)                           \
	X(CONNECTIONS, "connections", false)            \
	X(ACCEPTED, "accepted", true)                   \
	X(REFUSED, "refused", true)                     \
	X(CLOSED, "closed", true)                       \
	X(MESSAGES_RECEIVED, "messages_received", true) \
	X(MESSAGES_SENT, "messages_sent", true)         \
	X(RECEIVED_BYTES, "received_bytes", true)       \
	X(SENT_BYTES, "sent_bytes", true)

#define HISTORY_ENUM(NAME, name, is_counter) HISTORY_##NAME,
enum history_column { HISTORY_TABLE(HISTORY_ENUM) HISTORY_COLUMNS };

struct history_row {
	uint64_t values[HISTORY_COLUMNS];
};

/* NULL: memory is out. */
struct history *history_create(void);
/* NULL is fine; clears the pointer. */
void history_destroy(struct history **history);

/* Is it time for another row? */
bool history_is_due(const struct history *history, uint64_t now_ns);
/* The oldest goes if there are HISTORY_ROWS. `now_ns` of clock_now_ns. */
void history_add(struct history *history, const struct history_row *row, uint64_t now_ns);

/* In the main thread, as often as one likes: adds a row of what the gateway does now, if it is
 * time. */
void history_tick(const struct admin *admin);

/* What GET /api/v1/history answers. The caller's reference; NULL: memory is out. */
json_t *history_json(struct history *history);

/* --- from process to process: lines that are comments on the page of the metrics --- */

void history_write(struct history *history, struct buf *page);

/* The rows on the page come before those that are there, whose counters begin where these end. A
 * line that is none is left out. */
void history_take(struct history *history, struct slice page);
