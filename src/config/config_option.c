/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_option.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FIRST(a, ...)     a
#define SECOND(a, b, ...) b

/* CONFIG_RESTART_FOR_BUS is CONFIG_RESTART, .why = "...". */
#define CONFIG_WHY_TEXT(NAME, text) static const char why_##NAME[] = text;
CONFIG_WHYS(CONFIG_WHY_TEXT)
#define CONFIG_RESTART_FOR_WORKERS CONFIG_RESTART, .why = why_WORKERS
#define CONFIG_RESTART_FOR_NODE    CONFIG_RESTART, .why = why_NODE
#define CONFIG_RESTART_FOR_BUS     CONFIG_RESTART, .why = why_BUS
#define CONFIG_RESTART_FOR_SECRET  CONFIG_RESTART, .why = why_SECRET

/* Behind the columns are the help, and in some tables the types. */
#define OPTION_AT(section_, key_, offset_, kind_, fallback_, min_, max_, unit_, reload_, ...) \
	{.section = #section_,                                                                \
	 .key = #key_,                                                                        \
	 .kind = CONFIG_##kind_,                                                              \
	 .fallback = fallback_,                                                               \
	 .min = min_,                                                                         \
	 .max = max_,                                                                         \
	 .unit = unit_,                                                                       \
	 .reload = CONFIG_##reload_,                                                          \
	 .offset = offset_,                                                                   \
	 .help = FIRST(__VA_ARGS__, 0),                                                       \
	 .types = SECOND(__VA_ARGS__, 0, 0)},
#define OPTION(section, key, ...) \
	OPTION_AT(section, key, offsetof(struct config, section.key), __VA_ARGS__)
#define CERTIFICATE_OPTION(section, key, ...) \
	OPTION_AT(section, key, offsetof(struct config_certificate, key), __VA_ARGS__)
#define TLS_OPTION(section, key, ...) \
	OPTION_AT(section, key, offsetof(struct config_tls, key), __VA_ARGS__)
#define LISTENER_OPTION(section, key, ...) \
	OPTION_AT(section, key, offsetof(struct config_listener, key), __VA_ARGS__)
#define AUTH_OPTION(section, key, ...) \
	OPTION_AT(section, key, offsetof(struct config_auth, key), __VA_ARGS__)
#define ROUTE_OPTION(section, key, ...) \
	OPTION_AT(section, key, offsetof(struct config_route, key), __VA_ARGS__)
#define BACKEND_OPTION(section, key, ...) \
	OPTION_AT(section, key, offsetof(struct config_backend, key), __VA_ARGS__)
#define SECTION_OPTIONS(section, table) table(OPTION)
#define SECTION_NAME(section, table)    #section,
#define LIST_NAME(key, ...)             #key,

const struct config_option config_options[] = {CONFIG_SECTIONS(SECTION_OPTIONS)};
const struct config_option config_certificate_options[] = {CONFIG_CERTIFICATE(CERTIFICATE_OPTION)};
const struct config_option config_tls_options[] = {CONFIG_TLS(TLS_OPTION)};
const struct config_option config_listener_options[] = {CONFIG_LISTENER(LISTENER_OPTION)};
const struct config_option config_auth_options[] = {CONFIG_AUTH(AUTH_OPTION)};
const struct config_option config_route_options[] = {CONFIG_ROUTE(ROUTE_OPTION)};
const struct config_option config_backend_options[] = {CONFIG_BACKEND(BACKEND_OPTION)};
const char *const config_top_keys[] = {CONFIG_SECTIONS(SECTION_NAME) CONFIG_LISTS(LIST_NAME) NULL};

bool config_option_has_flag(const struct config_option *option)
{
	return option->kind != CONFIG_SECRET && !config_kind_is_inner(option->kind);
}

/* The server's options are the ones people mean when they name no section. */
bool config_option_has_short_flag(const struct config_option *option)
{
	return strcmp(option->section, "server") == 0;
}

