/* SPDX-License-Identifier: Apache-2.0
 * config_print.c - the configuration and its table as text for people. */
#include "config/config_option.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* Comments of `gatehouse config` stand in this column. */
#define COMMENT_COLUMN 44
#define HELP_COLUMN    78

/* "server.listeners[].tls.certificates[].cert_file" */
#define KEY_PATH_MAX 128

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

/* The index-th word of a set; NULL: it has no more. */
static const char *set_text(const struct config_option *option, unsigned set, size_t index)
{
	const char *const *words = config_kind_words(option->kind);

	for (size_t i = 0; words[i] != NULL; i++)
		if ((set >> i & 1) != 0 && index-- == 0)
			return words[i];
	return NULL;
}

/* NULL: the list has no more items. */
static const char *item_text(const struct config_option *option, const void *list, size_t index,
			     char room[NET_PREFIX_TEXT_MAX])
{
	const struct config_prefixes *prefixes = list;
	const struct config_tokens *tokens = list;
	const struct config_urls *urls = list;
	const struct config_web_origins *origins = list;

	if (config_kind_is_set(option->kind))
		return set_text(option, *(const unsigned *)list, index);
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
	return config_kind_has_items(option->kind);
}

int config_value_print(const struct config_option *option, const void *base, FILE *to)
{
	const void *field = (const char *)base + option->offset;
	char text[CONFIG_VALUE_MAX];

	if (is_list(option, field))
		return items_print(option, field, to);
	if (config_kind_is_string(option->kind))
		return scalar_print(((const struct config_text *)field)->text, to);
	if (config_kind_is_text(option->kind))
		return scalar_print(*(char *const *)field, to);
	return scalar_print(config_value_format(option, field, text), to);
}

/* Room for what stands around a path: "preset at ...:4294967295". */
#define PATH_SHOWN (CONFIG_SET_BY_MAX - 32)

