/* SPDX-License-Identifier: Apache-2.0
 * config_items.c - values that are lists: of networks, of URLs, of words. */
#include "config/config_option.h"

#include <inttypes.h>
#include <string.h>

static bool prefix_add(struct config_prefixes *prefixes, struct slice text,
		       struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX];
	struct net_prefix prefix;
	const char *wrong = net_prefix_parse(text, &prefix);

	if (wrong != NULL) {
		config_problem_set(out_problem, "%s %s", config_quote(text, seen), wrong);
		return false;
	}
	if (prefixes->count == CONFIG_PREFIXES_MAX) {
		config_problem_set(out_problem, "has more than %d addresses; write wider networks",
				   CONFIG_PREFIXES_MAX);
		return false;
	}
	prefixes->items[prefixes->count++] = prefix;
	return true;
}

static bool url_add(struct config_urls *urls, struct slice text, struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX];
	const char *wrong = config_broker_problem(text);

	if (wrong != NULL) { /* a password in it is not repeated */
		config_problem_set(out_problem, "%s %s",
				   memchr(text.data, '@', text.len) != NULL
					   ? "what is given"
					   : config_quote(text, seen),
				   wrong);
		return false;
	}
	if (urls->count == CONFIG_URLS_MAX) {
		config_problem_set(out_problem,
				   "has more than %d URLS; a few of a cluster are enough",
				   CONFIG_URLS_MAX);
		return false;
	}
	struct config_text *item = &urls->items[urls->count++];

	*item = (struct config_text){0};
	memcpy(item->text, text.data, text.len);
	return true;
}

static bool word_add(const struct config_option *option, unsigned *set, struct slice text,
		     struct config_problem *out_problem)
{
	unsigned word;

	if (!config_word_parse(config_kind_words(option->kind), text, &word, out_problem))
		return false;
	*set |= 1u << word;
	return true;
}

void config_items_clear(const struct config_option *option, void *list)
{
	if (config_kind_is_set(option->kind))
		*(unsigned *)list = 0;
	else if (option->kind == CONFIG_PREFIXES)
		((struct config_prefixes *)list)->count = 0;
	else
		((struct config_urls *)list)->count = 0;
}

bool config_item_add(const struct config_option *option, void *list, struct slice text,
		     struct config_problem *out_problem)
{
	if (config_kind_is_set(option->kind))
		return word_add(option, list, text, out_problem);
	return option->kind == CONFIG_PREFIXES ? prefix_add(list, text, out_problem)
					       : url_add(list, text, out_problem);
}

bool config_items_parse(const struct config_option *option, struct slice text, void *out_list,
			struct config_problem *out_problem)
{
	struct slice item;

	if (slice_equals(text, SLICE_LITERAL("[]")))
		text.len = 0;
	if (text.len == 0 && option->min > 0) {
		config_problem_set(out_problem, "has no items; write at least %" PRIu64,
				   option->min);
		return false;
	}
	config_items_clear(option, out_list);
	while (text.len > 0 && slice_next(&text, ',', &item))
		if (!config_item_add(option, out_list, slice_trim(item), out_problem))
			return false;
	return true;
}
