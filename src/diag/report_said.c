/* SPDX-License-Identifier: Apache-2.0
 * report_said.c - what the program has said in English, in the language of a report. */
#include "diag/report_page.h"

#include <string.h>

#include "base/check.h"
#include "base/slice.h"
#include "diag/report_phrases.h"

/* Values in a phrase: {1} to {9}. */
#define VALUES_MAX 9

/* A value may be a phrase, and a value in that, too; what others sent ends somewhere. */
#define DEPTH_MAX 16

static const char *const phrases[][2] = {
#define PHRASE(english, chinese) {english, chinese},
	REPORT_PHRASES(PHRASE)};

struct said {
	char *out;
	size_t size;
	size_t len;
	int depth;
};

/* What finds no room is left out from here on, at a whole character. */
static void add(struct said *said, struct slice text)
{
	size_t room = said->size - 1 - said->len;

	if (text.len > room) {
		text.len = room;
		while (text.len > 0 && (text.data[text.len] & 0xc0) == 0x80)
			text.len--;
		said->size = said->len + text.len + 1;
	}
	memcpy(said->out + said->len, text.data, text.len);
	said->len += text.len;
}

static struct slice rest_from(struct slice text, size_t at)
{
	return (struct slice){text.data + at, text.len - at};
}

/* --- one phrase --- */

/* The text up to the next {}, which *at is moved behind; *out_is_last: there is no other. */
static struct slice literal_next(const char **at, bool *out_is_last)
{
	const char *end = strstr(*at, "{}");
	struct slice literal = {(const uint8_t *)*at,
				end == NULL ? strlen(*at) : (size_t)(end - *at)};

	*out_is_last = end == NULL;
	*at = end == NULL ? *at + literal.len : end + 2;
	return literal;
}

/* SIZE_MAX: it is not in there. */
static size_t find(struct slice text, struct slice literal)
{
	const uint8_t *at = literal.len == 0
				    ? text.data
				    : memmem(text.data, text.len, literal.data, literal.len);

	return at == NULL ? SIZE_MAX : (size_t)(at - text.data);
}

static bool ends_with(struct slice text, struct slice literal)
{
	return text.len >= literal.len &&
	       memcmp(text.data + text.len - literal.len, literal.data, literal.len) == 0;
}

/* Each value is as short as it can be, but for the last, which goes as far as the text does. */
static bool phrase_fits(const char *phrase, struct slice text, struct slice out_values[VALUES_MAX])
{
	bool is_last;
	struct slice literal = literal_next(&phrase, &is_last);

	if (is_last)
		return text.len == literal.len && memcmp(text.data, literal.data, text.len) == 0;
	if (text.len < literal.len || memcmp(text.data, literal.data, literal.len) != 0)
		return false;
	text = rest_from(text, literal.len);
	for (size_t value = 0; !is_last; value++) {
		CHECK(value < VALUES_MAX);
		literal = literal_next(&phrase, &is_last);
		size_t at = is_last ? (ends_with(text, literal) ? text.len - literal.len : SIZE_MAX)
				    : find(text, literal);

		if (at == SIZE_MAX)
			return false;
		out_values[value] = (struct slice){text.data, at};
		text = rest_from(text, at + literal.len);
	}
	return true;
}

static const char *phrase_find(struct slice text, struct slice out_values[VALUES_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrase_fits(phrases[i][REPORT_LANG_EN], text, out_values))
			return phrases[i][REPORT_LANG_ZH];
	return NULL;
}

static void translate(struct said *said, struct slice text);

static void phrase_add(struct said *said, const char *chinese,
		       const struct slice values[VALUES_MAX])
{
	for (const char *at = chinese; *at != 0;) {
		size_t len = strcspn(at, "{");

		/* What is shown to be copied, such as {n}, is no value. */
		if (at[len] == '{' &&
		    !(at[len + 1] >= '1' && at[len + 1] <= '9' && at[len + 2] == '}')) {
			add(said, slice_of(at, len + 1));
			at += len + 1;
			continue;
		}
		add(said, slice_of(at, len));
		at += len;
		if (*at == 0)
			break;
		translate(said, values[at[1] - '1']);
		at += 3;
	}
}

/* --- several in a row --- */

static bool is_phrase(struct slice text)
{
	struct slice values[VALUES_MAX];

	return phrase_find(text, values) != NULL;
}

/* "a, b, c", each of which is one. */
static bool is_list(struct slice text)
{
	const struct slice comma = SLICE_LITERAL(", ");
	size_t at = find(text, comma);

	if (at == SIZE_MAX)
		return false;
	for (; at != SIZE_MAX; at = find(text, comma)) {
		if (!is_phrase((struct slice){text.data, at}))
			return false;
		text = rest_from(text, at + comma.len);
	}
	return is_phrase(text);
}

/* Where a first part ends that is a phrase, the longest; else where the first ends. */
static size_t part_end(struct slice text, struct slice separator)
{
	size_t first = find(text, separator), found = SIZE_MAX;

	for (size_t at = first; at != SIZE_MAX;) {
		if (is_phrase((struct slice){text.data, at}))
			found = at;
		size_t next = find(rest_from(text, at + 1), separator);

		at = next == SIZE_MAX ? SIZE_MAX : at + 1 + next;
	}
	return found == SIZE_MAX ? first : found;
}

static void parts_add(struct said *said, struct slice text, size_t end, size_t width,
		      enum report_word separator)
{
	translate(said, (struct slice){text.data, end});
	add(said, slice_from_text(report_word(REPORT_LANG_ZH, separator)));
	translate(said, rest_from(text, end + width));
}

static void translate_parts(struct said *said, struct slice text)
{
	const struct slice semicolon = SLICE_LITERAL("; "), comma = SLICE_LITERAL(", "),
			   stop = SLICE_LITERAL(".");
	struct slice values[VALUES_MAX] = {0};
	const char *chinese;
	size_t end;

	if (is_list(text))
		parts_add(said, text, find(text, comma), comma.len, REPORT_WORD_COMMA);
	else if (ends_with(text, stop) && is_phrase((struct slice){text.data, text.len - 1}))
		parts_add(said, text, text.len - 1, stop.len, REPORT_WORD_STOP);
	else if ((chinese = phrase_find(text, values)) != NULL)
		phrase_add(said, chinese, values);
	else if ((end = part_end(text, semicolon)) != SIZE_MAX)
		parts_add(said, text, end, semicolon.len, REPORT_WORD_SEMICOLON);
	else
		add(said, text);
}

static void translate(struct said *said, struct slice text)
{
	if (said->depth == DEPTH_MAX) {
		add(said, text);
		return;
	}
	said->depth++;
	translate_parts(said, text);
	said->depth--;
}

char *report_said(enum report_lang lang, const char *english, char out[REPORT_SAID_MAX])
{
	struct said said = {.out = out, .size = REPORT_SAID_MAX};
	struct slice text = slice_from_text(english == NULL ? "" : english);

	/* What is longer than the room is cut anyway, and no server's nonsense keeps us busy. */
	if (lang == REPORT_LANG_EN || text.len >= REPORT_SAID_MAX)
		add(&said, text);
	else
		translate(&said, text);
	out[said.len] = 0;
	return out;
}
