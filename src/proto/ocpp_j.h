/* SPDX-License-Identifier: Apache-2.0
 * ocpp_j.h - the frames of OCPP-J: calls, answers and errors as JSON arrays (OCPP-J 1.6,
 * 4; OCPP 2.0.1 part 4, 4; OCPP 2.1 adds CALLRESULTERROR and SEND).
 *
 * Layer: proto. Pure functions: no I/O, no clock. Reading allocates nothing. What the
 * payload means is not looked at, only that it is JSON.
 *
 * Where the texts are stricter than devices in the field, the devices are let through, as long
 * as there is no doubt what they mean: a payload may be null, as OCPP-J 1.6 allows; and of an error
 * only the code counts: description and details may be left out or of any type. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/json_scan.h"

#define OCPP_J_ID_CHARS 36 /* the longest id in 1.6, 2.0.1 and 2.1 */

/* The id of a CALLERROR that answers a message without a readable id (2.0.1, 4.2.3). */
#define OCPP_J_ID_UNREADABLE "-1"

enum ocpp_j_kind {
	OCPP_J_NONE = 0, /* not one of these, or not readable */
	OCPP_J_CALL = 2,
	OCPP_J_RESULT = 3,
	OCPP_J_ERROR = 4,
	OCPP_J_RESULT_ERROR = 5, /* 2.1: the answer was not understood */
	OCPP_J_SEND = 6,         /* 2.1: a call that has no answer */
};

struct ocpp_j_options {
	size_t id_chars_max; /* [characters], unescaped */
	bool has_2_1;        /* types 5 and 6 are known */
};

/* Slices into the message. Strings (id, action, code, description) without their quotes
 * but as written: json_text_unescape gives what they stand for, and compares must be made
 * with that. What a kind does not have is empty. */
struct ocpp_j_message {
	enum ocpp_j_kind kind;
	struct slice id;
	struct slice action;      /* CALL, SEND; never empty */
	struct slice payload;     /* CALL, RESULT, SEND: an object or null, as written */
	struct slice code;        /* ERROR, RESULT_ERROR */
	struct slice description; /* likewise; empty also if it is none, or no string */
	struct slice details;     /* likewise: any value, as written; empty: none */
};

enum ocpp_j_result {
	OCPP_J_OK,
	OCPP_J_UNKNOWN_TYPE, /* good JSON and a type number that is not known: 2.0.1 wants
			      * MessageTypeNotSupported back, 1.6 that it is ignored */
	OCPP_J_MALFORMED,
};

/* Reads one text message. On OCPP_J_OK fills *out_message. Else fills *out_fault, and of
 * *out_message the kind and the id, as far as they could be read before or in spite of
 * the mistake: so that the right call can be answered or ended. */
enum ocpp_j_result ocpp_j_read(const struct ocpp_j_options *options, struct slice text,
			       struct ocpp_j_message *out_message, struct json_fault *out_fault);

/* Each appends one frame to `out`, or nothing. Id, action, code and description are plain
 * UTF-8 and are escaped as needed; payload and details are JSON that the caller has
 * checked. Results are those of json_write (json_text.h). */
int ocpp_j_write_call(struct buf *out, size_t max, struct slice id, struct slice action,
		      struct slice payload);
int ocpp_j_write_result(struct buf *out, size_t max, struct slice id, struct slice payload);
int ocpp_j_write_error(struct buf *out, size_t max, struct slice id, struct slice code,
		       struct slice description, struct slice details);
