/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "bench/load/bench_scenario_reader.h"

int bench_reader_fail(const struct bench_reader *reader, yaml_mark_t mark, const char *format, ...)
{
	char text[768];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return bench_option_fail(reader->parse, "%s:%zu:%zu: %s", reader->file, mark.line + 1,
				 mark.column + 1, text);
}

/* --- one value --- */

/* `key: ` and `key: ~` are nothing, `key: ""` is a text. */
static bool is_empty(const yaml_node_t *node)
{
	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (node->data.scalar.length == 0 || strcmp(bench_reader_text(node), "~") == 0 ||
		strcmp(bench_reader_text(node), "null") == 0);
}

int bench_reader_scalar(const struct bench_reader *reader, const char *key, const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE)
		return bench_reader_fail(reader, node->start_mark,
					 "%s: %s stands where one value belongs", key,
					 node->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping");
	if (is_empty(node))
		return bench_reader_fail(reader, node->start_mark,
					 "%s: has no value; give one, or take the line out", key);
	if (strlen(bench_reader_text(node)) != node->data.scalar.length)
		return bench_reader_fail(reader, node->start_mark,
					 "%s: has a NUL character in its value", key);
	return 0;
}

static int item_set(const struct bench_reader *reader, const struct bench_option *option,
		    const yaml_node_t *node)
{
	char sentence[512];
	struct bench_parse inner = {reader->parse->options, sentence, sizeof(sentence)};
	int r = bench_reader_scalar(reader, option->name, node);

	if (r < 0)
		return r;
	r = bench_option_set(&inner, option, bench_reader_text(node));
	/* In a file the names have no dashes before them. */
	return r == 0 ? 0
		      : bench_reader_fail(reader, node->start_mark, "%s",
					  sentence + (strncmp(sentence, "--", 2) == 0 ? 2 : 0));
}

static int value_set(const struct bench_reader *reader, const struct bench_option *option,
		     const yaml_node_t *node)
{
	int r = 0;

	if (node->type != YAML_SEQUENCE_NODE || !bench_option_is_list(option))
		return item_set(reader, option, node);
	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top && r == 0; item++)
		r = item_set(reader, option, bench_reader_node(reader, *item));
	return r;
}

/* --- keys --- */

/* Where a key that is no option puts its text; NULL: it is none of these. */
static const char **text_place(const struct bench_reader *reader, const char *key)
{
	if (strcmp(key, "url") == 0)
		return &reader->parse->options->url_text;
	if (strcmp(key, "name") == 0)
		return &reader->scenario->name;
	return strcmp(key, "description") == 0 ? &reader->scenario->description : NULL;
}

static int pair_take(const struct bench_reader *reader, const yaml_node_t *key,
		     const yaml_node_t *value)
{
	char hint[BENCH_OPTION_HINT_MAX];

	if (key->type != YAML_SCALAR_NODE)
		return bench_reader_fail(reader, key->start_mark, "a key must be an option's name");
	struct slice name = slice_of(key->data.scalar.value, key->data.scalar.length);
	const struct bench_option *option = bench_option_find(name);
	const char **place = text_place(reader, bench_reader_text(key));

	if (place != NULL) {
		int r = bench_reader_scalar(reader, bench_reader_text(key), value);

		if (r == 0)
			*place = bench_reader_text(value);
		return r;
	}
	if (strcmp(bench_reader_text(key), "acts") == 0)
		return bench_reader_acts(reader, value);
	if (option != NULL && bench_option_is_for_files(option))
		return value_set(reader, option, value);
	if (option != NULL)
		return bench_reader_fail(reader, key->start_mark,
					 "'%s' is for the command line, not for a scenario",
					 option->name);
	return bench_reader_fail(reader, key->start_mark, "unknown option '%.*s'%s",
				 (int)MIN(name.len, 64), bench_reader_text(key),
				 bench_option_hint(name, hint));
}

const yaml_node_t *bench_reader_key_before(const struct bench_reader *reader,
					   const yaml_node_t *mapping, const yaml_node_pair_t *pair)
{
	const yaml_node_t *key = bench_reader_node(reader, pair->key);

	for (const yaml_node_pair_t *other = mapping->data.mapping.pairs.start; other < pair;
	     other++) {
		const yaml_node_t *node = bench_reader_node(reader, other->key);

		if (node->type == YAML_SCALAR_NODE && key->type == YAML_SCALAR_NODE &&
		    strcmp(bench_reader_text(node), bench_reader_text(key)) == 0)
			return node;
	}
	return NULL;
}

