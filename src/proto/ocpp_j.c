/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ocpp_j.h"

#include "base/check.h"
#include "proto/json_text.h"

#define PARTS_MAX 5

/* The items of the array; those beyond PARTS_MAX are counted only. */
struct items {
	struct json_part parts[PARTS_MAX];
	size_t count;
};

static enum json_kind kind_of(const struct items *items, size_t i)
{
	return i < items->count ? items->parts[i].kind : JSON_KIND_NONE;
}

/* False on a mistake in the JSON; the items before it are there. */
static bool items_read(struct slice text, struct items *out_items, struct json_fault *out_fault)
{
	struct json_scan scan;
	struct json_part part;
	struct slice name;
	enum json_kind kind = JSON_KIND_NONE;

	if (!json_scan_enter(&scan, text, &kind) || kind != JSON_KIND_ARRAY) {
		if (json_check(text, &part, out_fault))
			*out_fault = (struct json_fault){"the message must be an array",
							 (size_t)(part.text.data - text.data)};
		return false;
	}
	while (json_scan_next(&scan, &name, &part)) {
		if (out_items->count < PARTS_MAX)
			out_items->parts[out_items->count] = part;
		out_items->count++;
	}
	if (scan.error == NULL)
		return true;
	*out_fault = (struct json_fault){scan.error, scan.at};
	return false;
}

/* Types are compared as written: 2.0 and 2e0 are no known ones. */
static enum ocpp_j_kind type_read(const struct ocpp_j_options *options, const struct items *items)
{
	struct slice text = items->parts[0].text;
	uint8_t last = options->has_2_1 ? '6' : '4';

	if (kind_of(items, 0) != JSON_KIND_NUMBER || text.len != 1 || text.data[0] < '2' ||
	    text.data[0] > last)
		return OCPP_J_NONE;
	return (enum ocpp_j_kind)(text.data[0] - '0');
}

static const char *id_read(const struct ocpp_j_options *options, const struct items *items,
			   struct slice *out_id)
{
	if (kind_of(items, 1) != JSON_KIND_STRING)
		return "the id must be a string";
	struct slice id = json_part_inside(&items->parts[1]);

	if (id.len == 0)
		return "the id must not be empty";
	if (json_text_chars(id) > options->id_chars_max)
		return "the id is too long";
	*out_id = id;
	return NULL;
}

/* What stands behind the id. */
struct layout {
	size_t least, most; /* of all items */
	const char *wrong_count;
	bool is_error; /* code, description, details; else an action if there is room for one,
			* and the payload */
};

static const struct layout layouts[] = {
	[OCPP_J_CALL] = {4, 4, "a CALL has four items: 2, id, action, payload", false},
	[OCPP_J_RESULT] = {3, 3, "a CALLRESULT has three items: 3, id, payload", false},
	[OCPP_J_ERROR] = {3, 5,
			  "a CALLERROR has five items: 4, id, code, description, details; at least "
			  "the first three",
			  true},
	[OCPP_J_RESULT_ERROR] = {3, 5,
				 "a CALLRESULTERROR has five items: 5, id, code, description, "
				 "details; at least the first three",
				 true},
	[OCPP_J_SEND] = {4, 4, "a SEND has four items: 6, id, action, payload", false},
};

struct mistake {
	size_t item; /* where; the count of items: at the end of the array */
	const char *reason;
};

static bool is_object_or_null(enum json_kind kind)
{
	return kind == JSON_KIND_OBJECT || kind == JSON_KIND_NULL;
}

/* What a device makes of the rest is its own business: the code says enough. */
static struct mistake error_fill(const struct items *items, struct ocpp_j_message *message)
{
	if (kind_of(items, 2) != JSON_KIND_STRING)
		return (struct mistake){2, "the error code must be a string"};
	message->code = json_part_inside(&items->parts[2]);
	if (kind_of(items, 3) == JSON_KIND_STRING)
		message->description = json_part_inside(&items->parts[3]);
	if (items->count == 5)
		message->details = items->parts[4].text;
	else if (kind_of(items, 3) == JSON_KIND_OBJECT) /* the description is left out */
		message->details = items->parts[3].text;
	return (struct mistake){0, NULL};
}

