/* SPDX-License-Identifier: Apache-2.0
 * config_walk.h - walks a YAML document along the table.
 *
 * Layer: config, internal to it. The walk follows the table and never the document,
 * so that its depth is fixed: an alias that points at itself ends where the table
 * ends. */
#pragma once

#include <yaml.h>

#include "config/config.h"

struct config_option;

/* Keys and items, those behind an alias counted each time. */
#define CONFIG_VISITS_MAX 100000

struct config_walk {
	yaml_document_t *document;
	struct config *config; /* takes values and origins */
	struct config_report *report;
	const char *file; /* its name for the messages */
	size_t visits_left;
};

/* `root` may be NULL: an empty document. */
void config_walk_root(struct config_walk *walk, const yaml_node_t *root);

/* Adds a line "FILE:LINE:COLUMN: ..." to the report. */
void config_walk_mistake(const struct config_walk *walk, yaml_mark_t mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The route that was just read: gives it what its preset has. */
void config_preset_apply(const struct config_walk *walk, size_t index);

/* Likewise: gives it a name if it has none, and compares it with
 * those before it. */
void config_route_check(const struct config_walk *walk, size_t index);

/* --- nodes --- */

/* Every key and item passes here once. False: too many; the walk is over. */
bool config_walk_visit(struct config_walk *walk, const yaml_node_t *node);

struct slice config_walk_scalar(const yaml_node_t *node);
bool config_walk_is_null(const yaml_node_t *node);
const char *config_walk_type(const yaml_node_t *node); /* "a list", for messages */
size_t config_walk_item_count(const yaml_node_t *node);
yaml_node_t *config_walk_item_at(const struct config_walk *walk, const yaml_node_t *node,
				 size_t index);

/* Each false after a mistake: a tag that is not YAML's own; no scalar with a text in it; no list,
 * or one that is too long. */
bool config_walk_tag_check(const struct config_walk *walk, const yaml_node_t *node,
			   const char *path);
bool config_walk_scalar_check(const struct config_walk *walk, const yaml_node_t *node,
			      const char *path, const char *allowed);
bool config_walk_list_check(struct config_walk *walk, const struct config_option *option,
			    const yaml_node_t *node, const char *path, const char *example);

/* False: the option's kind is no list of items, or the node none for it, and nothing was done. */
bool config_walk_items_apply(struct config_walk *walk, const struct config_option *option,
			     const yaml_node_t *node, const char *path, void *field);
