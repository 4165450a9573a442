/* SPDX-License-Identifier: Apache-2.0
 * config_yaml.c - walks a YAML document along the table.
 *
 * The walk follows the table and never the document, so that its depth is fixed: an
 * alias that points at itself ends where the table ends. */
#include "config/config_option.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/check.h"
#include "config/suggest.h"

#define SCOPE_KEYS_MAX 32
#define PATH_BYTES     64

/* More than any gateway needs. They bound the time for a file that is made to be
 * slow: libyaml compares every anchor with all others, an alias repeats what it
 * names. */
#define ROUTES_MAX  1000
#define ANCHORS_MAX 1000
#define VISITS_MAX  100000

struct walk {
	yaml_document_t *document;
	struct config *config;
	struct config_report *report;
	const char *file;
	size_t visits_left;
};

/* One mapping: which keys it may have, where their values go. */
struct scope {
	const char *path; /* "server", "routes[0]"; "" at the top */
	const struct config_option *options;
	size_t option_count;           /* 0 at the top */
	void *base;                    /* holds the fields of the options */
	struct config_origin *origins; /* one for each option */
	yaml_mark_t places[SCOPE_KEYS_MAX];
	bool is_given[SCOPE_KEYS_MAX];
};

static void mistake_at(const struct walk *walk, yaml_mark_t mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void mistake_at(const struct walk *walk, yaml_mark_t mark, const char *format, ...)
{
	char text[1536];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	config_report_add(walk->report, "%s:%zu:%zu: %s", walk->file, mark.line + 1,
			  mark.column + 1, text);
}

/* Every key and item passes here once. False: too many; the walk is over. */
static bool visit(struct walk *walk, const yaml_node_t *node)
{
	if (walk->visits_left == 0)
		return false;
	if (--walk->visits_left > 0)
		return true;
	mistake_at(walk, node->start_mark,
		   "there are more than %d keys and items, those behind aliases counted each "
		   "time; write fewer",
		   VISITS_MAX);
	return false;
}

static struct slice scalar_slice(const yaml_node_t *node)
{
	return slice_of(node->data.scalar.value, node->data.scalar.length);
}

static bool is_null(const yaml_node_t *node)
{
	struct slice text = scalar_slice(node);

	return node->type == YAML_SCALAR_NODE &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text.len == 0 || slice_equals(text, SLICE_LITERAL("~")) ||
		slice_equals(text, SLICE_LITERAL("null")));
}

static const char *type_name(const yaml_node_t *node)
{
	if (is_null(node))
		return "empty";
	switch (node->type) {
	case YAML_SEQUENCE_NODE:
		return "a list";
	case YAML_MAPPING_NODE:
		return "a mapping";
	default:
		return "a single value";
	}
}

/* YAML's own tags say nothing new; another one asks for what we do not do. */
static bool tag_check(const struct walk *walk, const yaml_node_t *node, const char *path)
{
	const char *tag = (const char *)node->tag;
	char seen[CONFIG_QUOTE_MAX];

	if (tag == NULL || strncmp(tag, "tag:yaml.org,2002:", strlen("tag:yaml.org,2002:")) == 0)
		return true;
	mistake_at(walk, node->start_mark, "%s: has the unknown tag %s; remove it", path,
		   config_quote(slice_from_text(tag), seen));
	return false;
}

/* True if the node is a scalar with a text in it. */
static bool scalar_check(const struct walk *walk, const yaml_node_t *node, const char *path,
			 const char *allowed)
{
	if (!tag_check(walk, node, path))
		return false;
	if (node->type == YAML_SCALAR_NODE && !is_null(node))
		return true;
	mistake_at(walk, node->start_mark, "%s: is %s; allowed: %s", path, type_name(node),
		   allowed);
	return false;
}

