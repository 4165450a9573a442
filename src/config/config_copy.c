/* SPDX-License-Identifier: Apache-2.0
 * config_copy.c - copies of values, with what is below them (config_diff.h). */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config/config_diff.h"

#define SIZE(kind) [CONFIG_##kind] = sizeof(CONFIG_C_##kind)

/* clang-format off */
static const size_t sizes[CONFIG_KIND_COUNT] = {
	SIZE(ADDRESS), SIZE(COUNT), SIZE(AUTO_COUNT), SIZE(DURATION), SIZE(OFF_DURATION),
	SIZE(SIZE), SIZE(AUTO_SIZE), SIZE(OFF_SIZE), SIZE(RATIO), SIZE(RATE_ACTION), SIZE(TAIL_BODIES),
	SIZE(REFUSE_BROWSERS),
	SIZE(ENGINE), SIZE(LEVEL), SIZE(FORMAT), SIZE(MISMATCH), SIZE(TAKEOVER), SIZE(TOLD),
	SIZE(PRESET), SIZE(SECURITY_PROFILE), SIZE(RPC), SIZE(BACKEND_TYPE), SIZE(ON_FAILURE),
	SIZE(ON_REMOVED),	SIZE(SWITCH), SIZE(PATH), SIZE(NAME), SIZE(URL), SIZE(TOKENS), SIZE(PREFIXES),
	SIZE(WEB_ORIGINS), SIZE(BUS_TYPE), SIZE(URLS), SIZE(WORD), SIZE(CONNECT), SIZE(FILE),
	SIZE(SECRET), SIZE(TEXT), SIZE(PLACE), SIZE(MODE), SIZE(OWNER), SIZE(ON_OFF),
	SIZE(TLS_VERSION), SIZE(CLIENT_CERTIFICATE), SIZE(AUTH_TYPE), SIZE(SECRET_FORMAT),
	SIZE(IDENTITY), SIZE(ALGORITHMS), SIZE(TOKEN_FROM), SIZE(CERTIFICATES), SIZE(LISTENERS),
	SIZE(AUTHS), SIZE(TLS_KEYS), SIZE(COMPRESSION),
};
/* clang-format on */

static bool text_copy(char *const *from, char **to)
{
	*to = *from == NULL ? NULL : strdup(*from);
	return *from == NULL || *to != NULL;
}

static bool tokens_copy(const struct config_tokens *from, struct config_tokens *to)
{
	*to = (struct config_tokens){.items = calloc(from->count + 1, sizeof(*to->items))};
	if (to->items == NULL)
		return false;
	for (; to->count < from->count; to->count++)
		if (!text_copy(&from->items[to->count], &to->items[to->count]))
			return false;
	return true;
}

static bool options_copy(const struct config_option *options, size_t count, const void *from,
			 void *to)
{
	bool is_good = true;

	for (size_t i = 0; i < count; i++)
		is_good &= config_value_copy(&options[i], (const char *)from + options[i].offset,
					     (char *)to + options[i].offset);
	return is_good;
}

/* `to` is zeroed. */
static bool list_copy(const struct config_list *list, const void *from, void *to)
{
	size_t count = config_list_count(list, from);
	const struct config_table *table = list->table;
	bool is_good = true;

	if (count == 0)
		return true;
	if (!config_list_allocate(list, to, count))
		return false;
	for (size_t i = 0; i < count; i++) {
		void *source = config_list_entry(list, from, i);
		void *copy = config_list_entry(list, to, i);

		memcpy(copy, source, table->entry_size);
		is_good &= options_copy(table->options, table->option_count, source, copy);
		config_list_count_set(list, to, i + 1);
	}
	return is_good;
}

/* What a copy that failed has is whole, so that it can be freed. */
bool config_value_copy(const struct config_option *option, const void *from, void *to)
{
	const struct config_list *list = config_kind_list(option->kind);
	const struct config_table *table = config_kind_table(option->kind);
	size_t size = sizes[option->kind];

	CHECK(size > 0); /* each kind has its line above */
	memcpy(to, from, size);
	if (config_kind_is_text(option->kind))
		return text_copy(from, to);
	if (option->kind == CONFIG_TOKENS)
		return tokens_copy(from, to);
	if (option->kind == CONFIG_WEB_ORIGINS)
		return tokens_copy(&((const struct config_web_origins *)from)->list,
				   &((struct config_web_origins *)to)->list);
	if (table != NULL)
		return options_copy(table->options, table->option_count, from, to);
	if (list == NULL)
		return true;
	memset(to, 0, size);
	return list_copy(list, from, to);
}
