/* SPDX-License-Identifier: Apache-2.0
 * json_redact.c - two passes over a text that json_check has found to be good: the first finds the
 * containers that are hidden because a rule's name stands in them as a value, which may come behind
 * what it tells of; the second writes. */
#include "proto/json_redact_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "proto/json_scan.h"
#include "proto/json_text.h"

#define HIDDEN "\"***\""

/* Containers that are hidden for a value, in one text. */
#define MARKS_MAX 256

/* [bytes] of what can be a name. */
#define WORD_MAX 64

/* --- the tokens of a good text --- */

enum token_kind { TOKEN_OPEN, TOKEN_CLOSE, TOKEN_NAME, TOKEN_STRING, TOKEN_NUMBER, TOKEN_WORD };

struct token {
	enum token_kind kind;
	size_t start, end; /* [bytes] in the text; a string with its quotes */
};

struct walk {
	const struct json_redact_rules *rules;
	struct slice text;
	uint8_t *room;
	size_t at;
	unsigned depth;
	bool is_object[JSON_DEPTH_MAX + 1]; /* of the container at each depth, from 1 on */
	size_t starts[JSON_DEPTH_MAX + 1];
	bool is_marked[JSON_DEPTH_MAX + 1];
	bool expects_name;
	struct slice name; /* of the member whose value comes; in an array empty */
};

static size_t string_end(struct slice text, size_t at)
{
	for (at++; text.data[at] != '"'; at++)
		if (text.data[at] == '\\')
			at++;
	return at + 1;
}

static bool is_between(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == ',' ||
	       byte == ':';
}

static size_t word_end(struct slice text, size_t at)
{
	while (at < text.len && !is_between(text.data[at]) && text.data[at] != ']' &&
	       text.data[at] != '}')
		at++;
	return at;
}

/* What stands between the quotes, read. */
static struct slice plain(const struct walk *walk, const struct token *token)
{
	return json_text_unescape(
		slice_of(walk->text.data + token->start + 1, token->end - token->start - 2),
		walk->room);
}

static void walk_open(struct walk *walk, bool is_object)
{
	CHECK(walk->depth < JSON_DEPTH_MAX);
	walk->depth++;
	walk->is_object[walk->depth] = is_object;
	walk->starts[walk->depth] = walk->at;
	walk->is_marked[walk->depth] = false;
	walk->expects_name = is_object;
}

static void skip_between(struct walk *walk)
{
	for (; walk->at < walk->text.len && is_between(walk->text.data[walk->at]); walk->at++) {
		if (walk->text.data[walk->at] != ',')
			continue;
		walk->expects_name = walk->is_object[walk->depth];
		walk->name = (struct slice){0};
	}
}

static void string_token(struct walk *walk, struct token *token)
{
	token->end = string_end(walk->text, walk->at);
	token->kind = walk->expects_name ? TOKEN_NAME : TOKEN_STRING;
	if (walk->expects_name)
		walk->name = slice_of(walk->text.data + token->start + 1,
				      token->end - token->start - 2);
	walk->expects_name = false;
}

static bool walk_next(struct walk *walk, struct token *token)
{
	skip_between(walk);
	if (walk->at >= walk->text.len)
		return false;
	uint8_t byte = walk->text.data[walk->at];

	*token = (struct token){.start = walk->at, .end = walk->at + 1};
	if (byte == '{' || byte == '[') {
		token->kind = TOKEN_OPEN;
		walk_open(walk, byte == '{');
		walk->name = (struct slice){0};
	} else if (byte == '}' || byte == ']') {
		token->kind = TOKEN_CLOSE; /* its depth is that around it */
		walk->depth--;
	} else if (byte == '"') {
		string_token(walk, token);
	} else {
		token->end = word_end(walk->text, walk->at);
		token->kind = byte == 't' || byte == 'f' || byte == 'n' ? TOKEN_WORD : TOKEN_NUMBER;
	}
	walk->at = token->end;
	return true;
}

static struct walk walk_begin(const struct json_redact_rules *rules, struct slice text,
			      uint8_t *room)
{
	static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
	struct walk walk = {.rules = rules, .text = text, .room = room};

	if (text.len >= sizeof(mark) && memcmp(text.data, mark, sizeof(mark)) == 0)
		walk.at = sizeof(mark);
	return walk;
}

/* --- values that tell of others --- */

/* Also without line ends and other bytes that nobody sees. */
static struct slice without_space(struct slice text)
{
	for (; text.len > 0 && text.data[0] <= ' '; text.len--)
		text.data++;
	while (text.len > 0 && text.data[text.len - 1] <= ' ')
		text.len--;
	return text;
}

/* A name that stands as a value: perhaps of several parts, but no sentence. */
static bool is_name(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
			return false;
	return text.len > 0 && text.len <= WORD_MAX;
}

static bool is_word(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		uint8_t letter = byte | ('a' ^ 'A');

		if (!(letter >= 'a' && letter <= 'z') && !(byte >= '0' && byte <= '9') &&
		    byte != '_' && byte != '-' && byte != '.')
			return false;
	}
	return text.len > 0 && text.len <= WORD_MAX;
}

/* Where containers begin whose values are hidden. */
struct marks {
	size_t starts[MARKS_MAX];
	size_t count;
	size_t next; /* once they are in order: those before have been passed */
};

/* The container, and the objects around it. False: there are too many. */
static bool mark_up(struct walk *walk, struct marks *marks)
{
	unsigned depth = walk->depth;

	while (depth > 0) {
		if (!walk->is_marked[depth]) {
			if (marks->count == MARKS_MAX)
				return false;
			walk->is_marked[depth] = true;
			marks->starts[marks->count++] = walk->starts[depth];
		}
		if (depth == 1 || !walk->is_object[depth - 1])
			return true;
		depth--;
	}
	return true;
}

