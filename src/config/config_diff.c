/* SPDX-License-Identifier: Apache-2.0
 * config_diff.c - walks two configurations by their tables, side by side, and notes where they
 * differ. Values are compared as texts: what is written in the same way is the same. */
#include "config/config_diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define NAME_MAX_BYTES (CONFIG_ENTRY_PATH_MAX + 128)

struct walk {
	struct config_diff *diff;
	size_t room;
	enum config_reload reload; /* of an entry: that of its list */
	bool is_out_of_memory;
};

/* --- values --- */

static bool is_there(const struct config_option *option, const void *base)
{
	const char *field = (const char *)base + option->offset;

	return !config_kind_is_text(option->kind) || *(char *const *)(const void *)field != NULL;
}

/* A query may have a secret. */
static void url_hide(char *text)
{
	const char *hidden = text[0] == '"' ? "?...\"" : "?...";
	char *query = strchr(text, '?');

	if (query != NULL && strlen(query) > strlen(hidden))
		memcpy(query, hidden, strlen(hidden) + 1);
}

char *config_value_text(const struct config_option *option, const void *base)
{
	const struct config_text *secret = (const void *)((const char *)base + option->offset);
	char *text = NULL;
	size_t size;

	if (!is_there(option, base))
		return strdup("not set");
	if (option->kind == CONFIG_SECRET)
		return strdup(secret->text[0] == 0 ? "not set" : "set");
	FILE *to = open_memstream(&text, &size);

	if (to == NULL)
		return NULL;
	config_value_print(option, base, to);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static bool is_same_secret(const struct config_option *option, const void *before,
			   const void *after)
{
	const struct config_text *a = (const void *)((const char *)before + option->offset);
	const struct config_text *b = (const void *)((const char *)after + option->offset);

	return strcmp(a->text, b->text) == 0;
}

/* --- notes --- */

/* Takes over the texts, which may be NULL. */
static void note(struct walk *walk, struct config_change change, const char *name)
{
	struct config_diff *diff = walk->diff;

	if (diff->count == walk->room) {
		size_t room = walk->room == 0 ? 16 : 2 * walk->room;
		void *items = realloc(diff->items, room * sizeof(*diff->items));

		if (items != NULL) {
			diff->items = items;
			walk->room = room;
		}
	}
	change.name = strdup(name);
	if (change.name == NULL || diff->count == walk->room) {
		walk->is_out_of_memory = true;
		free(change.name);
		free(change.before);
		free(change.after);
		return;
	}
	diff->items[diff->count++] = change;
}

static void note_entry(struct walk *walk, enum config_change_kind kind, const char *name)
{
	note(walk, (struct config_change){.kind = kind, .reload = walk->reload}, name);
}

/* --- the walk --- */

static void value_compare(struct walk *walk, const struct config_option *option, const char *name,
			  const void *before, const void *after)
{
	struct config_change change = {
		.kind = CONFIG_CHANGED,
		.reload = option->reload,
		.option = option,
		.before = before == NULL ? strdup("not set") : config_value_text(option, before),
		.after = after == NULL ? strdup("not set") : config_value_text(option, after),
	};
	bool is_same = change.before != NULL && change.after != NULL &&
		       strcmp(change.before, change.after) == 0;

	if (is_same && option->kind == CONFIG_SECRET && before != NULL && after != NULL)
		is_same = is_same_secret(option, before, after);
	walk->is_out_of_memory |= change.before == NULL || change.after == NULL;
	walk->diff->same += is_same;
	if (!is_same && option->kind == CONFIG_URL && change.before != NULL &&
	    change.after != NULL) {
		url_hide(change.before);
		url_hide(change.after);
	}
	if (!is_same) {
		note(walk, change, name);
		return;
	}
	free(change.before);
	free(change.after);
}

static void entry_compare(struct walk *walk, const struct config_table *table, const char *path,
			  const void *before, const void *after);

static bool has_any(const struct config_option *option, const void *mapping)
{
	CHECK(option->kind == CONFIG_TLS_KEYS); /* the only one */
	return config_has_tls(mapping);
}

static void mapping_compare(struct walk *walk, const struct config_option *option, const char *name,
			    const void *before, const void *after)
{
	bool was = has_any(option, before), is = has_any(option, after);

	if (was && is)
		entry_compare(walk, config_kind_table(option->kind), name, before, after);
	else if (was != is)
		note(walk,
		     (struct config_change){.kind = is ? CONFIG_ADDED : CONFIG_REMOVED,
					    .reload = option->reload,
					    .option = option},
		     name);
	else
		walk->diff->same++;
}

bool config_table_has_identity(const struct config_table *table)
{
	return table == &config_route_table || table == &config_backend_table ||
	       table == &config_listener_table;
}

void config_entry_path(const char *list, const struct config_table *table, const void *entry,
		       size_t index, char out[CONFIG_ENTRY_PATH_MAX])
{
	char place[CONFIG_PLACE_TEXT_MAX];

	if (table == &config_route_table)
		snprintf(out, CONFIG_ENTRY_PATH_MAX, "%s[%s]", list,
			 ((const struct config_route *)entry)->name);
	else if (table == &config_backend_table)
		snprintf(out, CONFIG_ENTRY_PATH_MAX, "%s[%s]", list,
			 ((const struct config_backend *)entry)->name);
	else if (table == &config_listener_table)
		snprintf(out, CONFIG_ENTRY_PATH_MAX, "%s[%s]", list,
			 config_place_format(&((const struct config_listener *)entry)->address,
					     place));
	else
		snprintf(out, CONFIG_ENTRY_PATH_MAX, "%s[%zu]", list, index);
}

/* NULL: there is none like it. */
static const void *counterpart(const struct config_list *list, const void *base, const void *entry,
			       size_t index)
{
	size_t count = config_list_count(list, base);
	char wanted[CONFIG_ENTRY_PATH_MAX], found[CONFIG_ENTRY_PATH_MAX];

	if (!config_table_has_identity(list->table))
		return index < count ? config_list_entry(list, base, index) : NULL;
	config_entry_path("", list->table, entry, 0, wanted);
	for (size_t i = 0; i < count; i++) {
		const void *other = config_list_entry(list, base, i);

		config_entry_path("", list->table, other, 0, found);
		if (strcmp(wanted, found) == 0)
			return other;
	}
	return NULL;
}

static void list_compare(struct walk *walk, const struct config_list *list, const char *path,
			 const void *before, const void *after)
{
	char name[CONFIG_ENTRY_PATH_MAX];

	for (size_t i = 0; i < config_list_count(list, after); i++) {
		const void *entry = config_list_entry(list, after, i);
		const void *old = counterpart(list, before, entry, i);

		config_entry_path(path, list->table, entry, i, name);
		if (old != NULL)
			entry_compare(walk, list->table, name, old, entry);
		else
			note_entry(walk, CONFIG_ADDED, name);
	}
	for (size_t i = 0; i < config_list_count(list, before); i++) {
		const void *entry = config_list_entry(list, before, i);

		config_entry_path(path, list->table, entry, i, name);
		if (counterpart(list, after, entry, i) == NULL)
			note_entry(walk, CONFIG_REMOVED, name);
	}
}

static void option_compare(struct walk *walk, const struct config_option *option, const char *name,
			   const void *before, const void *after)
{
	const struct config_list *list = config_kind_list(option->kind);
	enum config_reload outer = walk->reload;

	if (list != NULL) {
		walk->reload = option->reload;
		list_compare(walk, list, name, (const char *)before + option->offset,
			     (const char *)after + option->offset);
		walk->reload = outer;
	} else if (config_kind_table(option->kind) != NULL) {
		mapping_compare(walk, option, name, (const char *)before + option->offset,
				(const char *)after + option->offset);
	} else {
		value_compare(walk, option, name, before, after);
	}
}

static void entry_compare(struct walk *walk, const struct config_table *table, const char *path,
			  const void *before, const void *after)
{
	char name[NAME_MAX_BYTES];

	for (size_t i = 0; i < table->option_count; i++) {
		bool was = config_table_has(table, before, i),
		     is = config_table_has(table, after, i);

		snprintf(name, sizeof(name), "%s.%s", path, table->options[i].key);
		if (was && is)
			option_compare(walk, &table->options[i], name, before, after);
		else if (was != is && !config_kind_is_inner(table->options[i].kind))
			value_compare(walk, &table->options[i], name, was ? before : NULL,
				      is ? after : NULL);
	}
}

/* server.listen is the short form of one listener, and means nothing where there are others. */
static bool is_passed_over(enum config_option_number option, const struct config *before,
			   const struct config *after)
{
	bool has_listeners = before->server.listeners.count > 0 ||
			     after->server.listeners.count > 0;

	return has_listeners &&
	       (option == CONFIG_OPTION_server_listen || option == CONFIG_OPTION_server_listeners);
}

/* Of either form. */
static void listeners_compare(struct walk *walk, const struct config *before,
			      const struct config *after)
{
	struct config_listeners was = {0}, is = {0};

	was.items = (struct config_listener *)(uintptr_t)config_listeners(before, &was.count);
	is.items = (struct config_listener *)(uintptr_t)config_listeners(after, &is.count);
	walk->reload = config_options[CONFIG_OPTION_server_listeners].reload;
	list_compare(walk, config_kind_list(CONFIG_LISTENERS), "server.listeners", &was, &is);
}

int config_diff_make(const struct config *before, const struct config *after,
		     struct config_diff *out_diff)
{
	struct config_diff diff = {0};
	struct walk walk = {.diff = &diff};
	char name[CONFIG_NAME_MAX];

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		const struct config_option *option = &config_options[i];

		snprintf(name, sizeof(name), "%s.%s", option->section, option->key);
		if (!is_passed_over(i, before, after))
			option_compare(&walk, option, name, before, after);
		else if (i == CONFIG_OPTION_server_listeners)
			listeners_compare(&walk, before, after);
	}
	walk.reload = CONFIG_LIVE;
	for (size_t i = 0; i < CONFIG_LIST_COUNT; i++)
		list_compare(&walk, &config_lists[i], config_lists[i].key, before, after);
	if (walk.is_out_of_memory) {
		config_diff_finish(&diff);
		return -ENOMEM;
	}
	*out_diff = diff;
	return 0;
}

void config_diff_finish(struct config_diff *diff)
{
	for (size_t i = 0; i < diff->count; i++) {
		free(diff->items[i].name);
		free(diff->items[i].before);
		free(diff->items[i].after);
	}
	free(diff->items);
	*diff = (struct config_diff){0};
}

size_t config_diff_count(const struct config_diff *diff, enum config_reload reload)
{
	size_t count = 0;

	for (size_t i = 0; i < diff->count; i++)
		count += diff->items[i].reload == reload;
	return count;
}

/* --- what stays --- */

int config_keep_restart(struct config *next, const struct config *now)
{
	bool is_good = true;

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		const struct config_option *option = &config_options[i];

		if (option->reload != CONFIG_RESTART)
			continue;
		config_values_finish(option, 1, next);
		is_good &= config_value_copy(option, (const char *)now + option->offset,
					     (char *)next + option->offset);
		next->origins[i] = now->origins[i];
	}
	config_listener_from_listen(next);
	return is_good ? 0 : -ENOMEM;
}
