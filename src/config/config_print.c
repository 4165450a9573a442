/* SPDX-License-Identifier: Apache-2.0
 * config_print.c - the configuration and its table as text for people. */
#include "config/config_option.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* Comments of `gatehouse config` stand in this column. */
#define COMMENT_COLUMN 44
#define HELP_COLUMN    78

static bool is_plain_yaml(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/_.:{}-";
	size_t len = strlen(text);

	return len > 0 && strspn(text, plain) == len && strchr(":{}-", text[0]) == NULL &&
	       text[len - 1] != ':';
}

/* Returns the bytes written. No text of ours holds a '"' or '\\'. */
static int scalar_print(const char *text, FILE *to)
{
	return fprintf(to, is_plain_yaml(text) ? "%s" : "\"%s\"", text);
}

/* NULL: the list has no more items. */
static const char *item_text(const struct config_option *option, const void *list, size_t index,
			     char room[NET_PREFIX_TEXT_MAX])
{
	const struct config_prefixes *prefixes = list;
	const struct config_tokens *tokens = list;
	const struct config_urls *urls = list;
	const struct config_web_origins *origins = list;

	switch (option->kind) {
	case CONFIG_PREFIXES:
		return index == prefixes->count ? NULL
						: net_prefix_format(&prefixes->items[index], room,
								    NET_PREFIX_TEXT_MAX);
	case CONFIG_TOKENS:
		return index == tokens->count ? NULL : tokens->items[index];
	case CONFIG_WEB_ORIGINS:
		return index == origins->list.count ? NULL : origins->list.items[index];
	default:
		return index == urls->count ? NULL : urls->items[index].text;
	}
}

static int items_print(const struct config_option *option, const void *list, FILE *to)
{
	int used = fprintf(to, "[");
	char room[NET_PREFIX_TEXT_MAX];
	const char *text;

	for (size_t i = 0; (text = item_text(option, list, i, room)) != NULL; i++)
		used += fprintf(to, "%s\"%s\"", i == 0 ? "" : ", ", text);
	return used + fprintf(to, "]");
}

static bool is_list(const struct config_option *option, const void *field)
{
	if (option->kind == CONFIG_WEB_ORIGINS)
		return ((const struct config_web_origins *)field)->mode == CONFIG_ORIGINS_LIST;
	return option->kind == CONFIG_TOKENS || option->kind == CONFIG_PREFIXES ||
	       option->kind == CONFIG_URLS;
}

static int value_print(const struct config_option *option, const void *base, FILE *to)
{
	const void *field = (const char *)base + option->offset;
	char text[CONFIG_VALUE_MAX];

	if (is_list(option, field))
		return items_print(option, field, to);
	if (option->kind == CONFIG_FILE || option->kind == CONFIG_WORD)
		return scalar_print(((const struct config_text *)field)->text, to);
	if (config_kind_is_text(option->kind))
		return scalar_print(*(char *const *)field, to);
	return scalar_print(config_value_format(option, field, text), to);
}

static void origin_print(const struct config *config, const struct config_option *option,
			 const struct config_origin *origin, FILE *to)
{
	char name[CONFIG_NAME_MAX];

	switch (origin->kind) {
	case CONFIG_FROM_DEFAULT:
		fputs("default", to);
		break;
	case CONFIG_FROM_FILE:
		fprintf(to, "%s:%u", config->file, origin->line);
		break;
	case CONFIG_FROM_ENVIRONMENT:
		fprintf(to, "environment %s", config_option_variable(option, name));
		break;
	case CONFIG_FROM_FLAG:
		fprintf(to, "flag %s", config_option_flag(option, name));
		break;
	}
}

/* As a comment, so that what is printed can be loaded again. */
static int secret_print(const struct config_option *option, const char *indent, const void *base,
			FILE *to)
{
	const struct config_text *field = (const void *)((const char *)base + option->offset);

	return fprintf(to, "%s# %s: %s", indent, option->key,
		       field->text[0] == 0 ? "not set" : "set");
}

/* "  key: value   # origin" */
static void option_print(const struct config *config, const struct config_option *option,
			 const char *indent, const void *base, const struct config_origin *origin,
			 FILE *to)
{
	int used;

	if (option->kind == CONFIG_SECRET)
		used = secret_print(option, indent, base, to);
	else
		used = fprintf(to, "%s%s: ", indent, option->key) + value_print(option, base, to);

	fprintf(to, "%*s # ", MAX(0, COMMENT_COLUMN - used), "");
	origin_print(config, option, origin, to);
	fputc('\n', to);
}

static bool is_absent(const struct config_list *list, size_t index, const void *entry)
{
	const struct config_option *option = &list->options[index];

	if (list == &config_lists[CONFIG_LIST_backends] && !config_backend_has(entry, index))
		return true;
	return config_kind_is_text(option->kind) &&
	       *(char *const *)(const void *)((const char *)entry + option->offset) == NULL;
}

static void list_print(const struct config *config, const struct config_list *list, FILE *to)
{
	size_t count = config_list_count(list, config);

	fprintf(to, count == 0 ? "%s: []\n" : "%s:\n", list->key);
	for (size_t i = 0; i < count; i++) {
		void *entry = config_list_entry(list, config, i);

		for (size_t j = 0; j < list->option_count; j++)
			if (!is_absent(list, j, entry))
				option_print(config, &list->options[j], j == 0 ? "  - " : "    ",
					     entry, &config_list_origins(list, entry)[j], to);
	}
}

