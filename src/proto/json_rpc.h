/* SPDX-License-Identifier: Apache-2.0
 * json_rpc.h - the messages of JSON-RPC 2.0.
 *
 * Layer: proto. Pure functions: no I/O, no clock. Reading allocates nothing.
 *
 * Batches (arrays of messages) are recognised and refused: the order of a connection's
 * messages is kept by sending them one by one. Members that the specification does not
 * know are let through; one that it knows must not come twice, since readers would
 * differ in which one counts. One that is null counts as left out, but for an id and a result:
 * many serializers write so, and JSON-RPC 1.0 has it so. An answer needs no version, and of an
 * error only the code. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/json_scan.h"

enum json_rpc_kind {
	JSON_RPC_NONE, /* not readable */
	JSON_RPC_REQUEST,
	JSON_RPC_NOTIFICATION,
	JSON_RPC_RESULT,
	JSON_RPC_ERROR,
};

/* Slices into the message. Strings (method, error_message) without their quotes but as
 * written: see json_text.h. What a kind does not have is empty. */
struct json_rpc_message {
	enum json_rpc_kind kind;
	struct json_part id;        /* a string, a number or null; of kind JSON_KIND_NONE in a
				     * notification. Written into an answer as it is */
	struct slice method;        /* REQUEST, NOTIFICATION; never empty */
	struct slice params;        /* likewise: an object or array, or empty: none */
	struct slice result;        /* RESULT: any value */
	int64_t code;               /* ERROR */
	struct slice error_message; /* ERROR; empty also if it is none, or no string */
	struct slice data;          /* ERROR: any value, or empty: none */
};

enum json_rpc_result {
	JSON_RPC_OK,
	JSON_RPC_NOT_JSON, /* the specification's error -32700 */
	JSON_RPC_INVALID,  /* JSON, but no message: -32600 */
};

/* Reads one text message. On JSON_RPC_OK fills *out_message. Else fills *out_fault, and of
 * *out_message the id alone, if it could be read before or in spite of the mistake. */
enum json_rpc_result json_rpc_read(struct slice text, struct json_rpc_message *out_message,
				   struct json_fault *out_fault);

/* Each appends one message to `out`, or nothing. The id of a request, the method and the
 * error's message are plain UTF-8 and are escaped as needed; params, result, data and the
 * id of an answer are JSON that the caller has checked. Empty params or data are left
 * out. Results are those of json_write (json_text.h). */
int json_rpc_write_request(struct buf *out, size_t max, struct slice id, struct slice method,
			   struct slice params);
int json_rpc_write_notification(struct buf *out, size_t max, struct slice method,
				struct slice params);
int json_rpc_write_result(struct buf *out, size_t max, struct slice id_json, struct slice result);
int json_rpc_write_error(struct buf *out, size_t max, struct slice id_json, int64_t code,
			 struct slice message, struct slice data);
