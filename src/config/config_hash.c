/* SPDX-License-Identifier: Apache-2.0
 * config_hash.c - one number for all that a configuration says of clients, so that nodes that
 * differ are seen (config_diff.h).
 *
 * It is the beginning of a SHA-256 over lines "name=value", in the order of the tables; routes and
 * back ends in that of their names. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config/config_diff.h"

/* In what the nodes of one fleet may differ, though their clients are treated alike: their names,
 * where they listen and are shown, and what they take of their machines. Of a listener it is all
 * but what its TLS asks of clients. */
static const enum config_option_number of_the_node[] = {
	CONFIG_OPTION_server_node,
	CONFIG_OPTION_server_listen,
	CONFIG_OPTION_server_max_connections,
	CONFIG_OPTION_server_payload_memory,
	CONFIG_OPTION_server_workers,
	CONFIG_OPTION_server_engine,
	CONFIG_OPTION_admin_listen,
	CONFIG_OPTION_admin_console_url,
};

static bool is_of_the_node(size_t option)
{
	for (size_t i = 0; i < ARRAY_LEN(of_the_node); i++)
		if (of_the_node[i] == option)
			return true;
	return false;
}

/* Certificates of a node may be its own. */
static bool is_of_the_listener(const struct config_table *table, const struct config_option *option)
{
	return (table == &config_listener_table && option->kind != CONFIG_TLS_KEYS) ||
	       table == &config_certificate_table;
}

struct writer {
	FILE *to;
	bool is_out_of_memory;
};

static void entry_write(struct writer *writer, const struct config_table *table, const void *entry);

static int by_text(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

/* NULL: memory is out. */
static char *entry_text(const struct config_table *table, const void *entry)
{
	char *text = NULL;
	size_t size;
	struct writer writer = {.to = open_memstream(&text, &size)};

	if (writer.to == NULL)
		return NULL;
	entry_write(&writer, table, entry);
	if (fclose(writer.to) == 0 && !writer.is_out_of_memory)
		return text;
	free(text);
	return NULL;
}

/* Entries that are equal count once: how many listeners a node has is its own affair. */
static void list_write(struct writer *writer, const struct config_list *list, const void *base)
{
	size_t count = config_list_count(list, base);
	char **texts = calloc(count + 1, sizeof(*texts));

	for (size_t i = 0; texts != NULL && i < count; i++) {
		texts[i] = entry_text(list->table, config_list_entry(list, base, i));
		writer->is_out_of_memory |= texts[i] == NULL;
	}
	writer->is_out_of_memory |= texts == NULL;
	if (!writer->is_out_of_memory && config_table_has_identity(list->table))
		qsort(texts, count, sizeof(*texts), by_text);
	for (size_t i = 0; !writer->is_out_of_memory && i < count; i++)
		if (i == 0 || strcmp(texts[i - 1], texts[i]) != 0)
			fprintf(writer->to, "{\n%s}\n", texts[i]);
	for (size_t i = 0; texts != NULL && i < count; i++)
		free(texts[i]);
	free(texts);
}

static void option_write(struct writer *writer, const struct config_option *option,
			 const void *base)
{
	const struct config_list *list = config_kind_list(option->kind);
	const struct config_table *table = config_kind_table(option->kind);
	const void *field = (const char *)base + option->offset;

	fprintf(writer->to, "%s.%s=", option->section, option->key);
	if (list != NULL) {
		list_write(writer, list, field);
	} else if (table != NULL) {
		if (config_has_tls(field))
			entry_write(writer, table, field);
	} else {
		char *text = config_value_text(option, base);

		writer->is_out_of_memory |= text == NULL;
		fprintf(writer->to, "%s", text == NULL ? "" : text);
		free(text);
	}
	fputc('\n', writer->to);
}

static void entry_write(struct writer *writer, const struct config_table *table, const void *entry)
{
	for (size_t i = 0; i < table->option_count; i++)
		if (config_table_has(table, entry, i) &&
		    !is_of_the_listener(table, &table->options[i]))
			option_write(writer, &table->options[i], entry);
}

static void config_write(struct writer *writer, const struct config *config)
{
	struct config_listeners listeners = {0};

	listeners.items = (struct config_listener *)(uintptr_t)config_listeners(config,
										&listeners.count);
	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
		if (!is_of_the_node(i) && i != CONFIG_OPTION_server_listeners)
			option_write(writer, &config_options[i], config);
	list_write(writer, config_kind_list(CONFIG_LISTENERS), &listeners);
	for (size_t i = 0; i < CONFIG_LIST_COUNT; i++)
		list_write(writer, &config_lists[i], config);
}

bool config_hash(const struct config *config, char out_hash[CONFIG_HASH_TEXT])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char *text = NULL;
	size_t size;
	unsigned digest_size = 0;
	struct writer writer = {.to = open_memstream(&text, &size)};

	if (writer.to == NULL)
		return false;
	config_write(&writer, config);
	bool is_good = fclose(writer.to) == 0 && !writer.is_out_of_memory &&
		       EVP_Digest(text, size, digest, &digest_size, EVP_sha256(), NULL) == 1;

	free(text);
	for (size_t i = 0; is_good && i < (CONFIG_HASH_TEXT - 1) / 2; i++)
		snprintf(out_hash + 2 * i, 3, "%02x", digest[i]);
	return is_good;
}
