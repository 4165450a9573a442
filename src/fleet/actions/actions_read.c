/* SPDX-License-Identifier: Apache-2.0
 * actions_read.c - a list of actions from JSON: {"actions": [{"send": {"text": "..."}}, ...]}. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/unicode.h"
#include "fleet/actions/actions_private.h"
#include "fleet/rpc/rpc_frame.h"
#include "proto/ws_close.h"

#define ALLOWED_NAMES   "one of send, close, join, leave, send_group"
#define ALLOWED_SEND    "an object with text or base64, and perhaps compress"
#define ALLOWED_GROUP   "an object with group, and text or base64, and perhaps compress, except_self"
#define ALLOWED_CLOSE   "an object with perhaps code and reason"
#define ALLOWED_MESSAGE "either text, a string, or base64, a string of that"
#define ALLOWED_LIST    "{\"actions\":[{\"send\":{\"text\":\"...\"}}]}"

static const struct {
	const char *members, *allowed; /* of an object; NULL: it is a list of names */
} shapes[ACTION_KIND_COUNT] = {
	[ACTION_SEND] = {" text base64 compress ", ALLOWED_SEND},
	[ACTION_CLOSE] = {" code reason ", ALLOWED_CLOSE},
	[ACTION_SEND_GROUP] = {" group text base64 compress except_self ", ALLOWED_GROUP},
};

struct reader {
	uint64_t message_max; /* [bytes] */
	struct actions *actions;
	struct actions_fault *fault;
	size_t index;     /* of the action that is read */
	const char *name; /* its; NULL: not known yet */
	struct action *action;
};

/* --- what is wrong --- */

void actions_fault_format(const struct actions_fault *fault, char *out, size_t size)
{
	snprintf(out, size, "%s %s%s%s; allowed: %s", fault->where, fault->what,
		 fault->seen[0] == 0 ? "" : "; seen: ", fault->seen, fault->allowed);
	unicode_make_plain(out, strlen(out), '?');
}

