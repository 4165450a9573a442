/* SPDX-License-Identifier: Apache-2.0
 * config_yaml.c - the text of a file into a YAML document. */
#include <string.h>
#include <yaml.h>

#include "base/check.h"
#include "config/config_option.h"
#include "config/config_walk.h"

/* libyaml compares every anchor with all others, and every token with all open
 * brackets: these bound the time for a file that is made to be slow. */
#define ANCHORS_MAX 1000
#define NESTING_MAX 32

/* The line that holds byte `at`, without its end. */
static struct slice line_around(struct slice text, size_t at)
{
	size_t start = MIN(at, text.len), end = start;

	while (start > 0 && text.data[start - 1] != '\n')
		start--;
	while (end < text.len && text.data[end] != '\n')
		end++;
	return slice_of(text.data + start, end - start);
}

static struct slice line_number(struct slice text, size_t number)
{
	size_t at = 0;

	for (; number > 0 && at < text.len; number--) {
		const uint8_t *end = memchr(text.data + at, '\n', text.len - at);

		at = end == NULL ? text.len : (size_t)(end - text.data) + 1;
	}
	return line_around(text, at);
}

/* What people run into most, said in our words. */
static const char *syntax_hint(struct slice line)
{
	size_t indent = 0;

	while (indent < line.len && line.data[indent] == ' ')
		indent++;
	if (indent < line.len && line.data[indent] == '\t')
		return "; the line is indented with a tab: use spaces";
	if (line.len != 0 && memmem(line.data, line.len, "]:", 2) != NULL)
		return "; an IPv6 address needs quotes: \"[::]:8080\"";
	return "";
}

/* libyaml's reader knows the byte only. */
static yaml_mark_t mark_of_byte(struct slice text, size_t at)
{
	yaml_mark_t mark = {.index = at};

	for (size_t i = 0; i < at && i < text.len; i++) {
		bool is_inside_character = (text.data[i] & 0xc0) == 0x80;

		if (text.data[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (!is_inside_character) {
			mark.column++;
		}
	}
	return mark;
}

static void syntax_report(const struct config_walk *walk, struct slice text,
			  const yaml_parser_t *parser)
{
	const char *problem = parser->problem != NULL ? parser->problem : "unknown mistake";

	if (parser->error == YAML_MEMORY_ERROR)
		config_report_add(walk->report, "%s: out of memory", walk->file);
	else if (parser->error == YAML_READER_ERROR)
		config_walk_mistake(walk, mark_of_byte(text, parser->problem_offset),
				    "not UTF-8 text: %s; save the file as UTF-8", problem);
	else
		config_walk_mistake(walk, parser->problem_mark, "not YAML: %s%s%s%s", problem,
				    parser->context == NULL ? "" : " ",
				    parser->context == NULL ? "" : parser->context,
				    syntax_hint(line_number(text, parser->problem_mark.line)));
}

/* True and a document (with no root behind the last one), or the mistake reported. */
static bool document_load(struct config_walk *walk, struct slice text, yaml_parser_t *parser,
			  yaml_document_t *out_document)
{
	if (yaml_parser_load(parser, out_document))
		return true;
	syntax_report(walk, text, parser);
	return false;
}

static bool documents_apply(struct config_walk *walk, struct slice text, yaml_parser_t *parser)
{
	yaml_document_t first, second;
	const yaml_node_t *root;

	if (!document_load(walk, text, parser, &first))
		return false;
	walk->document = &first;
	root = yaml_document_get_root_node(&first);
	config_walk_root(walk, root);
	/* After an empty stream there is no second document to ask for. */
	if (root != NULL && document_load(walk, text, parser, &second)) {
		root = yaml_document_get_root_node(&second);
		if (root != NULL)
			config_walk_mistake(
				walk, second.start_mark,
				"a second YAML document begins here; keep one, without '---'");
		yaml_document_delete(&second);
	}
	yaml_document_delete(&first);
	return true;
}

static int nesting_change(yaml_token_type_t type)
{
	switch (type) {
	case YAML_BLOCK_SEQUENCE_START_TOKEN:
	case YAML_BLOCK_MAPPING_START_TOKEN:
	case YAML_FLOW_SEQUENCE_START_TOKEN:
	case YAML_FLOW_MAPPING_START_TOKEN:
		return 1;
	case YAML_BLOCK_END_TOKEN:
	case YAML_FLOW_SEQUENCE_END_TOKEN:
	case YAML_FLOW_MAPPING_END_TOKEN:
		return -1;
	default:
		return 0;
	}
}

/* Counts what the token adds; false and a mistake reported if it is one too many. */
static bool token_check(const struct config_walk *walk, const yaml_token_t *token, int *nesting,
			int *anchor_count)
{
	*nesting += nesting_change(token->type);
	*anchor_count += token->type == YAML_ANCHOR_TOKEN || token->type == YAML_ALIAS_TOKEN;
	if (*nesting > NESTING_MAX)
		config_walk_mistake(walk, token->start_mark,
				    "lists and mappings are more than %d deep; write fewer",
				    NESTING_MAX);
	else if (*anchor_count > ANCHORS_MAX)
		config_walk_mistake(walk, token->start_mark,
				    "there are more than %d anchors and aliases; write fewer",
				    ANCHORS_MAX);
	else
		return true;
	return false;
}

/* False if the parser must not see this text. What is no YAML passes: the parser
 * finds it again and says so. */
static bool tokens_check(struct config_walk *walk, struct slice text, yaml_parser_t *parser)
{
	(void)text;
	int nesting = 0, anchor_count = 0;
	bool is_good = true, is_last = false;
	yaml_token_t token;

	while (is_good && !is_last && yaml_parser_scan(parser, &token)) {
		is_last = token.type == YAML_STREAM_END_TOKEN;
		is_good = token_check(walk, &token, &nesting, &anchor_count);
		yaml_token_delete(&token);
	}
	return is_good;
}

/* Runs one pass over the text with a parser of its own; true if it may go on. */
static bool pass_run(struct config_walk *walk, struct slice text,
		     bool (*pass)(struct config_walk *, struct slice, yaml_parser_t *))
{
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser)) {
		config_report_add(walk->report, "%s: out of memory", walk->file);
		return false;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text.data, text.len);
	bool is_good = pass(walk, text, &parser);

	yaml_parser_delete(&parser);
	return is_good;
}

void config_yaml_apply(struct config *config, const char *file, struct slice text,
		       struct config_report *report)
{
	struct config_walk walk = {
		.config = config, .report = report, .file = file, .visits_left = CONFIG_VISITS_MAX};

	if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
		text = slice_of(text.data + 3, text.len - 3); /* a byte order mark is harmless */
	if (pass_run(&walk, text, tokens_check))
		pass_run(&walk, text, documents_apply);
}
