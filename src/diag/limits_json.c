/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/limits_json.h"

#include "base/check.h"

/* No number would be true of what is unknown or unlimited. JSON's integers are signed. */
static json_t *number_or_null(bool is_known, uint64_t value)
{
	return is_known && value <= INT64_MAX ? json_integer((json_int_t)value) : json_null();
}

json_t *limits_json_text(const char *bytes)
{
	json_t *string = json_string(bytes);
	char ascii[1024];
	size_t len = 0;

	if (string != NULL)
		return string;
	for (; bytes[len] != 0 && len < sizeof(ascii) - 1; len++)
		ascii[len] = (unsigned char)bytes[len] < 0x80 ? bytes[len] : '?';
	ascii[len] = 0;
	return json_string(ascii);
}

static json_t *label_or_null(const struct limit *limit)
{
	return limit == NULL ? json_null() : json_string(limit_label(limit->id));
}

static json_t *remedies(const struct limits_input *input, const struct limit *limit,
			uint64_t wanted)
{
	struct limit_remedy list[LIMIT_REMEDIES_MAX];
	size_t count = limit_remedies(input, limit, wanted, list);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:s, s:s}", "place", list[i].place, "text",
						       list[i].text));
	return array;
}

static json_t *row(const struct limits_input *input, const struct limit *limit, uint64_t wanted)
{
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:s, s:s, s:o, s:s, s:o}", "limit",
		limit_label(limit->id), "scope", limit_scope_name(limit->id), "kind",
		limit_kind_name(limit->id), "state", limit_state_name(limit->state), "value",
		number_or_null(limit->state == LIMIT_KNOWN, limit->value), "unit",
		limit_unit(limit->id), "used", number_or_null(limit->has_used, limit->used),
		"connections",
		number_or_null(limit->connections != LIMIT_NO_CAP, limit->connections), "cost",
		limit->cost, "source", limit->source, "set_by", limits_json_text(limit->set_by),
		"note", limit->note, "remedies", remedies(input, limit, wanted));
}

static uint64_t twice(const struct limit *binding)
{
	return binding == NULL ? 1 : MAX(MIN(binding->connections, UINT64_MAX / 2) * 2, 1);
}

json_t *limits_json(const struct limits_input *input, const struct limits *limits, uint64_t wanted)
{
	const struct limit *binding = limits_binding(limits);
	uint64_t held = binding == NULL ? LIMIT_NO_CAP : binding->connections;
	json_t *rows = json_array();

	if (wanted == 0)
		wanted = twice(binding);
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++)
		json_array_append_new(rows, row(input, &limits->rows[limits->order[i]], wanted));
	return json_pack("{s:o, s:o, s:o, s:I, s:o}", "binding", label_or_null(binding), "next",
			 label_or_null(limits_next(limits)), "connections",
			 number_or_null(held != LIMIT_NO_CAP, held), "used",
			 (json_int_t)input->connections, "limits", rows);
}