/* A value in the words of people, shortened. */
static void seen_write(const json_t *value, char out[64])
{
	static const char *const types[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list", [JSON_STRING] = "a string",
		[JSON_REAL] = "a number",    [JSON_TRUE] = "true",    [JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};

	out[0] = 0;
	if (value == NULL)
		return;
	if (json_is_string(value))
		snprintf(out, 64, "'%.40s'", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(out, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(out, 64, "%s", types[json_typeof(value)]);
	unicode_make_plain(out, strlen(out), '?');
}

/* `member` may be NULL. Returns false. */
static bool fail(struct reader *reader, const char *member, const char *what, const json_t *seen,
		 const char *allowed)
{
	struct actions_fault *fault = reader->fault;

	snprintf(fault->where, sizeof(fault->where), "actions[%zu]%s%s%s%s", reader->index,
		 reader->name == NULL ? "" : ".", reader->name == NULL ? "" : reader->name,
		 member == NULL ? "" : ".", member == NULL ? "" : member);
	fault->what = what;
	seen_write(seen, fault->seen);
	fault->allowed = allowed;
	return false;
}

static bool fail_all(struct actions_fault *fault, const char *what, const char *seen,
		     const char *allowed)
{
	*fault = (struct actions_fault){.where = "the document", .what = what, .allowed = allowed};
	snprintf(fault->seen, sizeof(fault->seen), "%.60s", seen);
	unicode_make_plain(fault->seen, strlen(fault->seen), '?');
	return false;
}

static bool members_check(struct reader *reader, const json_t *object, const char *members,
			  const char *allowed)
{
	const char *key;
	json_t *value;
	char word[32];

	if (!json_is_object(object))
		return fail(reader, NULL, "is no object", object, allowed);
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		int len = snprintf(word, sizeof(word), " %s ", key);

		if ((size_t)len >= sizeof(word) || strstr(members, word) == NULL ||
		    strchr(key, ' ') != NULL) {
			fail(reader, NULL, "has an unknown member", NULL, allowed);
			snprintf(reader->fault->seen, sizeof(reader->fault->seen), "'%.40s'", key);
			unicode_make_plain(reader->fault->seen, strlen(reader->fault->seen), '?');
			return false;
		}
	}
	return true;
}

/* --- the parts of an action --- */

static bool is_whole_text(const json_t *value)
{
	return json_is_string(value) &&
	       strlen(json_string_value(value)) == json_string_length(value);
}

static bool group_read(struct reader *reader, const char *member, const json_t *value,
		       const char **out_group)
{
	struct slice name = slice_of(json_string_value(value), json_string_length(value));

	if (!json_is_string(value) || !group_name_is_good(name))
		return fail(reader, member, "is no name of a group", value, GROUP_NAME_ALLOWED);
	*out_group = json_string_value(value);
	return true;
}

static bool base64_take(struct reader *reader, const json_t *value)
{
	struct action *action = reader->action;
	struct slice text = slice_of(json_string_value(value), json_string_length(value));
	size_t len = 0;

	if (!json_is_string(value))
		return fail(reader, "base64", "is no string", value, ALLOWED_MESSAGE);
	action->owned = malloc(BASE64_DECODED_MAX(text.len));
	if (action->owned == NULL)
		return fail(reader, NULL, "cannot be kept: memory is out", NULL, "later");
	if (text.len > 0 && !base64_read(text, action->owned, &len))
		return fail(reader, "base64", "is not base64", NULL, /* nobody else's business */
			    "RFC 4648, section 4, with padding");
	action->message = (struct message){.bytes = slice_of(action->owned, len)};
	return true;
}

static bool text_take(struct reader *reader, const json_t *value)
{
	if (!json_is_string(value))
		return fail(reader, "text", "is no string", value, ALLOWED_MESSAGE);
	reader->action->message = (struct message){
		.is_text = true,
		.bytes = slice_of(json_string_value(value), json_string_length(value)),
	};
	return true;
}

static bool message_read(struct reader *reader, const json_t *object)
{
	const json_t *text = json_object_get(object, "text");
	const json_t *base64 = json_object_get(object, "base64");
	const json_t *compress = json_object_get(object, "compress");
	struct message *message = &reader->action->message;

	if ((text == NULL) == (base64 == NULL))
		return fail(reader, NULL, text == NULL ? "has no message" : "has two messages",
			    NULL, ALLOWED_MESSAGE);
	if (compress != NULL && !json_is_boolean(compress))
		return fail(reader, "compress", "is no boolean", compress, "true, false");
	if (text != NULL ? !text_take(reader, text) : !base64_take(reader, base64))
		return false;
	message->stays_plain = json_is_false(compress);
	reader->actions->bytes += message->bytes.len;
	if (message->bytes.len > reader->message_max)
		return fail(reader, NULL, "is a message larger than server.max_message_size", NULL,
			    "a smaller one");
	return true;
}

/* --- the actions --- */

static bool close_read(struct reader *reader, const json_t *value)
{
	const json_t *code = json_object_get(value, "code");
	const json_t *reason = json_object_get(value, "reason");
	struct action *action = reader->action;

	action->code = WS_CLOSE_NORMAL;
	action->reason = "";
	if (code != NULL &&
	    (!json_is_integer(code) || !ws_close_code_is_for_servers(json_integer_value(code))))
		return fail(reader, "code", "is no code that a server may send", code,
			    WS_CLOSE_CODES_FOR_SERVERS);
	if (code != NULL)
		action->code = (uint16_t)json_integer_value(code);
	if (reason != NULL &&
	    (!is_whole_text(reason) || json_string_length(reason) > WS_CLOSE_REASON_MAX))
		return fail(reader, "reason", "does not fit into a close frame", reason,
			    "a string of at most 123 bytes");
	if (reason != NULL)
		action->reason = json_string_value(reason);
	return true;
}

static bool send_group_read(struct reader *reader, const json_t *value)
{
	const json_t *except = json_object_get(value, "except_self");

	if (except != NULL && !json_is_boolean(except))
		return fail(reader, "except_self", "is no boolean", except, "true, false");
	reader->action->spares_self = json_is_true(except);
	return group_read(reader, "group", json_object_get(value, "group"),
			  &reader->action->group) &&
	       message_read(reader, value);
}

/* NULL: there are too many. */
static struct action *action_add(struct reader *reader, enum action_kind kind)
{
	struct actions *actions = reader->actions;

	if (actions->count == ACTIONS_MAX) {
		fail(reader, NULL, "is one action too many", NULL,
		     "100, where each group that is joined or left is one");
		return NULL;
	}
	reader->action = &actions->list[actions->count++];
	*reader->action = (struct action){.kind = kind, .index = reader->index};
	return reader->action;
}

static bool groups_read(struct reader *reader, enum action_kind kind, const json_t *list)
{
	size_t i;
	json_t *name;

	if (!json_is_array(list))
		return fail(reader, NULL, "is no list", list, "a list of names of groups");
	json_array_foreach(list, i, name)
	{
		struct action *action = action_add(reader, kind);

		if (action == NULL || !group_read(reader, NULL, name, &action->group))
			return false;
	}
	return true;
}

static bool action_read(struct reader *reader, enum action_kind kind, const json_t *value)
{
	if (kind == ACTION_JOIN || kind == ACTION_LEAVE)
		return groups_read(reader, kind, value);
	if (!members_check(reader, value, shapes[kind].members, shapes[kind].allowed) ||
	    action_add(reader, kind) == NULL)
		return false;
	switch (kind) {
	case ACTION_SEND:
		return message_read(reader, value);
	case ACTION_CLOSE:
		return close_read(reader, value);
	default:
		return send_group_read(reader, value);
	}
}

static bool kind_find(const char *name, enum action_kind *out_kind)
{
	for (unsigned kind = 0; kind < ACTION_KIND_COUNT; kind++)
		if (strcmp(action_name(kind), name) == 0) {
			*out_kind = kind;
			return true;
		}
	return false;
}

/* {"send": {...}}: one member, whose name says what it is. */
static bool item_read(struct reader *reader, json_t *item)
{
	void *only = json_object_iter(item);
	const struct actions *actions = reader->actions;
	enum action_kind kind;

	reader->name = NULL;
	if (actions->count > 0 && actions->list[actions->count - 1].kind == ACTION_CLOSE)
		return fail(reader, NULL, "stands behind a close", NULL, "nothing behind it");
	if (only == NULL || json_object_iter_next(item, only) != NULL)
		return fail(reader, NULL, "is no object with one member", item, ALLOWED_NAMES);
	if (!kind_find(json_object_iter_key(only), &kind)) {
		json_t *name = json_string(json_object_iter_key(only));

		fail(reader, NULL, "is no action", name, ALLOWED_NAMES);
		json_decref(name);
		return false;
	}
	reader->name = action_name(kind);
	return action_read(reader, kind, json_object_iter_value(only));
}

static bool list_read(struct reader *reader, const json_t *list)
{
	json_t *item;

	json_array_foreach(list, reader->index, item)
	{
		if (!item_read(reader, item))
			return false;
	}
	return true;
}

/* --- the document --- */

struct actions *actions_read_members(const json_t *members, uint64_t message_max,
				     struct actions_fault *out_fault)
{
	json_t *list = json_object_get(members, "actions");
	struct actions *actions = json_is_array(list) ? calloc(1, sizeof(*actions)) : NULL;
	struct reader reader = {.message_max = message_max, .actions = actions, .fault = out_fault};

	if (actions == NULL) {
		fail_all(out_fault,
			 json_is_array(list) ? "cannot be kept: memory is out"
					     : "has no list 'actions'",
			 "", ALLOWED_LIST);
		return NULL;
	}
	actions->json = json_incref(list);
	actions->document_count = json_array_size(list);
	if (!list_read(&reader, list))
		actions_destroy(&actions);
	return actions;
}

static bool is_alone(const json_t *document, struct actions_fault *fault)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)document, key, value)
	{
		if (strcmp(key, "actions") != 0)
			return fail_all(fault, "has an unknown member", key, ALLOWED_LIST);
	}
	return true;
}

