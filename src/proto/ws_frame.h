/* SPDX-License-Identifier: Apache-2.0
 * ws_frame.h - RFC 6455 frame heads, without I/O.
 *
 * Layer: proto (may include base/ only). Pure functions: no allocation, no
 * clock, no file descriptor, no global state. The caller owns every buffer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2 bytes, 8 of length, 4 of mask (RFC 6455, 5.2). */
#define WS_FRAME_HEAD_MAX 14

/* Payload of a control frame, at most (RFC 6455, 5.5). */
#define WS_CONTROL_MAX 125

enum ws_role { WS_SERVER, WS_CLIENT };

enum ws_opcode {
	WS_CONTINUATION = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xa,
};

/* Control frames may come between the fragments of a message (5.4). */
static inline bool ws_opcode_is_control(uint8_t opcode)
{
	return (opcode & 0x8) != 0;
}

struct ws_frame_head {
	uint64_t payload_len; /* [bytes] */
	uint8_t mask[4];      /* meaningful if has_mask */
	uint8_t opcode;       /* enum ws_opcode */
	bool is_final;
	bool has_mask;
	bool is_deflated; /* RSV1: the message that begins here is compressed (RFC 7692, 6) */
};

/* What is expected of the frames. */
struct ws_frame_rules {
	/* Our side: a server demands masked frames, a client refuses them. */
	enum ws_role self;
	bool may_deflate; /* permessage-deflate was agreed on: RSV1 may begin a message */
};

enum ws_frame_result {
	WS_FRAME_MORE,     /* need more bytes; nothing was consumed */
	WS_FRAME_OK,       /* head complete */
	WS_FRAME_PROTOCOL, /* peer broke RFC 6455: close with 1002 */
	WS_FRAME_TOO_BIG,  /* payload_len over the limit: close with 1009 */
};

/* Parses the frame head at the start of `in`; fails at the first byte that can
 * tell (an opcode error needs only the first byte).
 *
 * `max_payload` is in bytes and holds for data frames.
 * On WS_FRAME_OK fills *out_head and sets *out_used to the size of the head
 * (2..WS_FRAME_HEAD_MAX bytes). On any other result writes neither. */
enum ws_frame_result ws_frame_head_parse(struct ws_frame_rules rules, uint64_t max_payload,
					 const uint8_t *in, size_t len,
					 struct ws_frame_head *out_head, size_t *out_used);

/* What is wrong with the head that starts at `in`, as far as `len` bytes tell: the
 * reason behind WS_FRAME_PROTOCOL, for the log. NULL if nothing is; static text. */
const char *ws_frame_head_problem(struct ws_frame_rules rules, const uint8_t *in, size_t len);

/* Writes a head for a frame with FIN and no reserved bits, in the shortest form;
 * returns its size. `mask` is the 4-byte key, or NULL for a server's frame.
 * `out` has room for WS_FRAME_HEAD_MAX bytes. */
size_t ws_frame_head_write(uint8_t *out, enum ws_opcode opcode, uint64_t payload_len,
			   const uint8_t *mask);

/* [bytes] that it takes. */
static inline size_t ws_frame_head_len(uint64_t payload_len, bool has_mask)
{
	return (payload_len > UINT16_MAX ? 10u
		: payload_len > 125      ? 4u
					 : 2u) +
	       (has_mask ? 4u : 0u);
}

/* Sets RSV1 in a head that is written: its message is compressed. */
static inline void ws_frame_set_deflated(uint8_t *head)
{
	head[0] |= 0x40;
}
