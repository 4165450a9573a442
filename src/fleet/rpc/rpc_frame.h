/* SPDX-License-Identifier: Apache-2.0
 * rpc_frame.h - calls and answers in the framing of a route: OCPP-J or JSON-RPC 2.0.
 *
 * Layer: fleet. Pure functions: no I/O, no clock. Reading allocates nothing. */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "session/call_table.h"
#include "session/session.h"

struct rpc_framing {
	enum config_rpc kind; /* not CONFIG_RPC_NONE */
	bool has_ocpp_2_1;    /* OCPP-J: types 5 and 6 are known */
};

/* `subprotocol` is the one agreed on; NULL: none. */
struct rpc_framing rpc_framing_of(const struct config_route *route, const char *subprotocol);

enum rpc_kind {
	RPC_CALL,      /* its receiver has to answer */
	RPC_NOTICE,    /* nobody has to answer: SEND, CALLRESULTERROR; a notification */
	RPC_ANSWER,    /* to a call of the receiver */
	RPC_MALFORMED, /* not of this framing */
};

struct rpc_frame {
	enum rpc_kind kind;
	/* Of a call or an answer of OCPP-J, of an answer of JSON-RPC, and of what is malformed
	 * if it may be an answer: as written in a JSON string; empty: not readable, or none
	 * that we give. */
	struct slice id;
	/* Of an answer: the outcome, and JSON: `payload` any value; of an error `code` a string
	 * or a number, `description` a string, `payload` the details, perhaps empty. Of what
	 * is malformed CALL_BAD_ANSWER and in `description` why, as plain text. */
	struct call_result result;
	char code[24]; /* what `code` may point to: the frame is not to be moved */
};

/* Slices into the text, which the WebSocket layer has checked to be UTF-8. */
void rpc_frame_read(const struct rpc_framing *framing, struct slice text,
		    struct rpc_frame *out_frame);

/* OCPP-J, of which one call at a time may be open: stands for the id of a call or an answer,
 * however it is written. 0 for JSON-RPC. */
uint64_t rpc_frame_number(const struct rpc_framing *framing, const struct rpc_frame *frame);

/* Is it one that its receiver has to answer? False for CONFIG_RPC_NONE. */
bool rpc_frame_is_call(enum config_rpc framing, const struct message *message);

/* Appends a call. `method` is plain UTF-8, not empty; `params` JSON, an object (or, for
 * JSON-RPC, an array, or empty: none). 0, -ENOMEM, or -EILSEQ: the method is not UTF-8. */
int rpc_frame_write_call(const struct rpc_framing *framing, struct buf *out, struct slice id,
			 struct slice method, struct slice params);