static void token_add(struct walk *walk, struct config_tokens *tokens, const yaml_node_t *node,
		      const char *path)
{
	char seen[CONFIG_QUOTE_MAX];
	struct slice text;

	if (!scalar_check(walk, node, path, "a name"))
		return;
	text = scalar_slice(node);
	if (!config_is_token(text)) {
		mistake_at(walk, node->start_mark,
			   "%s: %s is no subprotocol name; write letters, digits or "
			   "!#$%%&'*+-.^_`|~",
			   path, config_quote(text, seen));
		return;
	}
	for (size_t i = 0; i < tokens->count; i++)
		if (slice_equals(text, slice_from_text(tokens->items[i]))) {
			mistake_at(walk, node->start_mark, "%s: %s is there twice; remove one",
				   path, config_quote(text, seen));
			return;
		}
	tokens->items[tokens->count] = strndup((const char *)text.data, text.len);
	if (tokens->items[tokens->count] == NULL)
		mistake_at(walk, node->start_mark, "%s: out of memory", path);
	else
		tokens->count++;
}

static size_t item_count(const yaml_node_t *node)
{
	return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

static yaml_node_t *item_at(const struct walk *walk, const yaml_node_t *node, size_t index)
{
	return yaml_document_get_node(walk->document, node->data.sequence.items.start[index]);
}

static void tokens_apply(struct walk *walk, const struct config_option *option,
			 const yaml_node_t *node, const char *path, struct config_tokens *tokens)
{
	size_t count;

	if (!tag_check(walk, node, path))
		return;
	if (node->type != YAML_SEQUENCE_NODE) {
		mistake_at(walk, node->start_mark, "%s: is %s; write a list such as [ocpp1.6]",
			   path, type_name(node));
		return;
	}
	count = item_count(node);
	if (count > option->max) {
		mistake_at(walk, node->start_mark, "%s: has %zu %s; write at most %llu", path,
			   count, option->unit, (unsigned long long)option->max);
		return;
	}
	tokens->items = count == 0 ? NULL : calloc(count, sizeof(*tokens->items));
	if (tokens->items == NULL && count != 0)
		mistake_at(walk, node->start_mark, "%s: out of memory", path);
	for (size_t i = 0; tokens->items != NULL && i < count; i++)
		if (visit(walk, node))
			token_add(walk, tokens, item_at(walk, node, i), path);
}

static struct config_origin origin_of(const yaml_node_t *node)
{
	return (struct config_origin){.kind = CONFIG_FROM_FILE,
				      .line = (uint32_t)node->start_mark.line + 1,
				      .column = (uint32_t)node->start_mark.column + 1};
}

static void option_apply(struct walk *walk, struct scope *scope, size_t index,
			 const yaml_node_t *node)
{
	const struct config_option *option = &scope->options[index];
	char path[CONFIG_NAME_MAX + PATH_BYTES], allowed[CONFIG_ALLOWED_MAX];
	struct config_problem problem;

	snprintf(path, sizeof(path), "%s.%s", scope->path, option->key);
	scope->origins[index] = origin_of(node);
	if (option->kind == CONFIG_TOKENS) {
		void *field = (char *)scope->base + option->offset;

		tokens_apply(walk, option, node, path, field);
	} else if (scalar_check(walk, node, path, config_value_allowed(option, allowed)) &&
		   !config_value_apply(option, scalar_slice(node), scope->base, &problem)) {
		mistake_at(walk, node->start_mark, "%s: %s", path, problem.text);
	}
}

static void section_apply(struct walk *walk, const char *section, const yaml_node_t *node);
static void routes_apply(struct walk *walk, const yaml_node_t *node);

static void key_apply(struct walk *walk, struct scope *scope, size_t index, const yaml_node_t *node)
{
	if (scope->option_count != 0)
		option_apply(walk, scope, index, node);
	else if (strcmp(config_top_keys[index], "routes") == 0)
		routes_apply(walk, node);
	else
		section_apply(walk, config_top_keys[index], node);
}

/* The key with this index, or NULL behind the last. */
static const char *scope_key(const struct scope *scope, size_t index)
{
	if (scope->option_count == 0)
		return config_top_keys[index];
	return index < scope->option_count ? scope->options[index].key : NULL;
}

static void unknown_key_report(const struct walk *walk, const struct scope *scope,
			       const yaml_node_t *key)
{
	struct suggest suggest = {.seen = scalar_slice(key)};
	char hint[SUGGEST_HINT_MAX], seen[CONFIG_QUOTE_MAX];

	for (size_t i = 0; scope_key(scope, i) != NULL; i++)
		suggest_offer(&suggest, scope_key(scope, i));
	suggest_hint(&suggest, hint);
	for (size_t i = 0; hint[0] == 0 && i < CONFIG_OPTION_COUNT; i++)
		if (slice_equals(suggest.seen, slice_from_text(config_options[i].key)))
			snprintf(hint, sizeof(hint), "; it belongs under '%s:'",
				 config_options[i].section);
	mistake_at(walk, key->start_mark, "%s%s%s: there is no such key%s", scope->path,
		   scope->path[0] == 0 ? "" : ".", config_quote(suggest.seen, seen), hint);
}

static void pair_apply(struct walk *walk, struct scope *scope, const yaml_node_t *key,
		       const yaml_node_t *value)
{
	size_t index = 0;

	if (key->type != YAML_SCALAR_NODE) {
		mistake_at(walk, key->start_mark, "%s: a key is %s; write a word",
			   scope->path[0] == 0 ? "the file" : scope->path, type_name(key));
		return;
	}
	while (scope_key(scope, index) != NULL &&
	       !slice_equals(scalar_slice(key), slice_from_text(scope_key(scope, index))))
		index++;
	if (scope_key(scope, index) == NULL) {
		unknown_key_report(walk, scope, key);
		return;
	}
	CHECK(index < SCOPE_KEYS_MAX);
	if (scope->is_given[index]) {
		mistake_at(walk, key->start_mark,
			   "%s%s%s: is given twice, first at %s:%zu:%zu; remove one", scope->path,
			   scope->path[0] == 0 ? "" : ".", scope_key(scope, index), walk->file,
			   scope->places[index].line + 1, scope->places[index].column + 1);
		return;
	}
	scope->is_given[index] = true;
	scope->places[index] = key->start_mark;
	key_apply(walk, scope, index, value);
}

/* `node` must be a mapping. */
static void mapping_apply(struct walk *walk, struct scope *scope, const yaml_node_t *node)
{
	const yaml_node_pair_t *end = node->data.mapping.pairs.top;

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++) {
		if (!visit(walk, node))
			return;
		pair_apply(walk, scope, yaml_document_get_node(walk->document, pair->key),
			   yaml_document_get_node(walk->document, pair->value));
	}
}

