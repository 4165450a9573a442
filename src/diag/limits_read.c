/* SPDX-License-Identifier: Apache-2.0
 * limits_read.c - the limits table back from its JSON, as a running gateway answers it.
 *
 * What it sent is not trusted: it may be of another version, or no gateway at all, and its
 * texts go to a terminal. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "diag/limits_json.h"

static const char *const places[] = {"configuration", "shell",      "systemd", "compose",
				     "docker",        "kubernetes", "sysctl",  "machine"};

/* The member's text with nothing in it that could upset a terminal. */
static void text_take(const json_t *object, const char *member, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(object, member));

	snprintf(out, size, "%s", text == NULL ? "" : text);
	for (char *c = out; *c != 0; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			*c = '?';
}

/* False: null, or no number. */
static bool number_take(const json_t *object, const char *member, uint64_t *out_number)
{
	const json_t *number = json_object_get(object, member);

	if (!json_is_integer(number) || json_integer_value(number) < 0)
		return false;
	*out_number = (uint64_t)json_integer_value(number);
	return true;
}

static bool is_word(const json_t *object, const char *member, const char *word)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL && strcmp(text, word) == 0;
}

static const json_t *row_find(const json_t *table, enum limit_id id)
{
	const json_t *rows = json_object_get(table, "limits");

	for (size_t i = 0; i < json_array_size(rows); i++)
		if (is_word(json_array_get(rows, i), "limit", limit_label(id)))
			return json_array_get(rows, i);
	return NULL;
}

static void row_read(const json_t *from, struct limit *row)
{
	uint64_t connections;

	row->state = LIMIT_UNKNOWN;
	for (enum limit_state state = LIMIT_KNOWN; state <= LIMIT_OFF; state++)
		if (is_word(from, "state", limit_state_name(state)))
			row->state = state;
	if (row->state == LIMIT_KNOWN && !number_take(from, "value", &row->value))
		row->state = LIMIT_UNKNOWN;
	row->has_used = number_take(from, "used", &row->used);
	if (number_take(from, "connections", &connections))
		row->connections = connections;
	text_take(from, "source", row->source, sizeof(row->source));
	text_take(from, "set_by", row->set_by, sizeof(row->set_by));
	text_take(from, "cost", row->cost, sizeof(row->cost));
	text_take(from, "note", row->note, sizeof(row->note));
}

bool limits_json_read(const json_t *table, struct limits *out_limits, uint64_t *out_connections)
{
	const json_t *own = row_find(table, LIMIT_ID_MAX_CONNECTIONS);
	struct limits *limits = out_limits;

	if (own == NULL || !number_take(table, "used", out_connections))
		return false;
	*limits = (struct limits){0};
	for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
		const json_t *from = row_find(table, id);
		struct limit *row = &limits->rows[id];

		*row = (struct limit){
			.id = id, .state = LIMIT_UNKNOWN, .connections = LIMIT_NO_CAP};
		if (from != NULL)
			row_read(from, row);
		else
			snprintf(row->note, sizeof(row->note), "it does not tell of this limit");
	}
	/* As build_max_connections notes it. */
	limits->is_auto = strncmp(limits->rows[LIMIT_ID_MAX_CONNECTIONS].note, "auto",
				  strlen("auto")) == 0;
	limits_sort(limits);
	return true;
}

size_t limits_json_remedies(const json_t *table, const struct limit *limit, uint64_t connections,
			    struct limit_remedy out[LIMIT_REMEDIES_MAX])
{
	const json_t *remedies = json_object_get(row_find(table, limit->id), "remedies");
	bool suffices = limit_kind(limit->id) == LIMIT_CAPS && limit->connections >= connections;
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(remedies) && count < LIMIT_REMEDIES_MAX; i++) {
		const json_t *from = json_array_get(remedies, i);

		for (size_t place = 0; place < ARRAY_LEN(places) && !suffices; place++) {
			if (!is_word(from, "place", places[place]) || count == LIMIT_REMEDIES_MAX)
				continue;
			out[count] = (struct limit_remedy){.place = places[place]};
			text_take(from, "text", out[count].text, sizeof(out[count].text));
			count++;
		}
	}
	return count;
}
