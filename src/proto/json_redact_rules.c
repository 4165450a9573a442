/* SPDX-License-Identifier: Apache-2.0
 * json_redact_rules.c - what names tell of a secret, and what texts are one. */
#include "proto/json_redact_private.h"

#include <string.h>

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

static uint8_t upper(uint8_t byte)
{
	return byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - ('a' - 'A')) : byte;
}

bool json_redact_add(struct json_redact_rules *rules, struct slice rule)
{
	struct json_redact_rule *item = &rules->items[rules->count];

	if (rules->count == JSON_REDACT_RULES_MAX)
		return false;
	*item = (struct json_redact_rule){0};
	item->may_begin = rule.len > 0 && rule.data[0] == '*';
	if (item->may_begin)
		rule = slice_of(rule.data + 1, rule.len - 1);
	item->may_end = rule.len > 0 && rule.data[rule.len - 1] == '*';
	rule.len -= item->may_end;
	if (rule.len == 0 || rule.len > sizeof(item->name) ||
	    memchr(rule.data, '*', rule.len) != NULL)
		return false;
	for (size_t i = 0; i < rule.len; i++)
		item->name[i] = lower(rule.data[i]);
	item->len = (uint8_t)rule.len;
	rules->begins[item->name[0]] = true;
	rules->begins[upper(item->name[0])] = true;
	rules->count++;
	return true;
}

static bool stands_at(const struct json_redact_rule *rule, struct slice text, size_t at)
{
	if (text.len - at < rule->len)
		return false;
	for (size_t i = 0; i < rule->len; i++)
		if (lower(text.data[at + i]) != rule->name[i])
			return false;
	return true;
}

/* Does the whole text fit? */
static bool rule_fits(const struct json_redact_rule *rule, struct slice text)
{
	if (text.len < rule->len)
		return false;
	size_t last = text.len - rule->len;

	if (!rule->may_begin)
		return (last == 0 || rule->may_end) && stands_at(rule, text, 0);
	if (!rule->may_end)
		return stands_at(rule, text, last);
	for (size_t at = 0; at <= last; at++)
		if (stands_at(rule, text, at))
			return true;
	return false;
}

bool json_redact_fits(const struct json_redact_rules *rules, struct slice text)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rule_fits(&rules->items[i], text))
			return true;
	return false;
}

static bool is_separator(uint8_t byte)
{
	return byte <= ' ' || (byte < 0x80 && strchr("./:;#@()[]", byte) != NULL);
}

/* The whole, or a part of a name that is made of several, as in
 * "SecurityCtrlr.AuthorizationKey[0]".
 */
bool json_redact_fits_in_part(const struct json_redact_rules *rules, struct slice name)
{
	size_t start = 0;

	if (json_redact_fits(rules, name))
		return true;
	for (size_t at = 0; at <= name.len; at++) {
		if (at < name.len && !is_separator(name.data[at]))
			continue;
		if (json_redact_fits(rules, slice_of(name.data + start, at - start)))
			return true;
		start = at + 1;
	}
	return false;
}

bool json_redact_mentions(const struct json_redact_rules *rules, struct slice text)
{
	for (size_t at = 0; at < text.len; at++) {
		if (!rules->begins[text.data[at]])
			continue;
		for (size_t i = 0; i < rules->count; i++)
			if (stands_at(&rules->items[i], text, at))
				return true;
	}
	return false;
}

/* --- texts --- */

/* "ftp://user:password@host/", as firmware and logs are fetched in OCPP. */
static bool has_user(struct slice text)
{
	for (size_t at = 0; at + 3 <= text.len; at++) {
		if (memcmp(text.data + at, "://", 3) != 0)
			continue;
		for (at += 3; at < text.len && text.data[at] > ' ' &&
			      memchr("/?#\"", text.data[at], 4) == NULL;
		     at++)
			if (text.data[at] == '@')
				return true;
	}
	return false;
}

/* The compact form of a signed token (RFC 7515), somewhere: its header is JSON, in base64. */
static bool has_signed_token(struct slice text)
{
	static const char begin[] = "eyJ";
	const uint8_t *dot = text.len == 0 ? NULL : memrchr(text.data, '.', text.len);
	size_t end = dot == NULL ? 0 : (size_t)(dot - text.data);

	for (size_t at = 0; at + strlen(begin) <= end; at++)
		if (memcmp(text.data + at, begin, strlen(begin)) == 0)
			return true;
	return false;
}

bool json_redact_is_secret(struct slice text)
{
	return has_user(text) || has_signed_token(text);
}
