/* SPDX-License-Identifier: Apache-2.0
 * config_walk_items.c - values that are lists: of names, networks, URLs, words and origins. */
#include <stdlib.h>

#include "base/check.h"
#include "base/web_origin.h"
#include "config/config_option.h"
#include "config/config_walk.h"

/* [bytes] Without its stars (proto/json_redact.h). */
#define REDACT_NAME_MAX 64

/* Stars are at the ends only, and something is between them. */
static bool is_redact_name(struct slice text)
{
	if (text.len > 0 && text.data[0] == '*')
		text = slice_of(text.data + 1, text.len - 1);
	if (text.len > 0 && text.data[text.len - 1] == '*')
		text.len--;
	return text.len > 0 && text.len <= REDACT_NAME_MAX &&
	       memchr(text.data, '*', text.len) == NULL;
}

static void token_add(struct config_walk *walk, const struct config_option *option,
		      struct config_tokens *tokens, const yaml_node_t *node, const char *path)
{
	bool is_redact = option == &config_options[CONFIG_OPTION_admin_tail_redact];
	char seen[CONFIG_QUOTE_MAX];
	struct slice text;

	if (!config_walk_scalar_check(walk, node, path, "a name"))
		return;
	text = config_walk_scalar(node);
	if (!config_is_token(text)) {
		config_walk_mistake(walk, node->start_mark,
				    "%s: %s is no %sname; write letters, digits or "
				    "!#$%%&'*+-.^_`|~",
				    path, config_quote(text, seen),
				    is_redact ? "" : "subprotocol ");
		return;
	}
	if (is_redact && !is_redact_name(text)) {
		config_walk_mistake(walk, node->start_mark,
				    "%s: %s is no name of at most %d bytes with a '*' before or "
				    "behind it at most",
				    path, config_quote(text, seen), REDACT_NAME_MAX);
		return;
	}
	for (size_t i = 0; i < tokens->count; i++) {
		CHECK(tokens->items[i] != NULL);
		if (slice_equals(text, slice_from_text(tokens->items[i]))) {
			config_walk_mistake(walk, node->start_mark,
					    "%s: %s is there twice; remove one", path,
					    config_quote(text, seen));
			return;
		}
	}
	tokens->items[tokens->count] = slice_to_text(text);
	if (tokens->items[tokens->count] == NULL)
		config_walk_mistake(walk, node->start_mark, "%s: out of memory", path);
	else
		tokens->count++;
}

static void tokens_apply(struct config_walk *walk, const struct config_option *option,
			 const yaml_node_t *node, const char *path, struct config_tokens *tokens)
{
	const char *example = option == &config_options[CONFIG_OPTION_admin_tail_redact]
				      ? "*secret*"
				      : "ocpp1.6";

	if (!config_walk_list_check(walk, option, node, path, example))
		return;
	size_t count = config_walk_item_count(node);

	tokens->items = count == 0 ? NULL : calloc(count, sizeof(*tokens->items));
	if (tokens->items == NULL && count != 0)
		config_walk_mistake(walk, node->start_mark, "%s: out of memory", path);
	for (size_t i = 0; tokens->items != NULL && i < count; i++)
		if (config_walk_visit(walk, node))
			token_add(walk, option, tokens, config_walk_item_at(walk, node, i), path);
}

static void items_apply(struct config_walk *walk, const struct config_option *option,
			const yaml_node_t *node, const char *path, void *list)
{
	const char *allowed = option->kind == CONFIG_PREFIXES ? "an address or a network"
			      : option->kind == CONFIG_URLS   ? "a URL of a broker"
							      : "a word";
	struct config_problem problem;

	if (!config_walk_list_check(walk, option, node, path, config_option_example(option)))
		return;
	if (config_walk_item_count(node) < option->min)
		config_walk_mistake(walk, node->start_mark, "%s: has no items; write at least %llu",
				    path, (unsigned long long)option->min);
	config_items_clear(option, list);
	for (size_t i = 0; i < config_walk_item_count(node) && config_walk_visit(walk, node); i++) {
		const yaml_node_t *item = config_walk_item_at(walk, node, i);

		if (config_walk_scalar_check(walk, item, path, allowed) &&
		    !config_item_add(option, list, config_walk_scalar(item), &problem))
			config_walk_mistake(walk, item->start_mark, "%s: %s", path, problem.text);
	}
}

/* Compares the texts: of two that differ in case only, one is of no use, and no harm. */
static void web_origin_add(struct config_walk *walk, struct config_tokens *list,
			   const yaml_node_t *node, const char *path)
{
	char seen[CONFIG_QUOTE_MAX];
	struct web_origin origin;
	const char *problem;

	if (!config_walk_scalar_check(walk, node, path, "https://HOST or https://HOST:PORT"))
		return;
	struct slice text = config_walk_scalar(node);

	problem = web_origin_parse_pattern(text, &origin);
	for (size_t i = 0; i < list->count && problem == NULL; i++) {
		CHECK(list->items[i] != NULL);
		if (slice_equals(text, slice_from_text(list->items[i])))
			problem = "is there twice; remove one";
	}
	if (problem != NULL) {
		config_walk_mistake(walk, node->start_mark, "%s: %s %s", path,
				    config_quote(text, seen), problem);
		return;
	}
	list->items[list->count] = slice_to_text(text);
	if (list->items[list->count] == NULL)
		config_walk_mistake(walk, node->start_mark, "%s: out of memory", path);
	else
		list->count++;
}

static void web_origins_apply(struct config_walk *walk, const struct config_option *option,
			      const yaml_node_t *node, const char *path,
			      struct config_web_origins *origins)
{
	struct config_tokens *list = &origins->list;

	if (!config_walk_list_check(walk, option, node, path, "https://example.com"))
		return;
	size_t count = config_walk_item_count(node);

	if (count == 0) {
		config_walk_mistake(walk, node->start_mark,
				    "%s: has no items, so that no page could connect; write at "
				    "least one, or any or same",
				    path);
		return;
	}
	list->items = calloc(count, sizeof(*list->items));
	if (list->items == NULL)
		config_walk_mistake(walk, node->start_mark, "%s: out of memory", path);
	for (size_t i = 0; list->items != NULL && i < count; i++)
		if (config_walk_visit(walk, node))
			web_origin_add(walk, list, config_walk_item_at(walk, node, i), path);
	origins->mode = CONFIG_ORIGINS_LIST;
}

/* One of its words, or a list. */
static bool is_web_origin_list(const struct config_option *option, const yaml_node_t *node)
{
	return option->kind == CONFIG_WEB_ORIGINS && node->type == YAML_SEQUENCE_NODE;
}

bool config_walk_items_apply(struct config_walk *walk, const struct config_option *option,
			     const yaml_node_t *node, const char *path, void *field)
{
	if (option->kind == CONFIG_TOKENS)
		tokens_apply(walk, option, node, path, field);
	else if (is_web_origin_list(option, node))
		web_origins_apply(walk, option, node, path, field);
	else if (config_kind_has_items(option->kind))
		items_apply(walk, option, node, path, field);
	else
		return false;
	return true;
}