static struct mistake payload_fill(const struct items *items, struct ocpp_j_message *message)
{
	size_t last = items->count - 1;
	struct slice action = {0};

	if (last == 3) {
		if (kind_of(items, 2) != JSON_KIND_STRING)
			return (struct mistake){2, "the action must be a string"};
		action = json_part_inside(&items->parts[2]);
		if (action.len == 0)
			return (struct mistake){2, "the action must not be empty"};
	}
	if (!is_object_or_null(kind_of(items, last)))
		return (struct mistake){last, "the payload must be an object or null"};
	message->action = action;
	message->payload = items->parts[last].text;
	return (struct mistake){0, NULL};
}

static struct mistake rest_fill(const struct items *items, struct ocpp_j_message *message)
{
	const struct layout *layout = &layouts[message->kind];

	if (items->count < layout->least || items->count > layout->most)
		return (struct mistake){MIN(items->count, layout->most), layout->wrong_count};
	return layout->is_error ? error_fill(items, message) : payload_fill(items, message);
}

/* Of an item that was read its first byte; of one that was not the end of the text. */
static struct json_fault fault_at(const struct items *items, struct slice text,
				  struct mistake mistake)
{
	size_t at = text.len;

	if (mistake.item < MIN(items->count, (size_t)PARTS_MAX))
		at = (size_t)(items->parts[mistake.item].text.data - text.data);
	return (struct json_fault){mistake.reason, at};
}

enum ocpp_j_result ocpp_j_read(const struct ocpp_j_options *options, struct slice text,
			       struct ocpp_j_message *out_message, struct json_fault *out_fault)
{
	struct items items = {0};
	struct mistake mistake = {0, "the message type must be a number"};
	bool is_json = items_read(text, &items, out_fault);
	struct ocpp_j_message message = {.kind = type_read(options, &items)};
	const char *id_error = id_read(options, &items, &message.id);

	*out_message = message;
	if (!is_json)
		return OCPP_J_MALFORMED;
	if (kind_of(&items, 0) == JSON_KIND_NUMBER && message.kind == OCPP_J_NONE) {
		mistake.reason = "the message type is not known";
		*out_fault = fault_at(&items, text, mistake);
		return OCPP_J_UNKNOWN_TYPE;
	}
	if (message.kind != OCPP_J_NONE)
		mistake = id_error != NULL ? (struct mistake){1, id_error}
					   : rest_fill(&items, &message);
	if (mistake.reason != NULL) {
		*out_fault = fault_at(&items, text, mistake);
		return OCPP_J_MALFORMED;
	}
	*out_message = message;
	return OCPP_J_OK;
}

/* Writing. */

int ocpp_j_write_call(struct buf *out, size_t max, struct slice id, struct slice action,
		      struct slice payload)
{
	const struct json_piece pieces[] = {
		JSON_LITERAL("[2,"), JSON_PLAIN(id),    JSON_LITERAL(","), JSON_PLAIN(action),
		JSON_LITERAL(","),   JSON_RAW(payload), JSON_LITERAL("]")};

	return json_write(out, max, pieces, ARRAY_LEN(pieces));
}

int ocpp_j_write_result(struct buf *out, size_t max, struct slice id, struct slice payload)
{
	const struct json_piece pieces[] = {JSON_LITERAL("[3,"), JSON_PLAIN(id), JSON_LITERAL(","),
					    JSON_RAW(payload), JSON_LITERAL("]")};

	return json_write(out, max, pieces, ARRAY_LEN(pieces));
}

int ocpp_j_write_error(struct buf *out, size_t max, struct slice id, struct slice code,
		       struct slice description, struct slice details)
{
	const struct json_piece pieces[] = {
		JSON_LITERAL("[4,"), JSON_PLAIN(id),    JSON_LITERAL(","),
		JSON_PLAIN(code),    JSON_LITERAL(","), JSON_PLAIN(description),
		JSON_LITERAL(","),   JSON_RAW(details), JSON_LITERAL("]"),
	};

	return json_write(out, max, pieces, ARRAY_LEN(pieces));
}