static void section_apply(struct walk *walk, const char *section, const yaml_node_t *node)
{
	struct scope scope = {.path = section, .base = walk->config};
	size_t first = 0;

	if (!tag_check(walk, node, section) || is_null(node))
		return; /* `server:` with every key commented out: all defaults */
	if (node->type != YAML_MAPPING_NODE) {
		mistake_at(walk, node->start_mark,
			   "%s: is %s; write its keys below it, indented by spaces", section,
			   type_name(node));
		return;
	}
	while (strcmp(config_options[first].section, section) != 0)
		first++;
	while (first + scope.option_count < CONFIG_OPTION_COUNT &&
	       strcmp(config_options[first + scope.option_count].section, section) == 0)
		scope.option_count++;
	scope.options = &config_options[first];
	scope.origins = &walk->config->origins[first];
	mapping_apply(walk, &scope, node);
}

/* Compares with all routes before it; one without a path had a mistake. */
static void route_repeat_check(const struct walk *walk, size_t index)
{
	const struct config_route *routes = walk->config->routes;
	const struct config_origin *origin = &routes[index].origins[CONFIG_OPTION_routes_path];

	for (size_t i = 0; routes[index].path != NULL && i < index; i++) {
		const struct config_origin *first = &routes[i].origins[CONFIG_OPTION_routes_path];

		if (routes[i].path == NULL ||
		    !config_path_is_same(routes[i].path, routes[index].path))
			continue;
		config_report_add(walk->report,
				  "%s:%u:%u: routes[%zu].path: %s is the same route as routes[%zu] "
				  "at %s:%u:%u; remove one",
				  walk->file, origin->line, origin->column, index,
				  routes[index].path, i, walk->file, first->line, first->column);
		return;
	}
}

