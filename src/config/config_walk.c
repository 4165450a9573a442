/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_walk.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/config_option.h"

#define SCOPE_KEYS_MAX 64
#define PATH_BYTES     128

/* One mapping: which keys it may have, where their values go. */
struct scope {
	const char *path; /* "server", "routes[0]", "routes[0].auth[1]"; "" at the top */
	const struct config_option *options;
	size_t option_count;           /* 0 at the top */
	void *base;                    /* holds the fields of the options */
	struct config_origin *origins; /* one for each option */
	yaml_mark_t places[SCOPE_KEYS_MAX];
	bool is_given[SCOPE_KEYS_MAX];
};

static struct config_origin origin_of(const yaml_node_t *node)
{
	return (struct config_origin){.kind = CONFIG_FROM_FILE,
				      .line = (uint32_t)node->start_mark.line + 1,
				      .column = (uint32_t)node->start_mark.column + 1};
}

static void inner_apply(struct config_walk *walk, const struct config_option *option,
			const char *path, const yaml_node_t *node, void *field);

static void option_apply(struct config_walk *walk, struct scope *scope, size_t index,
			 const yaml_node_t *node)
{
	const struct config_option *option = &scope->options[index];
	char path[CONFIG_NAME_MAX + PATH_BYTES], allowed[CONFIG_ALLOWED_MAX];
	char variable[CONFIG_NAME_MAX];
	struct config_problem problem;

	snprintf(path, sizeof(path), "%s.%s", scope->path, option->key);
	scope->origins[index] = origin_of(node);
	void *field = (char *)scope->base + option->offset;

	if (option->kind == CONFIG_SECRET) {
		config_walk_mistake(walk, node->start_mark,
				    "%s: is a secret and has no place in this file; write it to a "
				    "file of its own and name that in %s_file, or set %s",
				    path, path, config_option_variable(option, variable));
	} else if (config_kind_is_inner(option->kind)) {
		inner_apply(walk, option, path, node, field);
	} else if (config_walk_items_apply(walk, option, node, path, field)) {
		return;
	} else if (config_walk_scalar_check(walk, node, path,
					    config_value_allowed(option, allowed)) &&
		   !config_value_apply(option, config_walk_scalar(node), scope->base, &problem)) {
		config_walk_mistake(walk, node->start_mark, "%s: %s", path, problem.text);
	}
}

static void section_apply(struct config_walk *walk, const char *section, const yaml_node_t *node);
static void list_apply(struct config_walk *walk, const struct config_list *list,
		       const yaml_node_t *node);

static void key_apply(struct config_walk *walk, struct scope *scope, size_t index,
		      const yaml_node_t *node)
{
	if (scope->option_count != 0)
		option_apply(walk, scope, index, node);
	else if (index >= CONFIG_SECTION_COUNT)
		list_apply(walk, &config_lists[index - CONFIG_SECTION_COUNT], node);
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

static void unknown_key_report(const struct config_walk *walk, const struct scope *scope,
			       const yaml_node_t *key)
{
	struct suggest suggest = {.seen = config_walk_scalar(key)};
	char hint[SUGGEST_HINT_MAX], seen[CONFIG_QUOTE_MAX];

	for (size_t i = 0; scope_key(scope, i) != NULL; i++)
		suggest_offer(&suggest, scope_key(scope, i));
	suggest_hint(&suggest, hint);
	for (size_t i = 0; hint[0] == 0 && i < CONFIG_OPTION_COUNT; i++)
		if (slice_equals(suggest.seen, slice_from_text(config_options[i].key)))
			snprintf(hint, sizeof(hint), "; it belongs under '%s:'",
				 config_options[i].section);
	config_walk_mistake(walk, key->start_mark, "%s%s%s: there is no such key%s", scope->path,
			    scope->path[0] == 0 ? "" : ".", config_quote(suggest.seen, seen), hint);
}

static void pair_apply(struct config_walk *walk, struct scope *scope, const yaml_node_t *key,
		       const yaml_node_t *value)
{
	size_t index = 0;

	if (key->type != YAML_SCALAR_NODE) {
		config_walk_mistake(walk, key->start_mark, "%s: a key is %s; write a word",
				    scope->path[0] == 0 ? "the file" : scope->path,
				    config_walk_type(key));
		return;
	}
	while (scope_key(scope, index) != NULL &&
	       !slice_equals(config_walk_scalar(key), slice_from_text(scope_key(scope, index))))
		index++;
	if (scope_key(scope, index) == NULL) {
		unknown_key_report(walk, scope, key);
		return;
	}
	CHECK(index < SCOPE_KEYS_MAX);
	if (scope->is_given[index]) {
		config_walk_mistake(walk, key->start_mark,
				    "%s%s%s: is given twice, first at %s:%zu:%zu; remove one",
				    scope->path, scope->path[0] == 0 ? "" : ".",
				    scope_key(scope, index), walk->file,
				    scope->places[index].line + 1, scope->places[index].column + 1);
		return;
	}
	scope->is_given[index] = true;
	scope->places[index] = key->start_mark;
	key_apply(walk, scope, index, value);
}

/* `node` must be a mapping. */
static void mapping_apply(struct config_walk *walk, struct scope *scope, const yaml_node_t *node)
{
	const yaml_node_pair_t *end = node->data.mapping.pairs.top;

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++) {
		if (!config_walk_visit(walk, node))
			return;
		pair_apply(walk, scope, yaml_document_get_node(walk->document, pair->key),
			   yaml_document_get_node(walk->document, pair->value));
	}
}

