/* SPDX-License-Identifier: Apache-2.0
 * config_walk_nodes.c - what a node of a YAML document is, and what is said if it is something
 * else. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/config_option.h"
#include "config/config_walk.h"

void config_walk_mistake(const struct config_walk *walk, yaml_mark_t mark, const char *format, ...)
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
bool config_walk_visit(struct config_walk *walk, const yaml_node_t *node)
{
	if (walk->visits_left == 0)
		return false;
	if (--walk->visits_left > 0)
		return true;
	config_walk_mistake(
		walk, node->start_mark,
		"there are more than %d keys and items, those behind aliases counted each "
		"time; write fewer",
		CONFIG_VISITS_MAX);
	return false;
}

struct slice config_walk_scalar(const yaml_node_t *node)
{
	return slice_of(node->data.scalar.value, node->data.scalar.length);
}

bool config_walk_is_null(const yaml_node_t *node)
{
	struct slice text = config_walk_scalar(node);

	return node->type == YAML_SCALAR_NODE &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text.len == 0 || slice_equals(text, SLICE_LITERAL("~")) ||
		slice_equals(text, SLICE_LITERAL("null")));
}

const char *config_walk_type(const yaml_node_t *node)
{
	if (config_walk_is_null(node))
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
bool config_walk_tag_check(const struct config_walk *walk, const yaml_node_t *node,
			   const char *path)
{
	const char *tag = (const char *)node->tag;
	char seen[CONFIG_QUOTE_MAX];

	if (tag == NULL || strncmp(tag, "tag:yaml.org,2002:", strlen("tag:yaml.org,2002:")) == 0)
		return true;
	config_walk_mistake(walk, node->start_mark, "%s: has the unknown tag %s; remove it", path,
			    config_quote(slice_from_text(tag), seen));
	return false;
}

/* True if the node is a scalar with a text in it. */
bool config_walk_scalar_check(const struct config_walk *walk, const yaml_node_t *node,
			      const char *path, const char *allowed)
{
	if (!config_walk_tag_check(walk, node, path))
		return false;
	if (node->type == YAML_SCALAR_NODE && !config_walk_is_null(node))
		return true;
	config_walk_mistake(walk, node->start_mark, "%s: is %s; allowed: %s", path,
			    config_walk_type(node), allowed);
	return false;
}

size_t config_walk_item_count(const yaml_node_t *node)
{
	return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

yaml_node_t *config_walk_item_at(const struct config_walk *walk, const yaml_node_t *node,
				 size_t index)
{
	return yaml_document_get_node(walk->document, node->data.sequence.items.start[index]);
}

bool config_walk_list_check(struct config_walk *walk, const struct config_option *option,
			    const yaml_node_t *node, const char *path, const char *example)
{
	if (!config_walk_tag_check(walk, node, path))
		return false;
	if (node->type != YAML_SEQUENCE_NODE) {
		config_walk_mistake(walk, node->start_mark, "%s: is %s; write a list such as [%s]",
				    path, config_walk_type(node), example);
		return false;
	}
	if (config_walk_item_count(node) <= option->max)
		return true;
	config_walk_mistake(walk, node->start_mark, "%s: has %zu %s; write at most %llu", path,
			    config_walk_item_count(node), option->unit,
			    (unsigned long long)option->max);
	return false;
}
