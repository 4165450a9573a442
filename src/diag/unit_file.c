/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/unit_file.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

static const struct {
	const char *key;
	size_t offset;
} keys[] = {
#define UNIT_ROW(member, key) {key, offsetof(struct unit_file, member)},
	UNIT_KEYS(UNIT_ROW)};

static bool is_comment(struct slice line)
{
	return line.len > 0 && (line.data[0] == '#' || line.data[0] == ';');
}

/* --- the file --- */

struct reading {
	struct slice rest;
	char value[UNIT_VALUE_MAX]; /* of the assignment that is read */
	size_t len;
};

static void value_append(struct reading *reading, struct slice part)
{
	size_t len = MIN(part.len, sizeof(reading->value) - 1 - reading->len);

	if (len > 0)
		memcpy(reading->value + reading->len, part.data, len);
	reading->len += len;
	reading->value[reading->len] = 0;
}

/* The rest of a value whose line ends with a backslash; comments in between are left out. */
static void value_read(struct reading *reading, struct slice part)
{
	struct slice line;

	reading->len = 0;
	reading->value[0] = 0;
	while (part.len > 0 && part.data[part.len - 1] == '\\') {
		part.len--;
		value_append(reading, part);
		value_append(reading, SLICE_LITERAL(" "));
		do
			if (!slice_next_line(&reading->rest, &line))
				line = (struct slice){0};
		while (is_comment(slice_trim(line)));
		part = slice_trim(line);
	}
	value_append(reading, part);
	while (reading->len > 0 && reading->value[reading->len - 1] == ' ')
		reading->value[--reading->len] = 0;
}

static void value_set(struct unit_value *to, const char *text, unsigned from)
{
	snprintf(to->text, sizeof(to->text), "%s", text);
	to->from = from;
}

static void assign(struct unit_file *unit, struct slice key, const char *text, unsigned from)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (slice_equals(key, slice_from_text(keys[i].key)))
			value_set((struct unit_value *)((char *)unit + keys[i].offset), text, from);
	/* It is TimeoutStartSec and TimeoutStopSec at once. */
	if (slice_equals(key, SLICE_LITERAL("TimeoutSec")))
		value_set(&unit->timeout_stop, "", from);
}

/* True: there is a section [Service]. */
static bool merge(struct slice text, unsigned from, struct unit_file *unit)
{
	struct reading reading = {.rest = text};
	bool is_service = false, has_service = false;
	struct slice line;

	while (slice_next_line(&reading.rest, &line)) {
		line = slice_trim(line);
		if (line.len == 0 || is_comment(line))
			continue;
		if (line.data[0] == '[') {
			is_service = slice_equals(line, SLICE_LITERAL("[Service]"));
			has_service |= is_service;
			continue;
		}
		const uint8_t *equals = memchr(line.data, '=', line.len);

		if (equals == NULL)
			continue;
		size_t key_len = (size_t)(equals - line.data);

		value_read(&reading, slice_trim(slice_of(equals + 1, line.len - key_len - 1)));
		if (is_service)
			assign(unit, slice_trim(slice_of(line.data, key_len)), reading.value, from);
	}
	return has_service;
}

bool unit_file_read(struct slice text, struct unit_file *out_unit)
{
	*out_unit = (struct unit_file){0};
	return merge(text, 0, out_unit);
}

void unit_file_merge(struct slice text, unsigned from, struct unit_file *unit)
{
	(void)merge(text, from, unit);
}

/* --- values --- */

static const struct {
	const char *name;
	uint64_t ms;
} time_units[] = {
	{"", 1000},           {"s", 1000},        {"sec", 1000},      {"second", 1000},
	{"seconds", 1000},    {"ms", 1},          {"msec", 1},        {"m", 60000},
	{"min", 60000},       {"minute", 60000},  {"minutes", 60000}, {"h", 3600000},
	{"hr", 3600000},      {"hour", 3600000},  {"hours", 3600000}, {"d", 86400000},
	{"day", 86400000},    {"days", 86400000}, {"w", 604800000},   {"week", 604800000},
	{"weeks", 604800000},
};

/* No sum of such overflows. */
#define TIME_DIGITS_MAX 9
#define TIME_PARTS_MAX  8

/* "5min" at *at, which moves behind it. */
static bool time_part_read(const char **at, uint64_t *out_ms)
{
	size_t digits = strspn(*at, "0123456789");
	uint64_t count;

	if (digits == 0 || digits > TIME_DIGITS_MAX ||
	    units_parse_count(slice_of(*at, digits), &count) != UNITS_OK)
		return false;
	*at += digits;
	*at += strspn(*at, " ");
	size_t letters = strspn(*at, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = 0; i < ARRAY_LEN(time_units); i++) {
		if (strlen(time_units[i].name) != letters ||
		    strncmp(time_units[i].name, *at, letters) != 0)
			continue;
		*at += letters;
		*at += strspn(*at, " ");
		*out_ms = count * time_units[i].ms;
		return true;
	}
	return false;
}

bool unit_time_read(const char *text, uint64_t *out_ms)
{
	uint64_t sum = 0, part;

	if (strcmp(text, "infinity") == 0) {
		*out_ms = UNIT_FOREVER;
		return true;
	}
	for (size_t parts = 0; *text != 0 || parts == 0; parts++) {
		if (parts == TIME_PARTS_MAX || !time_part_read(&text, &part))
			return false;
		sum += part;
	}
	*out_ms = sum;
	return true;
}

bool unit_limit_read(const char *text, uint64_t *out_limit)
{
	const char *hard = strchr(text, ':');
	uint64_t limit;

	hard = hard == NULL ? text : hard + 1;
	if (strcmp(hard, "infinity") == 0) {
		*out_limit = UNIT_FOREVER;
		return true;
	}
	if (units_parse_count(slice_from_text(hard), &limit) != UNITS_OK)
		return false;
	*out_limit = limit;
	return true;
}

bool unit_config_read(const char *exec_start, char out[UNIT_VALUE_MAX])
{
	static const char flag[] = "--config=";
	struct slice rest = slice_from_text(exec_start), word;
	bool is_next = false;

	while (slice_next(&rest, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (is_next || slice_starts_nocase(word, flag)) {
			size_t skip = is_next ? 0 : strlen(flag);

			snprintf(out, UNIT_VALUE_MAX, "%.*s", (int)(word.len - skip),
				 (const char *)word.data + skip);
			return true;
		}
		is_next = slice_equals(word, SLICE_LITERAL("-c")) ||
			  slice_equals(word, SLICE_LITERAL("--config"));
	}
	return false;
}