static void replace(char *text, char old, char new)
{
	for (; *text != 0; text++)
		if (*text == old)
			*text = new;
}

static char *long_flag(const struct config_option *option, char out[CONFIG_NAME_MAX])
{
	snprintf(out, CONFIG_NAME_MAX, "--%s-%s", option->section, option->key);
	replace(out, '_', '-');
	return out;
}

char *config_option_flag(const struct config_option *option, char out[CONFIG_NAME_MAX])
{
	if (!config_option_has_short_flag(option))
		return long_flag(option, out);
	snprintf(out, CONFIG_NAME_MAX, "--%s", option->key);
	replace(out, '_', '-');
	return out;
}

char *config_option_variable(const struct config_option *option, char out[CONFIG_NAME_MAX])
{
	snprintf(out, CONFIG_NAME_MAX, "GATEHOUSE_%s_%s", option->section, option->key);
	for (char *c = out; *c != 0; c++)
		*c = (char)toupper((unsigned char)*c);
	return out;
}

char *config_origin_name(const struct config_option *option, const struct config_origin *origin,
			 char out[CONFIG_NAME_MAX])
{
	static const char prefix[] = "GATEHOUSE_";
	size_t section = sizeof(prefix) - 1, key = section + strlen(option->section) + 1;

	if (origin->kind == CONFIG_FROM_FLAG)
		return origin->is_other_form ? long_flag(option, out)
					     : config_option_flag(option, out);
	config_option_variable(option, out);
	if (origin->is_other_form)
		memmove(out + section, out + key, strlen(out + key) + 1);
	return out;
}

/* The arguments of a process are everybody's to read: a secret has no flag. */
const struct config_option *config_option_by_flag(struct slice name)
{
	char plain[CONFIG_NAME_MAX];
	char known[CONFIG_NAME_MAX];

	if (name.len >= sizeof(plain))
		return NULL;
	snprintf(plain, sizeof(plain), "%.*s", SLICE_ARG(name));
	replace(plain, '_', '-');
	replace(plain, '.', '-');
	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
		if (config_option_has_flag(&config_options[i]) &&
		    (strcmp(plain, long_flag(&config_options[i], known)) == 0 ||
		     strcmp(plain, config_option_flag(&config_options[i], known)) == 0))
			return &config_options[i];
	return NULL;
}

bool config_has_flag(struct slice name)
{
	return config_option_by_flag(name) != NULL;
}

void config_offer_flags(struct suggest *suggest)
{
	char known[CONFIG_NAME_MAX];

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		if (!config_option_has_flag(&config_options[i]))
			continue;
		suggest_offer(suggest, config_option_flag(&config_options[i], known));
		suggest_offer(suggest, long_flag(&config_options[i], known));
	}
}

const struct config_option *config_option_by_variable(struct slice name)
{
	char known[CONFIG_NAME_MAX];

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
		if (slice_equals(name, slice_from_text(
					       config_option_variable(&config_options[i], known))))
			return &config_options[i];
	return NULL;
}

const char *config_origin_format(const struct config *config, enum config_option_number option,
				 char out[CONFIG_PLACE_MAX])
{
	const struct config_origin *origin = &config->origins[option];
	char name[CONFIG_NAME_MAX];

	if (origin->kind == CONFIG_FROM_FILE)
		snprintf(out, CONFIG_PLACE_MAX, "%s:%u:%u: ", config->file, origin->line,
			 origin->column);
	else if (origin->kind == CONFIG_FROM_ENVIRONMENT || origin->kind == CONFIG_FROM_FLAG)
		snprintf(out, CONFIG_PLACE_MAX,
			 "%s: ", config_origin_name(&config_options[option], origin, name));
	else
		snprintf(out, CONFIG_PLACE_MAX, "default: ");
	return out;
}

bool config_is_only_from_flags(const struct config *config, enum config_option_number option)
{
	enum config_origin_kind kind = config->origins[option].kind;

	return kind == CONFIG_FROM_DEFAULT || kind == CONFIG_FROM_FLAG;
}