static char *file_line(const struct config *config, const char *before, uint32_t line,
		       char out[CONFIG_SET_BY_MAX])
{
	size_t len = strlen(config->file);
	bool is_long = len > PATH_SHOWN;
	const char *path = config->file + (is_long ? len - PATH_SHOWN : 0);

	while (is_long && ((unsigned char)*path & 0xc0) == 0x80) /* not within a character */
		path++;
	snprintf(out, CONFIG_SET_BY_MAX, "%s%s%s:%u", before, is_long ? "..." : "", path, line);
	/* A name may hold anything, a line of YAML, of a log or of a terminal not. */
	for (char *c = out; *c != 0; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return out;
}

/* `option` is NULL for what can only stand in the file. */
static char *origin_format(const struct config *config, const struct config_option *option,
			   const struct config_origin *origin, char out[CONFIG_SET_BY_MAX])
{
	char name[CONFIG_NAME_MAX];

	switch (origin->kind) {
	case CONFIG_FROM_FILE:
		return file_line(config, "", origin->line, out);
	case CONFIG_FROM_PRESET:
		return file_line(config, "preset at ", origin->line, out);
	case CONFIG_FROM_ENVIRONMENT:
		CHECK(option != NULL);
		snprintf(out, CONFIG_SET_BY_MAX, "environment %s",
			 config_origin_name(option, origin, name));
		return out;
	case CONFIG_FROM_FLAG:
		CHECK(option != NULL);
		snprintf(out, CONFIG_SET_BY_MAX, "flag %s",
			 config_origin_name(option, origin, name));
		return out;
	case CONFIG_FROM_DEFAULT:
		break;
	}
	snprintf(out, CONFIG_SET_BY_MAX, "default");
	return out;
}

char *config_set_by(const struct config *config, enum config_option_number option,
		    char out[CONFIG_SET_BY_MAX])
{
	return origin_format(config, &config_options[option], &config->origins[option], out);
}

char *config_entry_set_by(const struct config *config, const struct config_origin *origin,
			  char out[CONFIG_SET_BY_MAX])
{
	return origin_format(config, NULL, origin, out);
}

/* As a comment, so that what is printed can be loaded again. */
static int secret_print(const struct config_option *option, int indent, const void *base, FILE *to)
{
	const struct config_text *field = (const void *)((const char *)base + option->offset);

	return fprintf(to, "%*s# %s: %s", indent, "", option->key,
		       field->text[0] == 0 ? "not set" : "set");
}

/* What is printed, and how far it is indented. */
struct page {
	const struct config *config;
	FILE *to;
	int indent;
};

/* "# origin" behind what has `used` columns. */
static void comment_print(const struct page *page, const struct config_option *option,
			  const struct config_origin *origin, int used)
{
	char text[CONFIG_SET_BY_MAX];

	fprintf(page->to, "%*s # %s\n", MAX(0, COMMENT_COLUMN - used), "",
		origin_format(page->config, option, origin, text));
}

static void table_print(const struct page *page, const struct config_table *table, void *entry,
			bool is_item);

/* What has a table of its own below its key. `bullet` is what stands before the key. */
static void inner_print(const struct page *page, const struct config_option *option,
			const char *bullet, const void *field, const struct config_origin *origin)
{
	const struct config_list *list = config_kind_list(option->kind);
	const struct config_table *table = config_kind_table(option->kind);
	size_t count = list == NULL ? 0 : config_list_count(list, field);
	bool is_none = list != NULL ? count == 0 : origin->kind == CONFIG_FROM_DEFAULT;
	const char *mark = table != NULL && is_none ? "# " : "";
	const char *value = !is_none ? "" : list != NULL ? " []" : " not set";

	comment_print(page, option, origin,
		      fprintf(page->to, "%*s%s%s%s:%s", page->indent, "", mark, bullet, option->key,
			      value));
	const struct page below = {page->config, page->to, page->indent + 2 + (int)strlen(bullet)};

	for (size_t i = 0; i < count; i++)
		table_print(&below, list->table, config_list_entry(list, field, i), true);
	if (table != NULL && !is_none)
		table_print(&below, table, (void *)(uintptr_t)field, false);
}

/* "  key: value   # origin" */
static void option_print(const struct page *page, const struct config_option *option,
			 const char *bullet, const void *base, const struct config_origin *origin)
{
	int used;

	if (config_kind_is_inner(option->kind)) {
		inner_print(page, option, bullet, (const char *)base + option->offset, origin);
		return;
	}
	if (option->kind == CONFIG_SECRET)
		used = secret_print(option, page->indent, base, page->to);
	else
		used = fprintf(page->to, "%*s%s%s: ", page->indent, "", bullet, option->key) +
		       config_value_print(option, base, page->to);
	comment_print(page, option, origin, used);
}

static bool is_absent(const struct config_table *table, size_t index, const void *entry)
{
	const struct config_option *option = &table->options[index];

	if (!config_table_has(table, entry, index))
		return true;
	return config_kind_is_text(option->kind) &&
	       *(char *const *)(const void *)((const char *)entry + option->offset) == NULL;
}

/* The first key of an item has a '-' before it. */
static void table_print(const struct page *page, const struct config_table *table, void *entry,
			bool is_item)
{
	const struct page below = {page->config, page->to, page->indent + (is_item ? 2 : 0)};
	bool is_first = is_item;

	for (size_t i = 0; i < table->option_count; i++) {
		if (is_absent(table, i, entry))
			continue;
		option_print(is_first ? page : &below, &table->options[i], is_first ? "- " : "",
			     entry, &config_table_origins(table, entry)[i]);
		is_first = false;
	}
}

static void list_print(const struct page *page, const struct config_list *list)
{
	size_t count = config_list_count(list, page->config);

	fprintf(page->to, count == 0 ? "%s: []\n" : "%s:\n", list->key);
	for (size_t i = 0; i < count; i++)
		table_print(page, list->table, config_list_entry(list, page->config, i), true);
}

void config_print(const struct config *config, FILE *to)
{
	const struct page page = {config, to, 2};
	const char *section = "";

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		if (strcmp(config_options[i].section, section) != 0)
			fprintf(to, "%s:\n", config_options[i].section);
		section = config_options[i].section;
		if (i == CONFIG_OPTION_server_listen && config->server.listeners.count > 0)
			continue; /* both may not be given */
		option_print(&page, &config_options[i], "", config, &config->origins[i]);
	}
	for (size_t i = 0; i < CONFIG_LIST_COUNT; i++)
		list_print(&page, &config_lists[i]);
}

/* A reference that is written. */
struct reference {
	FILE *to;
	bool has_tls; /* the mapping has been described */
};

