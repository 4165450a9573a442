/* SPDX-License-Identifier: Apache-2.0
 * call_table.h - calls to a client that wait for its answer, and whose turn it is.
 *
 * Layer: session (may include base/ only). No I/O, no clock: times are absolute, in ns of
 * the caller's clock. One table belongs to one connection and is used in its worker's
 * thread. It allocates once, when it is made; a call lies in its caller's memory.
 *
 * A call ends exactly once, in one of two ways: call_table_add refuses it, or its on_done
 * is called. From then on its memory is the owner's.
 *
 * Only so many calls are sent at a time (one, says OCPP), the others queue. After each
 * add, answer and expire the caller sends what has its turn:
 *
 *	while ((call = call_table_take(table)) != NULL)
 *		send(call, call_id_write(table, call, id)); */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"

/* [bytes] 16 digits of the connection's prefix, '-', at most 16 of the call's number:
 * within the 36 characters that OCPP allows. Only such as JSON needs not escape. */
#define CALL_ID_MAX 33

/* X(NAME, label) */
#define CALL_OUTCOME_TABLE(X)                                                                     \
	X(WAITS, "waits")                 /* not over: it will be told */                         \
	X(ANSWERED, "answered")           /* payload */                                           \
	X(CLIENT_ERROR, "client_error")   /* the client's: code, description; payload: details */ \
	X(BAD_ANSWER, "malformed_answer") /* it cannot be read; description: why */               \
	X(TIMED_OUT, "timed_out")         /* its deadline has passed, in the queue or later */    \
	X(CONNECTION_LOST, "connection_lost") /* while it waited */                               \
	X(NOT_CONNECTED, "not_connected")     /* refused: the connection is gone */               \
	X(QUEUE_FULL, "queue_full")           /* refused: queue_max calls wait already */

#define CALL_OUTCOME_ENUM(NAME, label) CALL_##NAME,
enum call_outcome { CALL_OUTCOME_TABLE(CALL_OUTCOME_ENUM) CALL_OUTCOME_COUNT };

/* For metrics and answers; static text. */
const char *call_outcome_label(enum call_outcome outcome);

struct call_result {
	enum call_outcome outcome;
	bool was_sent; /* false: the client has certainly not seen it, another try is safe */
	/* Lent for the length of the callback. */
	struct slice payload;
	struct slice code;
	struct slice description;
};

struct call;

/* May free the call and add calls, but not destroy the table. */
typedef void call_done_fn(struct call *call, const struct call_result *result);

/* Zero-initialise, then set the first two. */
struct call {
	call_done_fn *on_done;
	uint64_t deadline_ns;
	/* The table's. */
	struct list_node node;
	uint64_t number; /* 0: not sent */
	bool is_in;      /* added, and not told yet */
};

struct call_limits {
	size_t sent_max;  /* calls that the client may have to answer at a time; at least 1 */
	size_t queue_max; /* calls that wait for their turn; those with a turn do not count */
	size_t late_max;  /* calls given up whose late answers are still known as such */
};

struct call_table;

/* `prefix` must be random: it makes ids unique across the connections of a client. NULL
 * if memory is out. */
struct call_table *call_table_create(const struct call_limits *limits, uint64_t prefix);

/* NULL is fine; the pointer is cleared. No call may wait in it (call_table_lose first). */
void call_table_destroy(struct call_table **table);

/* CALL_WAITS: on_done will be called, but not from here. Else the call is refused
 * (CALL_NOT_CONNECTED, CALL_QUEUE_FULL) and was not touched. */
enum call_outcome call_table_add(struct call_table *table, struct call *call);

/* The next call whose turn it is, to be sent now under the id that call_id_write gives;
 * NULL: none. If it cannot be sent, the connection is lost. */
struct call *call_table_take(struct call_table *table);

/* The id of a call that was taken; points into `room`. */
struct slice call_id_write(const struct call_table *table, const struct call *call,
			   char room[CALL_ID_MAX]);

enum call_match {
	CALL_MATCH_OK,      /* a waiting call was told */
	CALL_MATCH_LATE,    /* of a call that timed out: nobody was told */
	CALL_MATCH_UNKNOWN, /* not ours, answered already, or given up too long ago */
};

/* The client has answered: tells the call with this id (unescaped). The outcome in
 * `result` is CALL_ANSWERED, CALL_CLIENT_ERROR or CALL_BAD_ANSWER; was_sent is set here. */
enum call_match call_table_answer(struct call_table *table, struct slice id,
				  const struct call_result *result);

/* Gives up what has its deadline at or before `now_ns`: what was sent in the order of
 * sending, then what was queued. */
void call_table_expire(struct call_table *table, uint64_t now_ns);

/* The earliest deadline; UINT64_MAX: none. */
uint64_t call_table_deadline_ns(const struct call_table *table);

/* --- from process to process (base/state.h) --- */

struct state_writer;

/* What the table knows beside its calls: how it makes ids, and which calls were given up. */
void call_table_export(const struct call_table *table, struct state_writer *out);

/* Into one that has no call. False: it has, or that is not to be understood. */
bool call_table_import(struct call_table *table, struct slice state);

/* Its calls one after the other, those that were sent first, each kind in its order; NULL: begins,
 * and ends. */
struct call *call_table_next(const struct call_table *table, const struct call *call);

/* As call_table_add, but with the number that it had, 0: it was not sent. False: there cannot be
 * such a call. */
bool call_table_restore(struct call_table *table, struct call *call, uint64_t number);

/* Takes a call out that will not be told; NULL: there is none. No more are taken in. */
struct call *call_table_forget(struct call_table *table);

/* The connection is gone: tells every call; from now on calls are refused. */
void call_table_lose(struct call_table *table);