struct actions *actions_read(struct slice json, uint64_t message_max,
			     struct actions_fault *out_fault)
{
	json_error_t error;
	json_t *document = json_loadb((const char *)json.data, json.len,
				      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	struct actions *actions = NULL;
	char *near = document == NULL ? strstr(error.text, " near '") : NULL;

	if (near != NULL) /* what follows may be a part of a message */
		*near = 0;
	if (json_is_object(document)) {
		if (is_alone(document, out_fault))
			actions = actions_read_members(document, message_max, out_fault);
	} else {
		fail_all(out_fault, "is no JSON object",
			 document == NULL ? error.text : "other JSON", ALLOWED_LIST);
	}
	json_decref(document);
	return actions;
}

void actions_destroy(struct actions **actions)
{
	struct actions *self = *actions;

	*actions = NULL;
	if (self == NULL)
		return;
	for (size_t i = 0; i < self->count; i++)
		free(self->list[i].owned);
	json_decref(self->json);
	free(self);
}

size_t actions_count(const struct actions *actions)
{
	return actions->document_count;
}

size_t actions_size(const struct actions *actions)
{
	return sizeof(*actions) + actions->bytes;
}

bool actions_have_call(const struct actions *actions, enum config_rpc rpc, size_t *out_index)
{
	for (size_t i = 0; i < actions->count; i++) {
		const struct action *action = &actions->list[i];

		if (action->kind == ACTION_SEND && rpc_frame_is_call(rpc, &action->message)) {
			*out_index = action->index;
			return true;
		}
	}
	return false;
}
