/* SPDX-License-Identifier: Apache-2.0
 * config_yaml.c - the text of a file into a YAML document. */
#include <string.h>
#include <yaml.h>

#include "base/check.h"
#include "config/config_option.h"
#include "config/config_walk.h"

/* libyaml compares every anchor with all others: this bounds the time. */
#define ANCHORS_MAX 1000

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

static void documents_apply(struct config_walk *walk, struct slice text, yaml_parser_t *parser)
{
	yaml_document_t first, second;
	const yaml_node_t *root;

	if (!document_load(walk, text, parser, &first))
		return;
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
}

static size_t byte_count(struct slice text, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == (uint8_t)byte;
	return count;
}

void config_yaml_apply(struct config *config, const char *file, struct slice text,
		       struct config_report *report)
{
	struct config_walk walk = {
		.config = config, .report = report, .file = file, .visits_left = CONFIG_VISITS_MAX};
	yaml_parser_t parser;

	if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
		text = slice_of(text.data + 3, text.len - 3); /* a byte order mark is harmless */
	if (byte_count(text, '&') > ANCHORS_MAX) {
		config_report_add(report, "%s: has more than %d '&'; write fewer anchors", file,
				  ANCHORS_MAX);
		return;
	}
	if (!yaml_parser_initialize(&parser)) {
		config_report_add(report, "%s: out of memory", file);
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text.data, text.len);
	documents_apply(&walk, text, &parser);
	yaml_parser_delete(&parser);
}
