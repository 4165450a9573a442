/* SPDX-License-Identifier: Apache-2.0
 * json_redact.h - JSON text without what must not be seen.
 *
 * Layer: proto. Pure functions: no I/O, no allocation, no recursion. Fails closed: what cannot be
 * read to its end is not shown at all, and what might tell a secret in another way than by its name
 * is hidden rather than shown. The text stays as it was written, but for the values that are
 * replaced by "***".
 *
 * A rule is a name, or a name with a '*' at its begin, its end, or both, which stands for anything.
 * Case (of ASCII) does not count, and escapes are read: "\u0070assword" is password. Hidden are
 *
 *   - the value of each member whose name fits a rule, also if it is an object or array;
 *   - where a name that fits stands as a value, as in {"key": "AuthorizationKey", "value": "..."}
 * or
 *     {"variable": {"name": "BasicAuthPassword"}, "attributeValue": "..."}: all strings and numbers
 *     of that object or array, of what is in it, and of the objects around it up to the next array,
 *     but for the values of "key" and "name" that fit themselves;
 *   - strings that are more than one word and have a rule's name somewhere within, and strings that
 *     begin like JSON and have a backslash: text within text;
 *   - strings that have a URL with a user in it, or a signed token (RFC 7515), whatever the rules.
 *
 * A name may be made of parts, as "Connector1.AuthorizationKey[0]": it fits if one of them does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define JSON_REDACT_RULES_MAX 64
#define JSON_REDACT_NAME_MAX  64    /* [bytes] of a rule, without its stars */
#define JSON_REDACT_TEXT_MAX  65536 /* [bytes] */

struct json_redact_rule {
	uint8_t name[JSON_REDACT_NAME_MAX]; /* in lower case */
	uint8_t len;
	bool may_begin; /* with anything */
	bool may_end;
};

struct json_redact_rules {
	struct json_redact_rule items[JSON_REDACT_RULES_MAX];
	size_t count;
	bool begins[256]; /* does any rule's name begin with this byte, in either case? */
};

/* Adds one. False: it is empty, too long, has a star elsewhere, or there are too many. */
bool json_redact_add(struct json_redact_rules *rules, struct slice rule);

enum json_redact_result {
	JSON_REDACT_DONE,
	JSON_REDACT_NOT_JSON,
	JSON_REDACT_TOO_LARGE, /* more than JSON_REDACT_TEXT_MAX bytes */
	JSON_REDACT_TOO_MUCH,  /* more is to be hidden than can be kept track of */
};

struct json_redacted {
	size_t len;    /* [bytes] that were written */
	size_t hidden; /* values that were replaced, in what was written */
	bool is_cut;   /* there was no room for all of it */
};

/* `text` is UTF-8. Writes so much of the redacted text as fits into `max` bytes, whole characters;
 * the whole text has been looked at all the same. `room` has text.len bytes, and must not be `out`.
 * Only JSON_REDACT_DONE writes *out_redacted. */
enum json_redact_result json_redact(const struct json_redact_rules *rules, struct slice text,
				    uint8_t *room, uint8_t *out, size_t max,
				    struct json_redacted *out_redacted);

/* Does any rule's name stand somewhere in the text? */
bool json_redact_mentions(const struct json_redact_rules *rules, struct slice text);

/* [bytes] of `text` that fit into `max`, without a part of a character. */
size_t json_redact_fit(struct slice text, size_t max);