static void section_apply(struct config_walk *walk, const char *section, const yaml_node_t *node)
{
	struct scope scope = {.path = section, .base = walk->config};
	size_t first = 0;

	if (!config_walk_tag_check(walk, node, section) || config_walk_is_null(node))
		return; /* `server:` with every key commented out: all defaults */
	if (node->type != YAML_MAPPING_NODE) {
		config_walk_mistake(walk, node->start_mark,
				    "%s: is %s; write its keys below it, indented by spaces",
				    section, config_walk_type(node));
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

/* Without a type nobody knows what else must be there. */
static void missing_report(const struct config_walk *walk, const struct config_table *table,
			   const struct scope *scope, bool has_type, const yaml_node_t *node)
{
	for (size_t i = 0; i < scope->option_count; i++) {
		const struct config_option *option = &scope->options[i];
		const char *example = config_option_example(option);

		if (option->fallback != NULL || scope->is_given[i] ||
		    (i != table->type && !(has_type && config_table_has(table, scope->base, i))))
			continue;
		config_walk_mistake(walk, node->start_mark,
				    "%s.%s: is missing; write it, such as '%s: %s'", scope->path,
				    option->key, option->key, example);
	}
}

/* What only entries of another type have. */
static void types_check(const struct config_walk *walk, const struct config_table *table,
			const struct scope *scope)
{
	char type[CONFIG_VALUE_MAX];
	const struct config_option *of_type = &table->options[table->type];

	for (size_t i = 0; i < scope->option_count; i++) {
		if (!scope->is_given[i] || config_table_has(table, scope->base, i))
			continue;
		config_value_format(of_type, (const char *)scope->base + of_type->offset, type);
		config_report_add(walk->report, "%s:%u:%u: %s.%s: type %s has no %s; remove it",
				  walk->file, scope->origins[i].line, scope->origins[i].column,
				  scope->path, scope->options[i].key, type, scope->options[i].key);
	}
}

/* An entry of a list, or the mapping below a key. */
static void entry_apply(struct config_walk *walk, const struct config_table *table, void *entry,
			const char *path, const yaml_node_t *node)
{
	struct scope scope = {.path = path,
			      .options = table->options,
			      .option_count = table->option_count,
			      .base = entry,
			      .origins = config_table_origins(table, entry)};
	bool has_types = table->type < table->option_count;

	if (!config_walk_tag_check(walk, node, path))
		return;
	if (node->type != YAML_MAPPING_NODE) {
		config_walk_mistake(walk, node->start_mark,
				    "%s: is %s; write a mapping such as '%s: %s'", path,
				    config_walk_type(node), table->options[0].key,
				    config_option_example(&table->options[0]));
		return;
	}
	size_t before = walk->report->count;

	mapping_apply(walk, &scope, node);
	/* A mistake in it may be one in its type. */
	bool has_type = !has_types ||
			(scope.is_given[table->type] && walk->report->count == before);

	missing_report(walk, table, &scope, has_type, node);
	if (has_types && has_type)
		types_check(walk, table, &scope);
}

/* The list, or the mapping, below a key. */
static void inner_apply(struct config_walk *walk, const struct config_option *option,
			const char *path, const yaml_node_t *node, void *field)
{
	const struct config_list *list = config_kind_list(option->kind);
	char entry_path[PATH_BYTES];

	if (list == NULL) {
		entry_apply(walk, config_kind_table(option->kind), field, path, node);
		return;
	}
	if (!config_walk_list_check(walk, option, node, path, "{...}"))
		return;
	size_t count = config_walk_item_count(node);

	if (count < option->min)
		config_walk_mistake(walk, node->start_mark,
				    "%s: has no entries; write at least %llu", path,
				    (unsigned long long)option->min);
	if (count == 0)
		return;
	if (!config_list_allocate(list, field, count)) {
		config_walk_mistake(walk, node->start_mark, "%s: out of memory", path);
		return;
	}
	for (size_t i = 0; i < count && config_walk_visit(walk, node); i++) {
		snprintf(entry_path, sizeof(entry_path), "%.*s[%zu]", PATH_BYTES - 24, path, i);
		entry_apply(walk, list->table, config_list_add(list, field), entry_path,
			    config_walk_item_at(walk, node, i));
	}
}

/* False: there is nothing in it, or a mistake. */
static bool entries_check(const struct config_walk *walk, const struct config_list *list,
			  const yaml_node_t *node)
{
	bool is_list = node->type == YAML_SEQUENCE_NODE;
	bool is_empty = is_list ? config_walk_item_count(node) == 0 : config_walk_is_null(node);

	if (is_empty && list != &config_lists[CONFIG_LIST_routes])
		return false;
	if (is_empty)
		config_walk_mistake(
			walk, node->start_mark,
			"routes: is %s, so that nobody would be served; write at least one "
			"route, or remove the key for the default /ws/{client_id}",
			is_list ? "an empty list" : config_walk_type(node));
	else if (!is_list)
		config_walk_mistake(walk, node->start_mark,
				    "%s: is %s; write a list of mappings, each after a '-'",
				    list->key, config_walk_type(node));
	else if (config_walk_item_count(node) > list->max)
		config_walk_mistake(walk, node->start_mark,
				    "%s: has %zu entries; write at most %zu", list->key,
				    config_walk_item_count(node), list->max);
	return is_list && !is_empty && config_walk_item_count(node) <= list->max;
}

static void list_apply(struct config_walk *walk, const struct config_list *list,
		       const yaml_node_t *node)
{
	if (!config_walk_tag_check(walk, node, list->key) || !entries_check(walk, list, node))
		return;
	size_t count = config_walk_item_count(node);

	if (!config_list_allocate(list, walk->config, count)) {
		config_walk_mistake(walk, node->start_mark, "%s: out of memory", list->key);
		return;
	}
	for (size_t i = 0; i < count && config_walk_visit(walk, node); i++) {
		char path[PATH_BYTES];

		snprintf(path, sizeof(path), "%s[%zu]", list->key, i);
		entry_apply(walk, list->table, config_list_add(list, walk->config), path,
			    config_walk_item_at(walk, node, i));
		if (list == &config_lists[CONFIG_LIST_routes])
			config_route_check(walk, i);
	}
}

void config_walk_root(struct config_walk *walk, const yaml_node_t *root)
{
	struct scope top = {.path = ""};

	if (root == NULL || config_walk_is_null(root))
		return; /* an empty file: all defaults */
	if (!config_walk_tag_check(walk, root, "the file"))
		return;
	if (root->type == YAML_MAPPING_NODE)
		mapping_apply(walk, &top, root);
	else
		config_walk_mistake(
			walk, root->start_mark,
			"the file is %s; write a mapping with the keys server, admin, log, "
			"routes and backends",
			config_walk_type(root));
}
