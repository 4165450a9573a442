/* SPDX-License-Identifier: Apache-2.0
 * ws_close.h - close codes and the body of a close frame (RFC 6455, 5.5.1, 7.4).
 *
 * Layer: proto. Pure functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum ws_close_code {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NO_STATUS = 1005, /* never on the wire: the frame had no code */
	WS_CLOSE_ABNORMAL = 1006,  /* never on the wire: no close frame came */
	WS_CLOSE_BAD_DATA = 1007,
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_MISSING_EXTENSION = 1010,
	WS_CLOSE_INTERNAL = 1011,
	WS_CLOSE_RESTART = 1012,
	WS_CLOSE_TRY_LATER = 1013,
};

/* May a peer send this code? (7.4: 1000-1003, 1007-1014, 3000-4999.) */
bool ws_close_code_is_valid(uint16_t code);

/* Is it one of these that a server may send? 1010 is for clients. */
#define WS_CLOSE_CODES_FOR_SERVERS "1000..1003, 1007..1009, 1011..1014, 3000..4999"
bool ws_close_code_is_for_servers(int64_t code);

/* [bytes] A close frame has room for 125, two of which are the code. */
#define WS_CLOSE_REASON_MAX 123

/* Reads the body of a close frame. Returns 0 and fills both results (an empty body
 * gives WS_CLOSE_NO_STATUS and an empty reason that points into `body`), else the
 * code to fail with: WS_CLOSE_PROTOCOL (one byte, bad code) or WS_CLOSE_BAD_DATA
 * (reason not UTF-8). */
uint16_t ws_close_parse(struct slice body, uint16_t *out_code, struct slice *out_reason);

/* Writes the body: code and reason, the reason cut at a character's edge to fit 125
 * bytes; returns its size. WS_CLOSE_NO_STATUS writes nothing and returns 0; another
 * code must be valid, and `reason` UTF-8 (perhaps empty). */
size_t ws_close_write(uint8_t out[125], uint16_t code, const char *reason);
