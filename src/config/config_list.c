/* SPDX-License-Identifier: Apache-2.0
 * config_list.c - the lists of mappings, by their tables. */
#include <stdlib.h>

#include "base/check.h"
#include "config/config_option.h"

#define LIST(list_key, entry, table, list_max)                \
	{.key = #list_key,                                    \
	 .options = config_##entry##_options,                 \
	 .option_count = ARRAY_LEN(config_##entry##_options), \
	 .max = (list_max),                                   \
	 .entry_size = sizeof(struct config_##entry),         \
	 .given_at = offsetof(struct config_##entry, given),  \
	 .items_at = offsetof(struct config, list_key),       \
	 .count_at = offsetof(struct config, entry##_count)},

const struct config_list config_lists[] = {CONFIG_LISTS(LIST)};

static void **items_of(const struct config_list *list, const struct config *config)
{
	return (void **)(void *)((char *)config + list->items_at);
}

static size_t *count_of(const struct config_list *list, const struct config *config)
{
	return (size_t *)(void *)((char *)config + list->count_at);
}

size_t config_list_count(const struct config_list *list, const struct config *config)
{
	return *count_of(list, config);
}

void *config_list_entry(const struct config_list *list, const struct config *config, size_t index)
{
	return (char *)*items_of(list, config) + index * list->entry_size;
}

struct config_origin *config_list_origins(const struct config_list *list, void *entry)
{
	return (struct config_origin *)(void *)((char *)entry + list->given_at);
}

bool config_list_allocate(const struct config_list *list, struct config *config, size_t count)
{
	void *items = calloc(count, list->entry_size);

	*items_of(list, config) = items;
	return items != NULL;
}

void *config_list_add(const struct config_list *list, struct config *config)
{
	void *entry = config_list_entry(list, config, (*count_of(list, config))++);

	config_defaults_apply(list->options, list->option_count, entry);
	return entry;
}

static void tokens_free(struct config_tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++)
		free(tokens->items[i]);
	free(tokens->items);
}

static void value_free(const struct config_option *option, void *entry)
{
	void *field = (char *)entry + option->offset;

	if (config_kind_is_text(option->kind))
		free(*(char **)field);
	else if (option->kind == CONFIG_TOKENS)
		tokens_free(field);
	else if (option->kind == CONFIG_WEB_ORIGINS)
		tokens_free(&((struct config_web_origins *)field)->list);
}

void config_list_finish(const struct config_list *list, struct config *config)
{
	for (size_t i = 0; i < config_list_count(list, config); i++)
		for (size_t j = 0; j < list->option_count; j++)
			value_free(&list->options[j], config_list_entry(list, config, i));
	free(*items_of(list, config));
}
