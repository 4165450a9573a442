/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/check.h"
#include "base/file.h"

struct bench_scenario {
	yaml_document_t document; /* its scalars are the options' texts */
	const char *name;
	const char *description;
};

/* One reading of a file. */
struct reader {
	struct bench_parse *parse;
	struct bench_scenario *scenario;
	const char *file;
};

__attribute__((format(printf, 3, 4))) static int fail_at(const struct reader *reader,
							 yaml_mark_t mark, const char *format, ...)
{
	char text[768];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return bench_option_fail(reader->parse, "%s:%zu:%zu: %s", reader->file, mark.line + 1,
				 mark.column + 1, text);
}

static yaml_node_t *node_at(const struct reader *reader, int index)
{
	return yaml_document_get_node(&reader->scenario->document, index);
}

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* --- one value --- */

/* `key: ` and `key: ~` are nothing, `key: ""` is a text. */
static bool is_empty(const yaml_node_t *node)
{
	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (node->data.scalar.length == 0 || strcmp(text_of(node), "~") == 0 ||
		strcmp(text_of(node), "null") == 0);
}

/* A text that C can hold. */
static int scalar_check(const struct reader *reader, const char *key, const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE)
		return fail_at(reader, node->start_mark, "%s: %s stands where one value belongs",
			       key, node->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping");
	if (is_empty(node))
		return fail_at(reader, node->start_mark,
			       "%s: has no value; give one, or take the line out", key);
	if (strlen(text_of(node)) != node->data.scalar.length)
		return fail_at(reader, node->start_mark, "%s: has a NUL character in its value",
			       key);
	return 0;
}

static int item_set(const struct reader *reader, const struct bench_option *option,
		    const yaml_node_t *node)
{
	char sentence[512];
	struct bench_parse inner = {reader->parse->options, sentence, sizeof(sentence)};
	int r = scalar_check(reader, option->name, node);

	if (r < 0)
		return r;
	r = bench_option_set(&inner, option, text_of(node));
	/* In a file the names have no dashes before them. */
	return r == 0 ? 0
		      : fail_at(reader, node->start_mark, "%s",
				sentence + (strncmp(sentence, "--", 2) == 0 ? 2 : 0));
}

static int value_set(const struct reader *reader, const struct bench_option *option,
		     const yaml_node_t *node)
{
	int r = 0;

	if (node->type != YAML_SEQUENCE_NODE || !bench_option_is_list(option))
		return item_set(reader, option, node);
	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top && r == 0; item++)
		r = item_set(reader, option, node_at(reader, *item));
	return r;
}

/* --- keys --- */

/* Where a key that is no option puts its text; NULL: it is none of these. */
static const char **text_place(const struct reader *reader, const char *key)
{
	if (strcmp(key, "url") == 0)
		return &reader->parse->options->url_text;
	if (strcmp(key, "name") == 0)
		return &reader->scenario->name;
	return strcmp(key, "description") == 0 ? &reader->scenario->description : NULL;
}

static int pair_take(const struct reader *reader, const yaml_node_t *key, const yaml_node_t *value)
{
	char hint[BENCH_OPTION_HINT_MAX];

	if (key->type != YAML_SCALAR_NODE)
		return fail_at(reader, key->start_mark, "a key must be an option's name");
	struct slice name = slice_of(key->data.scalar.value, key->data.scalar.length);
	const struct bench_option *option = bench_option_find(name);
	const char **place = text_place(reader, text_of(key));

	if (place != NULL) {
		int r = scalar_check(reader, text_of(key), value);

		if (r == 0)
			*place = text_of(value);
		return r;
	}
	if (option != NULL && bench_option_is_for_files(option))
		return value_set(reader, option, value);
	if (option != NULL)
		return fail_at(reader, key->start_mark,
			       "'%s' is for the command line, not for a scenario", option->name);
	return fail_at(reader, key->start_mark, "unknown option '%.*s'%s", (int)MIN(name.len, 64),
		       text_of(key), bench_option_hint(name, hint));
}

/* The earlier pair with the same key, or NULL. */
static const yaml_node_t *key_before(const struct reader *reader, const yaml_node_t *mapping,
				     const yaml_node_pair_t *pair)
{
	const yaml_node_t *key = node_at(reader, pair->key);

	for (const yaml_node_pair_t *other = mapping->data.mapping.pairs.start; other < pair;
	     other++) {
		const yaml_node_t *node = node_at(reader, other->key);

		if (node->type == YAML_SCALAR_NODE && key->type == YAML_SCALAR_NODE &&
		    strcmp(text_of(node), text_of(key)) == 0)
			return node;
	}
	return NULL;
}

static int mapping_take(const struct reader *reader, const yaml_node_t *mapping)
{
	int r = 0;

	if (mapping->type != YAML_MAPPING_NODE)
		return fail_at(reader, mapping->start_mark,
			       "not a scenario: it must be made of lines 'option: value'");
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top && r == 0; pair++) {
		const yaml_node_t *key = node_at(reader, pair->key);
		const yaml_node_t *before = key_before(reader, mapping, pair);

		if (before != NULL)
			return fail_at(reader, key->start_mark, "'%s' is already given in line %zu",
				       text_of(key), before->start_mark.line + 1);
		r = pair_take(reader, key, node_at(reader, pair->value));
	}
	return r;
}

/* --- the document --- */

static int syntax_fail(const struct reader *reader, struct slice text, const yaml_parser_t *parser)
{
	const char *problem = parser->problem == NULL ? "unknown mistake" : parser->problem;
	yaml_mark_t mark = parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return bench_option_fail(reader->parse, "%s: memory is out", reader->file);
	if (parser->error != YAML_READER_ERROR)
		return fail_at(reader, mark, "not YAML: %s%s%s", problem,
			       parser->context == NULL ? "" : " ",
			       parser->context == NULL ? "" : parser->context);
	/* libyaml's reader tells the byte only. */
	for (size_t i = 0; i < parser->problem_offset && i < text.len; i++) {
		bool is_inside_character = (text.data[i] & 0xc0) == 0x80;

		mark.line += text.data[i] == '\n';
		mark.column = text.data[i] == '\n' ? 0 : mark.column + !is_inside_character;
	}
	return fail_at(reader, mark, "not UTF-8 text: %s", problem);
}

/* Fails if there is more in the file than the one document. */
static int end_check(const struct reader *reader, struct slice text, yaml_parser_t *parser)
{
	yaml_document_t second;

	if (!yaml_parser_load(parser, &second))
		return syntax_fail(reader, text, parser);
	bool is_empty_one = yaml_document_get_root_node(&second) == NULL;
	yaml_mark_t mark = second.start_mark;

	yaml_document_delete(&second);
	return is_empty_one ? 0
			    : fail_at(reader, mark,
				      "a second YAML document begins here; a scenario is one");
}

static int document_take(const struct reader *reader, struct slice text, yaml_parser_t *parser)
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
	const struct reader reader = {parse, scenario, file};
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