static void route_apply(struct walk *walk, size_t index, const yaml_node_t *node)
{
	char path[PATH_BYTES];
	struct config_route *route = &walk->config->routes[index];
	struct scope scope = {.path = path,
			      .options = config_route_options,
			      .option_count = CONFIG_ROUTE_OPTION_COUNT,
			      .base = route,
			      .origins = route->origins};

	snprintf(path, sizeof(path), "routes[%zu]", index);
	if (!tag_check(walk, node, path))
		return;
	if (node->type != YAML_MAPPING_NODE) {
		mistake_at(walk, node->start_mark,
			   "%s: is %s; write a mapping such as 'path: /ws/{client_id}'", path,
			   type_name(node));
		return;
	}
	mapping_apply(walk, &scope, node);
	if (!scope.is_given[CONFIG_OPTION_routes_path])
		mistake_at(walk, node->start_mark,
			   "%s.path: is missing; write it, such as 'path: /ws/{client_id}'", path);
	route_repeat_check(walk, index);
}

static void routes_apply(struct walk *walk, const yaml_node_t *node)
{
	struct config *config = walk->config;
	size_t count;

	if (!tag_check(walk, node, "routes"))
		return;
	if (node->type != YAML_SEQUENCE_NODE || item_count(node) == 0) {
		mistake_at(walk, node->start_mark,
			   "routes: is %s, so that nobody would be served; write at least one "
			   "route, or remove the key for the default /ws/{client_id}",
			   node->type == YAML_SEQUENCE_NODE ? "an empty list" : type_name(node));
		return;
	}
	count = item_count(node);
	if (count > ROUTES_MAX) {
		mistake_at(walk, node->start_mark, "routes: has %zu entries; write at most %d",
			   count, ROUTES_MAX);
		return;
	}
	config->routes = calloc(count, sizeof(*config->routes));
	if (config->routes == NULL) {
		mistake_at(walk, node->start_mark, "routes: out of memory");
		return;
	}
	for (size_t i = 0; i < count && visit(walk, node); i++) {
		config_route_init(&config->routes[i]);
		config->route_count++;
		route_apply(walk, i, item_at(walk, node, i));
	}
}

static void root_apply(struct walk *walk, const yaml_node_t *root)
{
	struct scope top = {.path = ""};

	if (root == NULL || is_null(root))
		return; /* an empty file: all defaults */
	if (!tag_check(walk, root, "the file"))
		return;
	if (root->type == YAML_MAPPING_NODE)
		mapping_apply(walk, &top, root);
	else
		mistake_at(walk, root->start_mark,
			   "the file is %s; write a mapping with the keys server, admin, log and "
			   "routes",
			   type_name(root));
}

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

static void syntax_report(const struct walk *walk, struct slice text, const yaml_parser_t *parser)
{
	const char *problem = parser->problem != NULL ? parser->problem : "unknown mistake";

	if (parser->error == YAML_MEMORY_ERROR)
		config_report_add(walk->report, "%s: out of memory", walk->file);
	else if (parser->error == YAML_READER_ERROR)
		mistake_at(walk, mark_of_byte(text, parser->problem_offset),
			   "not UTF-8 text: %s; save the file as UTF-8", problem);
	else
		mistake_at(walk, parser->problem_mark, "not YAML: %s%s%s%s", problem,
			   parser->context == NULL ? "" : " ",
			   parser->context == NULL ? "" : parser->context,
			   syntax_hint(line_number(text, parser->problem_mark.line)));
}

/* True and a document (with no root behind the last one), or the mistake reported. */
static bool document_load(struct walk *walk, struct slice text, yaml_parser_t *parser,
			  yaml_document_t *out_document)
{
	if (yaml_parser_load(parser, out_document))
		return true;
	syntax_report(walk, text, parser);
	return false;
}

static void documents_apply(struct walk *walk, struct slice text, yaml_parser_t *parser)
{
	yaml_document_t first, second;
	const yaml_node_t *root;

	if (!document_load(walk, text, parser, &first))
		return;
	walk->document = &first;
	root = yaml_document_get_root_node(&first);
	root_apply(walk, root);
	/* After an empty stream there is no second document to ask for. */
	if (root != NULL && document_load(walk, text, parser, &second)) {
		root = yaml_document_get_root_node(&second);
		if (root != NULL)
			mistake_at(walk, second.start_mark,
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
	struct walk walk = {
		.config = config, .report = report, .file = file, .visits_left = VISITS_MAX};
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