static bool marks_find(struct walk *walk, struct marks *marks)
{
	struct token token;

	while (walk_next(walk, &token)) {
		if (token.kind != TOKEN_STRING)
			continue;
		struct slice value = without_space(plain(walk, &token));

		if (is_name(value) && json_redact_fits_in_part(walk->rules, value) &&
		    !mark_up(walk, marks))
			return false;
	}
	return true;
}

static int compare_starts(const void *a, const void *b)
{
	size_t one = *(const size_t *)a, other = *(const size_t *)b;

	return one < other ? -1 : one > other;
}

static void marks_sort(struct marks *marks)
{
	qsort(marks->starts, marks->count, sizeof(marks->starts[0]), compare_starts);
	marks->next = 0;
}

/* Containers are asked about in their order; those within a hidden value are not. */
static bool marks_have(struct marks *marks, size_t start)
{
	while (marks->next < marks->count && marks->starts[marks->next] < start)
		marks->next++;
	return marks->next < marks->count && marks->starts[marks->next] == start;
}

/* --- what is written --- */

struct output {
	uint8_t *to;
	size_t max;
	struct json_redacted done;
};

size_t json_redact_fit(struct slice text, size_t max)
{
	if (text.len <= max)
		return text.len;
	while (max > 0 && (text.data[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static void put(struct output *output, struct slice text)
{
	if (output->done.is_cut || text.len == 0)
		return;
	size_t len = json_redact_fit(text, output->max - output->done.len);

	memcpy(output->to + output->done.len, text.data, len);
	output->done.len += len;
	output->done.is_cut = len < text.len;
}

/* What is a secret whatever its name; and text within text, of which is not known what it tells. */
static bool is_suspicious(const struct json_redact_rules *rules, struct slice value)
{
	struct slice text = slice_trim(value);

	if (text.len > 0 && (text.data[0] == '{' || text.data[0] == '[') &&
	    memchr(text.data, '\\', text.len) != NULL)
		return true;
	return json_redact_is_secret(value) ||
	       (!is_word(value) && json_redact_mentions(rules, value));
}

static bool is_label(const struct walk *walk)
{
	return json_text_equals(walk->name, SLICE_LITERAL("key")) ||
	       json_text_equals(walk->name, SLICE_LITERAL("name"));
}

static bool hides_scalar(const struct walk *walk, const struct token *token)
{
	bool is_hidden = walk->depth > 0 && walk->is_marked[walk->depth];

	if (token->kind == TOKEN_NUMBER)
		return is_hidden;
	if (token->kind != TOKEN_STRING)
		return false;
	struct slice value = plain(walk, token);

	if (is_hidden)
		return !(is_label(walk) && is_word(value) && json_redact_fits(walk->rules, value));
	return is_suspicious(walk->rules, value);
}

/* Goes over the value of a member whose name fits: from its first byte to its last. */
static struct token value_of(struct walk *walk)
{
	struct token token, last;
	unsigned depth = walk->depth;

	CHECK(walk_next(walk, &token));
	last = token;
	while (walk->depth > depth)
		CHECK(walk_next(walk, &last));
	return (struct token){.start = token.start, .end = last.end};
}

static void hide(struct walk *walk, struct output *output, size_t *from, const struct token *token)
{
	put(output, slice_of(walk->text.data + *from, token->start - *from));
	if (output->done.is_cut)
		return;
	put(output, SLICE_LITERAL(HIDDEN));
	output->done.hidden++;
	*from = token->end;
}

static bool name_fits(const struct walk *walk, const struct token *token)
{
	return token->kind == TOKEN_NAME &&
	       json_redact_fits_in_part(walk->rules, plain(walk, token));
}

/* What is in a hidden container is hidden, too. */
static void enter(struct walk *walk, struct marks *marks)
{
	walk->is_marked[walk->depth] = walk->is_marked[walk->depth - 1] ||
				       marks_have(marks, walk->starts[walk->depth]);
}

static void write_all(struct walk *walk, struct marks *marks, struct output *output)
{
	struct token token;
	size_t from = 0;

	while (!output->done.is_cut && walk_next(walk, &token)) {
		if (token.kind == TOKEN_OPEN) {
			enter(walk, marks);
		} else if (name_fits(walk, &token)) {
			token = value_of(walk);
			hide(walk, output, &from, &token);
		} else if (hides_scalar(walk, &token)) {
			hide(walk, output, &from, &token);
		}
	}
	put(output, slice_of(walk->text.data + from, walk->text.len - from));
}

enum json_redact_result json_redact(const struct json_redact_rules *rules, struct slice text,
				    uint8_t *room, uint8_t *out, size_t max,
				    struct json_redacted *out_redacted)
{
	struct output output = {.to = out, .max = max};
	struct marks marks = {.count = 0};
	struct json_fault fault;
	struct json_part part;

	if (text.len > JSON_REDACT_TEXT_MAX)
		return JSON_REDACT_TOO_LARGE;
	if (!json_check(text, &part, &fault))
		return JSON_REDACT_NOT_JSON;
	struct walk walk = walk_begin(rules, text, room);

	if (!marks_find(&walk, &marks))
		return JSON_REDACT_TOO_MUCH;
	marks_sort(&marks);
	walk = walk_begin(rules, text, room);
	write_all(&walk, &marks, &output);
	*out_redacted = output.done;
	return JSON_REDACT_DONE;
}