static void table_reference(struct reference *reference, const struct config_table *table,
			    const char *path);

static void default_reference(const struct config_option *option, FILE *to)
{
	if (option->fallback == NULL)
		fputs("- Default: none, it must be given\n", to);
	else if (option->fallback[0] == 0)
		fprintf(to, "- Default: %s\n",
			option == &config_route_options[CONFIG_OPTION_routes_name]
				? "made from the path"
				: "nothing");
	else
		fprintf(to, "- Default: `%s`\n", option->fallback);
}

/* The keys that are below this one. */
static void inner_reference(struct reference *reference, const struct config_option *option,
			    const char *path)
{
	const struct config_list *list = config_kind_list(option->kind);
	char below[KEY_PATH_MAX];

	if (list != NULL) {
		snprintf(below, sizeof(below), "%.*s[]", KEY_PATH_MAX - 3, path);
		table_reference(reference, list->table, below);
	} else if (reference->has_tls) {
		fputs("\nThe keys below it are those of `server.listeners[].tls`.\n",
		      reference->to);
	} else {
		reference->has_tls = true;
		table_reference(reference, config_kind_table(option->kind), path);
	}
}

static void option_reference(struct reference *reference, const struct config_option *option,
			     const char *above, bool is_in_file_only)
{
	char allowed[CONFIG_ALLOWED_MAX], name[CONFIG_NAME_MAX], path[KEY_PATH_MAX];
	FILE *to = reference->to;

	snprintf(path, sizeof(path), "%s.%s", above, option->key);
	fprintf(to, "\n### %s\n\n%s\n\n", path, option->help);
	default_reference(option, to);
	fprintf(to, "- Allowed: %s\n", config_value_allowed(option, allowed));
	if (option->reload == CONFIG_LIVE)
		fputs("- Class: live\n", to);
	else
		fprintf(to, "- Class: restart. %s\n", option->why);
	if (config_kind_is_inner(option->kind)) {
		if (!is_in_file_only)
			fputs("- Flag and variable: none, it stands in the file\n", to);
		inner_reference(reference, option, path);
		return;
	}
	if (is_in_file_only)
		return;
	if (option->kind == CONFIG_SECRET)
		fputs("- Flag and key in the file: none, it is a secret\n", to);
	else
		fprintf(to, "- Flag: `%s`\n", config_option_flag(option, name));
	fprintf(to, "- Variable: `%s`\n", config_option_variable(option, name));
}

static void table_reference(struct reference *reference, const struct config_table *table,
			    const char *path)
{
	for (size_t i = 0; i < table->option_count; i++)
		option_reference(reference, &table->options[i], path, true);
}

static void list_reference(struct reference *reference, const struct config_list *list)
{
	char path[KEY_PATH_MAX];

	snprintf(path, sizeof(path), "%s[]", list->key);
	table_reference(reference, list->table, path);
}

void config_print_reference(FILE *to)
{
	struct reference reference = {.to = to};
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
	      "`MiB`, `GiB`,\n`kB`, `MB` or `GB`. The file is read at the start and again by "
	      "SIGHUP, "
	      "`gatehouse reload` and the API. The class\ntells what a change takes then: *live* "
	      "options change under open connections, *restart* options stay as they are until\n"
	      "the next start, and say why.\n\n"
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
		option_reference(&reference, &config_options[i], section, false);
	}
	fputs("\n## routes\n\n"
	      "A list; each entry has the keys below. Without the key `routes` there is one route, "
	      "`/ws/{client_id}`,\nwith the defaults.\n",
	      to);
	list_reference(&reference, &config_lists[CONFIG_LIST_routes]);
	fputs("\n## backends\n\n"
	      "A list; each entry has the keys below. What a back end gets and may answer is in "
	      "[backend-contract.md](backend-contract.md).\n",
	      to);
	list_reference(&reference, &config_lists[CONFIG_LIST_backends]);
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

		if (!config_option_has_flag(option))
			continue;
		fprintf(to, "  %s VALUE\n", config_option_flag(option, name));
		wrapped_print(option->help, 6, to);
		fprintf(to, "      Allowed: %s. Default: %s.\n",
			config_value_allowed(option, allowed),
			option->fallback[0] == 0 ? "nothing" : option->fallback);
	}
}
