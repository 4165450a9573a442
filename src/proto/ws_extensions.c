/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ws_extensions.h"

#include <stdio.h>

#include "base/check.h"
#include "proto/field_pairs.h"
#include "proto/http_text.h"

#define FIELD "Sec-WebSocket-Extensions"
#define NAME  "permessage-deflate"

enum parameter {
	SERVER_NO_CONTEXT_TAKEOVER,
	CLIENT_NO_CONTEXT_TAKEOVER,
	SERVER_MAX_WINDOW_BITS,
	CLIENT_MAX_WINDOW_BITS,
	PARAMETER_COUNT,
};

/* Whether a parameter has a value (RFC 7692, 7.1). */
enum value_rule { VALUE_NEVER, VALUE_ALWAYS, VALUE_IN_ANSWERS /* and perhaps in an offer */ };

static const struct {
	const char *name;
	enum value_rule rule;
} parameters[PARAMETER_COUNT] = {
	[SERVER_NO_CONTEXT_TAKEOVER] = {"server_no_context_takeover", VALUE_NEVER},
	[CLIENT_NO_CONTEXT_TAKEOVER] = {"client_no_context_takeover", VALUE_NEVER},
	[SERVER_MAX_WINDOW_BITS] = {"server_max_window_bits", VALUE_ALWAYS},
	[CLIENT_MAX_WINDOW_BITS] = {"client_max_window_bits", VALUE_IN_ANSWERS},
};

/* One element of the list, of whichever side. */
struct element {
	bool has[PARAMETER_COUNT];
	uint8_t bits[PARAMETER_COUNT]; /* 0: without a value */
};

static bool parameter_find(struct slice name, enum parameter *out)
{
	for (size_t i = 0; i < PARAMETER_COUNT; i++)
		if (slice_equals_nocase(name, slice_from_text(parameters[i].name))) {
			*out = (enum parameter)i;
			return true;
		}
	return false;
}

/* Decimal, without leading zeros (RFC 7692, 7.1.2). 0: it is none of 8..15. */
static uint8_t bits_read(struct slice text)
{
	unsigned value = 0;

	if (text.len == 0 || text.len > 2 || text.data[0] == '0')
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		value = 10 * value + (text.data[i] - '0');
	}
	return value >= WS_WINDOW_BITS_MIN && value <= WS_WINDOW_BITS_MAX ? (uint8_t)value : 0;
}

/* False: the element cannot be granted for it. */
static bool parameter_take(struct element *element, struct slice text, bool is_answer)
{
	bool has_value = text.len > 0 && memchr(text.data, '=', text.len) != NULL;
	struct slice name = text, value = {0}, plain = {0};
	uint8_t room[4];
	enum parameter which;

	if (has_value && !field_pair_split(text, &name, &value))
		return false;
	if (!parameter_find(name, &which) || element->has[which])
		return false;
	enum value_rule rule = parameters[which].rule;

	if (rule == VALUE_NEVER ? has_value : !has_value && (rule == VALUE_ALWAYS || is_answer))
		return false;
	element->has[which] = true;
	if (!has_value)
		return true;
	if (!field_value_read(value, room, sizeof(room), &plain))
		return false;
	element->bits[which] = bits_read(plain);
	return element->bits[which] != 0;
}

/* False: another extension, or one that cannot be granted. */
static bool element_read(struct slice text, bool is_answer, struct element *out)
{
	struct slice name = field_pair_take(&text);

	*out = (struct element){0};
	if (!slice_equals_nocase(name, SLICE_LITERAL(NAME)))
		return false;
	while (text.data != NULL)
		if (!parameter_take(out, field_pair_take(&text), is_answer))
			return false;
	return true;
}

static bool is_extensions_field(const struct http_field *field, const uint8_t *data)
{
	return slice_equals_nocase(slice_of(data + field->name_at, field->name_len),
				   SLICE_LITERAL(FIELD));
}

/* --- server --- */

