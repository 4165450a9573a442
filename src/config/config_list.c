/* SPDX-License-Identifier: Apache-2.0
 * config_list.c - lists of mappings, and mappings, by their tables. */
#include <stdlib.h>

#include "base/check.h"
#include "config/config_option.h"

/* --- tables --- */

/* The option `type` of these two says which of the others an entry has. */
#define TYPE_certificate CONFIG_OPTION_COUNT_certificate
#define TYPE_tls         CONFIG_OPTION_COUNT_tls
#define TYPE_listener    CONFIG_OPTION_COUNT_listener
#define TYPE_auth        CONFIG_OPTION_auth_type
#define TYPE_route       CONFIG_OPTION_COUNT_route
#define TYPE_backend     CONFIG_OPTION_backends_type

#define TABLE(entry, lines)                                         \
	const struct config_table config_##entry##_table = {        \
		.options = config_##entry##_options,                \
		.option_count = CONFIG_OPTION_COUNT_##entry,        \
		.entry_size = sizeof(struct config_##entry),        \
		.given_at = offsetof(struct config_##entry, given), \
		.type = TYPE_##entry,                               \
	};

CONFIG_TABLES(TABLE)

struct config_origin *config_table_origins(const struct config_table *table, void *entry)
{
	return (struct config_origin *)(void *)((char *)entry + table->given_at);
}

bool config_table_has(const struct config_table *table, const void *entry, size_t option)
{
	unsigned types = table->options[option].types;

	if (table == &config_listener_table)
		return config_listener_has(entry, option);
	if (table->type == table->option_count || types == 0)
		return true;
	const char *type = (const char *)entry + table->options[table->type].offset;

	return (types >> *(const unsigned *)(const void *)type & 1) != 0;
}

/* --- lists --- */

#define LIST(list_key, entry, list_max)                 \
	{.key = #list_key,                              \
	 .table = &config_##entry##_table,              \
	 .max = (list_max),                             \
	 .items_at = offsetof(struct config, list_key), \
	 .count_at = offsetof(struct config, entry##_count)},

const struct config_list config_lists[] = {CONFIG_LISTS(LIST)};

#define INNER_LIST(kind, list, entry)                              \
	static const struct config_list list##_list = {            \
		.table = &config_##entry##_table,                  \
		.items_at = offsetof(struct config_##list, items), \
		.count_at = offsetof(struct config_##list, count), \
	};

CONFIG_INNER_LISTS(INNER_LIST)

const struct config_list *config_kind_list(enum config_kind kind)
{
#define INNER_LIST_CASE(kind, list, entry) \
	case CONFIG_##kind:                \
		return &list##_list;
	switch (kind) {
		CONFIG_INNER_LISTS(INNER_LIST_CASE)
	default:
		return NULL;
	}
}

const struct config_table *config_kind_table(enum config_kind kind)
{
	return kind == CONFIG_TLS_KEYS ? &config_tls_table : NULL;
}

static void **items_of(const struct config_list *list, const void *base)
{
	return (void **)(void *)((char *)base + list->items_at);
}

static size_t *count_of(const struct config_list *list, const void *base)
{
	return (size_t *)(void *)((char *)base + list->count_at);
}

size_t config_list_count(const struct config_list *list, const void *base)
{
	return *count_of(list, base);
}

void *config_list_entry(const struct config_list *list, const void *base, size_t index)
{
	return (char *)*items_of(list, base) + index * list->table->entry_size;
}

bool config_list_allocate(const struct config_list *list, void *base, size_t count)
{
	void *items = calloc(count, list->table->entry_size);

	*items_of(list, base) = items;
	return items != NULL;
}

void config_list_count_set(const struct config_list *list, void *base, size_t count)
{
	*count_of(list, base) = count;
}

void *config_list_add(const struct config_list *list, void *base)
{
	void *entry = config_list_entry(list, base, (*count_of(list, base))++);

	config_defaults_apply(list->table->options, list->table->option_count, entry);
	return entry;
}

/* --- defaults --- */

/* A text without a default stays NULL, a list empty. */
void config_defaults_apply(const struct config_option *options, size_t count, void *base)
{
	struct config_problem problem;

	for (size_t i = 0; i < count; i++) {
		const struct config_option *option = &options[i];

		const struct config_table *table = config_kind_table(option->kind);

		if (table != NULL)
			config_defaults_apply(table->options, table->option_count,
					      (char *)base + option->offset);
		if (option->fallback == NULL || option->fallback[0] == 0 ||
		    option->kind == CONFIG_TOKENS || config_kind_is_inner(option->kind))
			continue;
		CHECK(config_value_apply(option, slice_from_text(option->fallback), base,
					 &problem));
	}
}

/* --- the end --- */

static void tokens_finish(struct config_tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++)
		free(tokens->items[i]);
	free(tokens->items);
}

/* Lists and mappings are at most as deep as their tables. */
static void value_finish(const struct config_option *option, void *field)
{
	const struct config_list *list = config_kind_list(option->kind);
	const struct config_table *table = config_kind_table(option->kind);

	if (config_kind_is_text(option->kind))
		free(*(char **)field);
	else if (option->kind == CONFIG_TOKENS)
		tokens_finish(field);
	else if (option->kind == CONFIG_WEB_ORIGINS)
		tokens_finish(&((struct config_web_origins *)field)->list);
	else if (list != NULL)
		config_list_finish(list, field);
	else if (table != NULL)
		config_values_finish(table->options, table->option_count, field);
}

void config_values_finish(const struct config_option *options, size_t count, void *base)
{
	for (size_t i = 0; i < count; i++)
		value_finish(&options[i], (char *)base + options[i].offset);
}

void config_list_finish(const struct config_list *list, void *base)
{
	for (size_t i = 0; i < config_list_count(list, base); i++)
		config_values_finish(list->table->options, list->table->option_count,
				     config_list_entry(list, base, i));
	free(*items_of(list, base));
}
