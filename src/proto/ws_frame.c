/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ws_frame.h"

#include <string.h>

#include "base/bytes.h"

#define FIN_BIT       0x80
#define RESERVED_BITS 0x70
#define RSV1_BIT      0x40
#define OPCODE_BITS   0x0f
#define MASK_BIT      0x80
#define LENGTH_BITS   0x7f
#define MASK_LEN      4

static bool opcode_is_known(uint8_t opcode)
{
	return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

/* RSV1 stands in the first frame of a message, and in no other (RFC 7692, 6.1). */
static const char *reserved_problem(struct ws_frame_rules rules, uint8_t first)
{
	uint8_t opcode = first & OPCODE_BITS;

	if (!(first & RESERVED_BITS))
		return NULL;
	if (!rules.may_deflate)
		return "a reserved bit is set but no extension was agreed";
	if ((first & RESERVED_BITS) != RSV1_BIT)
		return "a reserved bit is set that permessage-deflate does not use";
	if (ws_opcode_is_control(opcode))
		return "a control frame has RSV1: it cannot be compressed";
	return opcode == WS_CONTINUATION ? "a continuation frame has RSV1: that stands in the "
					   "first frame of a message"
					 : NULL;
}

static const char *first_byte_problem(struct ws_frame_rules rules, uint8_t first)
{
	uint8_t opcode = first & OPCODE_BITS;
	const char *problem = reserved_problem(rules, first);

	if (problem != NULL)
		return problem;
	if (!opcode_is_known(opcode))
		return "the opcode is unknown";
	if (ws_opcode_is_control(opcode) && !(first & FIN_BIT))
		return "a control frame is fragmented";
	return NULL;
}

static const char *second_byte_problem(enum ws_role self, uint8_t first, uint8_t second)
{
	bool has_mask = (second & MASK_BIT) != 0;

	if (has_mask != (self == WS_SERVER))
		return has_mask ? "a frame from a server is masked"
				: "a frame from a client is not masked";
	if (ws_opcode_is_control(first & OPCODE_BITS) && (second & LENGTH_BITS) > WS_CONTROL_MAX)
		return "a control frame has more than 125 bytes";
	return NULL;
}

/* [bytes] of the length that follow the second byte. */
static size_t length_width(uint8_t second)
{
	uint8_t short_len = second & LENGTH_BITS;

	return short_len == 127 ? 8 : short_len == 126 ? 2 : 0;
}

/* The shortest form is mandatory (5.2), so a long form for a small value is an
 * error; what the first bytes of the length give away is not waited for. */
static const char *length_problem(const uint8_t *in, size_t len)
{
	size_t width = length_width(in[1]);

	if (width == 8 && len > 2 && (in[2] & 0x80))
		return "the payload's length has its highest bit set";
	if (len < 2 + width)
		return NULL;
	uint64_t value = be_read(in + 2, width);

	if ((width == 2 && value < 126) || (width == 8 && value <= UINT16_MAX))
		return "the payload's length is not in its shortest form";
	return NULL;
}

const char *ws_frame_head_problem(struct ws_frame_rules rules, const uint8_t *in, size_t len)
{
	const char *problem = NULL;

	if (len > 0)
		problem = first_byte_problem(rules, in[0]);
	if (problem == NULL && len > 1)
		problem = second_byte_problem(rules.self, in[0], in[1]);
	if (problem == NULL && len > 1)
		problem = length_problem(in, len);
	return problem;
}

enum ws_frame_result ws_frame_head_parse(struct ws_frame_rules rules, uint64_t max_payload,
					 const uint8_t *in, size_t len,
					 struct ws_frame_head *out_head, size_t *out_used)
{
	if (ws_frame_head_problem(rules, in, len) != NULL)
		return WS_FRAME_PROTOCOL;
	if (len < 2)
		return WS_FRAME_MORE;
	uint8_t opcode = in[0] & OPCODE_BITS;
	size_t width = length_width(in[1]);

	if (len < 2 + width)
		return WS_FRAME_MORE;
	uint64_t payload_len = width == 0 ? in[1] & LENGTH_BITS : be_read(in + 2, width);

	if (!ws_opcode_is_control(opcode) && payload_len > max_payload)
		return WS_FRAME_TOO_BIG;
	bool has_mask = (in[1] & MASK_BIT) != 0;
	size_t head_len = 2 + width + (has_mask ? MASK_LEN : 0);

	if (len < head_len)
		return WS_FRAME_MORE;
	out_head->payload_len = payload_len;
	out_head->opcode = opcode;
	out_head->is_final = (in[0] & FIN_BIT) != 0;
	out_head->has_mask = has_mask;
	out_head->is_deflated = (in[0] & RSV1_BIT) != 0;
	if (has_mask)
		memcpy(out_head->mask, in + 2 + width, MASK_LEN);
	*out_used = head_len;
	return WS_FRAME_OK;
}

size_t ws_frame_head_write(uint8_t *out, enum ws_opcode opcode, uint64_t payload_len,
			   const uint8_t *mask)
{
	size_t width = payload_len > UINT16_MAX ? 8 : payload_len > 125 ? 2 : 0;
	uint8_t short_len = width == 8 ? 127 : width == 2 ? 126 : (uint8_t)payload_len;

	out[0] = (uint8_t)(FIN_BIT | opcode);
	out[1] = (uint8_t)((mask != NULL ? MASK_BIT : 0) | short_len);
	be_write(out + 2, width, payload_len);
	if (mask == NULL)
		return 2 + width;
	memcpy(out + 2 + width, mask, MASK_LEN);
	return 2 + width + MASK_LEN;
}