void config_print(const struct config *config, FILE *to)
{
	const char *section = "";

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		if (strcmp(config_options[i].section, section) != 0)
			fprintf(to, "%s:\n", config_options[i].section);
		section = config_options[i].section;
		option_print(config, &config_options[i], "  ", config, &config->origins[i], to);
	}
	for (size_t i = 0; i < CONFIG_LIST_COUNT; i++)
		list_print(config, &config_lists[i], to);
}

static void option_reference(const struct config_option *option, bool is_in_list, FILE *to)
{
	char allowed[CONFIG_ALLOWED_MAX], name[CONFIG_NAME_MAX];

	fprintf(to, "\n### %s%s.%s\n\n%s\n\n", option->section, is_in_list ? "[]" : "", option->key,
		option->help);
	if (option->fallback == NULL)
		fputs("- Default: none, it must be given\n", to);
	else if (option->fallback[0] == 0)
		fprintf(to, "- Default: %s\n",
			option == &config_route_options[CONFIG_OPTION_routes_name]
				? "made from the path"
				: "nothing");
	else
		fprintf(to, "- Default: `%s`\n", option->fallback);
	fprintf(to, "- Allowed: %s\n", config_value_allowed(option, allowed));
	fprintf(to, "- Class: %s\n", option->reload == CONFIG_LIVE ? "live" : "restart");
	if (is_in_list)
		return;
	if (option->kind == CONFIG_SECRET)
		fputs("- Flag and key in the file: none, it is a secret\n", to);
	else
		fprintf(to, "- Flag: `%s`\n", config_option_flag(option, name));
	fprintf(to, "- Variable: `%s`\n", config_option_variable(option, name));
}

static void list_reference(const struct config_list *list, FILE *to)
{
	for (size_t i = 0; i < list->option_count; i++)
		option_reference(&list->options[i], true, to);
}

void config_print_reference(FILE *to)
{
	const char *section = "";

	fputs("# Options\n\n"
	      "Written by `gatehouse config --reference` from `src/config/config_table.h`; do not "
	      "edit.\n\n"
	      "A flag beats an environment variable, that beats the file, that beats the default. "
	      "The file is\nthe one given with `-c`, else `" CONFIG_DEFAULT_FILE
	      "` if it exists. `gatehouse config` prints the\neffective values and where each came "
	      "from; `gatehouse check` says whether `serve` would start, and lists every "
	      "mistake.\n\n"
	      "Durations are whole numbers with `ms`, `s`, `m`, `h` or `d`; sizes with `B`, `KiB`, "
	      "`MiB`, `GiB`,\n`kB`, `MB` or `GB`. All options are read at the start. The class "
	      "tells what a change would take:\n*live* options can change under open connections, "
	      "*restart* options cannot.\n\n"
	      "Each flag also has a form with its section, such as `--server-listen`. A variable "
	      "that has no section,\nsuch as `GATEHOUSE_LISTEN`, is taken as the flag of that name "
	      "would be, with a warning. `GATEHOUSE_...`\nthat is near an option's name is a "
	      "mistake, with the right name; any other is passed over with a\nwarning, but for "
	      "those that Kubernetes sets for its services, which are passed over in silence.\n",
	      to);
	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		if (strcmp(config_options[i].section, section) != 0)
			fprintf(to, "\n## %s\n", config_options[i].section);
		section = config_options[i].section;
		option_reference(&config_options[i], false, to);
	}
	fputs("\n## routes\n\n"
	      "A list; each entry has the keys below. Without the key `routes` there is one route, "
	      "`/ws/{client_id}`,\nwith the defaults.\n",
	      to);
	list_reference(&config_lists[CONFIG_LIST_routes], to);
	fputs("\n## backends\n\n"
	      "A list; each entry has the keys below. What a back end gets and may answer is in "
	      "[backend-contract.md](backend-contract.md).\n",
	      to);
	list_reference(&config_lists[CONFIG_LIST_backends], to);
}

/* Breaks at spaces; every line is indented by `indent` spaces. */
static void wrapped_print(const char *text, int indent, FILE *to)
{
	int column = 0;

	while (*text != 0) {
		int word = (int)strcspn(text, " ");

		if (column != 0 && column + 1 + word > HELP_COLUMN) {
			fputc('\n', to);
			column = 0;
		}
		column += column == 0 ? fprintf(to, "%*s%.*s", indent, "", word, text)
				      : fprintf(to, " %.*s", word, text);
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

void config_print_flags(FILE *to)
{
	char name[CONFIG_NAME_MAX], allowed[CONFIG_ALLOWED_MAX];

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		const struct config_option *option = &config_options[i];

		if (option->kind == CONFIG_SECRET)
			continue;
		fprintf(to, "  %s VALUE\n", config_option_flag(option, name));
		wrapped_print(option->help, 6, to);
		fprintf(to, "      Allowed: %s. Default: %s.\n",
			config_value_allowed(option, allowed),
			option->fallback[0] == 0 ? "nothing" : option->fallback);
	}
}