static struct ws_deflate_terms grant(const struct element *offer,
				     const struct ws_deflate_policy *policy)
{
	uint8_t bits = policy->keeps_windows ? policy->window_bits : WS_WINDOW_BITS_MAX;
	uint8_t out_bits = offer->bits[SERVER_MAX_WINDOW_BITS];
	uint8_t in_bits = offer->bits[CLIENT_MAX_WINDOW_BITS];
	struct ws_deflate_terms terms = {
		.out_bits = out_bits == 0 ? bits : MIN(out_bits, bits),
		.in_bits = WS_WINDOW_BITS_MAX,
		.keeps_out = policy->keeps_windows && !offer->has[SERVER_NO_CONTEXT_TAKEOVER],
		.names_out_bits = out_bits != 0,
	};

	if (!policy->keeps_windows || offer->has[CLIENT_NO_CONTEXT_TAKEOVER])
		return terms;
	if (offer->has[CLIENT_MAX_WINDOW_BITS])
		terms.in_bits = in_bits == 0 ? bits : MIN(in_bits, bits);
	terms.keeps_in = terms.in_bits <= bits;
	terms.names_in_bits = terms.in_bits < WS_WINDOW_BITS_MAX;
	return terms;
}

bool ws_deflate_choose(const struct http_head *head, const uint8_t *data,
		       const struct ws_deflate_policy *policy, struct ws_deflate_terms *out_terms)
{
	struct element offer;

	CHECK(!policy->keeps_windows || (policy->window_bits >= WS_WINDOW_BITS_MIN &&
					 policy->window_bits <= WS_WINDOW_BITS_MAX));
	*out_terms = (struct ws_deflate_terms){0};
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		struct slice list = slice_of(data + field->value_at, field->value_len);

		if (!is_extensions_field(field, data))
			continue;
		while (list.data != NULL)
			if (element_read(field_item_take(&list), false, &offer)) {
				*out_terms = grant(&offer, policy);
				return true;
			}
	}
	return false;
}

struct ws_deflate_terms ws_deflate_without_windows(const struct ws_deflate_terms *terms)
{
	struct ws_deflate_terms without = *terms;

	without.keeps_out = without.keeps_in = false;
	without.names_in_bits = false;
	without.in_bits = WS_WINDOW_BITS_MAX;
	return without;
}

char *ws_deflate_text(const struct ws_deflate_terms *terms, char out[WS_DEFLATE_TEXT_MAX])
{
	char out_bits[32] = "", in_bits[32] = "";

	if (terms->names_out_bits)
		snprintf(out_bits, sizeof(out_bits), "; server_max_window_bits=%u",
			 terms->out_bits);
	if (terms->names_in_bits)
		snprintf(in_bits, sizeof(in_bits), "; client_max_window_bits=%u", terms->in_bits);
	snprintf(out, WS_DEFLATE_TEXT_MAX, NAME "%s%s%s%s",
		 terms->keeps_out ? "" : "; server_no_context_takeover",
		 terms->keeps_in ? "" : "; client_no_context_takeover", out_bits, in_bits);
	return out;
}

/* --- client --- */

/* Our offer speaks of no client_max_window_bits, so the answer may not (RFC 7692, 7.1.2.2). */
static bool is_answer_to_offer(const struct element *answer)
{
	return answer->has[SERVER_NO_CONTEXT_TAKEOVER] && !answer->has[CLIENT_MAX_WINDOW_BITS];
}

const char *ws_deflate_accept(const struct http_head *head, const uint8_t *data, bool has_offered,
			      struct ws_deflate_terms *out_terms)
{
	struct slice list;
	struct element answer;
	unsigned count = http_field_find(head, data, FIELD, &list);

	*out_terms = (struct ws_deflate_terms){0};
	if (count == 0)
		return NULL;
	if (!has_offered)
		return "the server wants an extension that was not offered";
	if (count > 1 || !element_read(field_item_take(&list), true, &answer) || list.data != NULL)
		return "the server's Sec-WebSocket-Extensions is no answer to the offer";
	if (!is_answer_to_offer(&answer))
		return "the server does not grant permessage-deflate as it was offered";
	*out_terms = (struct ws_deflate_terms){
		.out_bits = WS_WINDOW_BITS_MAX,
		.in_bits = WS_WINDOW_BITS_MAX,
	};
	return NULL;
}