static int mapping_take(const struct bench_reader *reader, const yaml_node_t *mapping)
{
	int r = 0;

	if (mapping->type != YAML_MAPPING_NODE)
		return bench_reader_fail(
			reader, mapping->start_mark,
			"not a scenario: it must be made of lines 'option: value'");
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top && r == 0; pair++) {
		const yaml_node_t *key = bench_reader_node(reader, pair->key);
		const yaml_node_t *before = bench_reader_key_before(reader, mapping, pair);

		if (before != NULL)
			return bench_reader_fail(
				reader, key->start_mark, "'%s' is already given in line %zu",
				bench_reader_text(key), before->start_mark.line + 1);
		r = pair_take(reader, key, bench_reader_node(reader, pair->value));
	}
	return r;
}

/* --- the document --- */

static int syntax_fail(const struct bench_reader *reader, struct slice text,
		       const yaml_parser_t *parser)
{
	const char *problem = parser->problem == NULL ? "unknown mistake" : parser->problem;
	yaml_mark_t mark = parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return bench_option_fail(reader->parse, "%s: memory is out", reader->file);
	if (parser->error != YAML_READER_ERROR)
		return bench_reader_fail(reader, mark, "not YAML: %s%s%s", problem,
					 parser->context == NULL ? "" : " ",
					 parser->context == NULL ? "" : parser->context);
	/* libyaml's reader tells the byte only. */
	for (size_t i = 0; i < parser->problem_offset && i < text.len; i++) {
		bool is_inside_character = (text.data[i] & 0xc0) == 0x80;

		mark.line += text.data[i] == '\n';
		mark.column = text.data[i] == '\n' ? 0 : mark.column + !is_inside_character;
	}
	return bench_reader_fail(reader, mark, "not UTF-8 text: %s", problem);
}

/* Fails if there is more in the file than the one document. */
static int end_check(const struct bench_reader *reader, struct slice text, yaml_parser_t *parser)
{
	yaml_document_t second;

	if (!yaml_parser_load(parser, &second))
		return syntax_fail(reader, text, parser);
	bool is_empty_one = yaml_document_get_root_node(&second) == NULL;
	yaml_mark_t mark = second.start_mark;

	yaml_document_delete(&second);
	return is_empty_one
		       ? 0
		       : bench_reader_fail(reader, mark,
					   "a second YAML document begins here; a scenario is one");
}

static int document_take(const struct bench_reader *reader, struct slice text,
			 yaml_parser_t *parser)
{
	if (!yaml_parser_load(parser, &reader->scenario->document))
		return syntax_fail(reader, text, parser);
	const yaml_node_t *root = yaml_document_get_root_node(&reader->scenario->document);

	if (root == NULL)
		return bench_option_fail(reader->parse,
					 "%s: has no options in it, only nothing or comments",
					 reader->file);
	int r = mapping_take(reader, root);

	return r < 0 ? r : end_check(reader, text, parser);
}

int bench_scenario_read(struct bench_parse *parse, const char *file, struct slice text,
			struct bench_scenario **out_scenario)
{
	struct bench_scenario *scenario = calloc(1, sizeof(*scenario));
	const struct bench_reader reader = {parse, scenario, file};
	yaml_parser_t parser;

	if (scenario == NULL || !yaml_parser_initialize(&parser)) {
		free(scenario);
		return bench_option_fail(parse, "%s: memory is out", file);
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text.data, text.len);
	int r = document_take(&reader, text, &parser);

	yaml_parser_delete(&parser);
	*out_scenario = scenario;
	return r;
}

void bench_scenario_destroy(struct bench_scenario **scenario)
{
	if (*scenario == NULL)
		return;
	yaml_document_delete(&(*scenario)->document);
	free(*scenario);
	*scenario = NULL;
}

const char *bench_scenario_name(const struct bench_scenario *scenario)
{
	return scenario == NULL ? NULL : scenario->name;
}

const char *bench_scenario_description(const struct bench_scenario *scenario)
{
	return scenario == NULL ? NULL : scenario->description;
}

/* --- the file --- */

int bench_scenario_load(struct bench_parse *parse, const char *path,
			struct bench_scenario **out_scenario)
{
	char text[BENCH_SCENARIO_MAX + 1];
	ssize_t len = file_read(path, text, sizeof(text));

	if (len < 0)
		return bench_option_fail(parse, "--scenario: cannot read '%s': %s", path,
					 strerror((int)-len));
	if (len > BENCH_SCENARIO_MAX)
		return bench_option_fail(parse, "--scenario: '%s' is over %d bytes: not a scenario",
					 path, BENCH_SCENARIO_MAX);
	return bench_scenario_read(parse, path, slice_of(text, (size_t)len), out_scenario);
}
