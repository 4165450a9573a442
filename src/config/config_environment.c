/* SPDX-License-Identifier: Apache-2.0
 * config_environment.c - options from variables, and what is said of a variable that is none.
 *
 * A name that can only be meant for us is a mistake, with the right name. Any other is passed
 * over with a warning: other programs may use our prefix too. Those that Kubernetes sets are
 * passed over without a word. */
#include <string.h>

#include "base/suggest.h"
#include "config/config_option.h"

#define VARIABLE_PREFIX "GATEHOUSE_"

static bool slice_ends(struct slice text, struct slice end)
{
	return text.len >= end.len &&
	       slice_equals(slice_of(text.data + text.len - end.len, end.len), end);
}

/* The byte behind `part`, or 0 if it is not in the text or at its end. */
static char byte_behind(struct slice text, struct slice part)
{
	const uint8_t *at = memmem(text.data, text.len, part.data, part.len);
	const uint8_t *behind = at == NULL ? NULL : at + part.len;

	return behind == NULL || behind == text.data + text.len ? 0 : (char)*behind;
}

/* A service called "gatehouse-server" makes Kubernetes set GATEHOUSE_SERVER_PORT to a
 * URL, GATEHOUSE_SERVER_PORT_80_TCP and others in every pod; they are not for us. */
static bool is_from_kubernetes(struct slice name, const char *value)
{
	char digit = byte_behind(name, SLICE_LITERAL("_PORT_"));

	return slice_ends(name, SLICE_LITERAL("_SERVICE_HOST")) ||
	       slice_ends(name, SLICE_LITERAL("_SERVICE_PORT")) ||
	       byte_behind(name, SLICE_LITERAL("_SERVICE_PORT")) == '_' ||
	       (slice_ends(name, SLICE_LITERAL("_PORT")) && strstr(value, "://") != NULL) ||
	       (digit >= '0' && digit <= '9');
}

static bool names_section(const char *rest)
{
	for (size_t i = 0; config_top_keys[i] != NULL; i++) {
		size_t len = strlen(config_top_keys[i]);

		if (strncasecmp(rest, config_top_keys[i], len) == 0 && rest[len] == '_')
			return true;
	}
	return false;
}

/* The option that a key without its section means: those of the server, as with flags, come
 * first. */
static const struct config_option *option_by_key(const char *key)
{
	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
		if (strcmp(config_options[i].key, key) == 0)
			return &config_options[i];
	return NULL;
}

/* What an unknown variable may mean. */
struct guess {
	struct suggest whole; /* of the names behind the prefix */
	struct suggest key;   /* of the keys alone: GATEHOUSE_LISTEN, as in --listen */
};

static struct guess guess_make(struct slice rest)
{
	struct guess guess = {.whole = {.seen = rest}, .key = {.seen = rest}};
	char known[CONFIG_NAME_MAX];

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		if (config_kind_is_inner(config_options[i].kind))
			continue;
		config_option_variable(&config_options[i], known);
		suggest_offer(&guess.whole, known + strlen(VARIABLE_PREFIX));
		suggest_offer(&guess.key, config_options[i].key);
	}
	return guess;
}

static void unknown_variable_report(struct config *config, struct slice name, const char *value,
				    struct config_report *report)
{
	const size_t prefix_len = strlen(VARIABLE_PREFIX);
	struct guess guess = guess_make(slice_of(name.data + prefix_len, name.len - prefix_len));
	const struct config_option *of_key = option_by_key(guess.key.best);
	char seen[CONFIG_QUOTE_MAX], known[CONFIG_NAME_MAX];

	if (is_from_kubernetes(name, value))
		return;
	config_quote(name, seen);
	if (guess.whole.best[0] != 0)
		config_report_add(report, "%s: there is no such option; did you mean %s%s?", seen,
				  VARIABLE_PREFIX, guess.whole.best);
	else if (names_section((const char *)guess.whole.seen.data))
		config_report_add(report, "%s: there is no such option", seen);
	else
		config_report_add(&config->warnings,
				  "%s: is no option of this program and is passed over%s%s%s", seen,
				  of_key != NULL ? "; did you mean " : "",
				  of_key != NULL ? config_option_variable(of_key, known) : "",
				  of_key != NULL ? "?" : "");
}

/* GATEHOUSE_LISTEN, as in --listen; or NULL. */
static const struct config_option *option_by_short_variable(struct slice name)
{
	const size_t prefix_len = strlen(VARIABLE_PREFIX);
	struct slice rest = slice_of(name.data + prefix_len, name.len - prefix_len);
	char known[CONFIG_NAME_MAX];

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
		const struct config_option *option = &config_options[i];
		size_t section_len = strlen(option->section) + 1;

		config_option_variable(option, known);
		if (config_option_has_short_flag(option) &&
		    slice_equals(rest, slice_from_text(known + prefix_len + section_len)))
			return option;
	}
	return NULL;
}

static bool is_set(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; *environment != NULL; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return true;
	return false;
}

/* It is taken, unless the full name is there too; but it may be another program's. */
static void short_variable_apply(struct config *config, const struct config_option *option,
				 struct slice name, char *const *environment,
				 struct config_report *report)
{
	const char *value = (const char *)name.data + name.len + 1;
	char full[CONFIG_NAME_MAX];
	bool has_full = is_set(environment, config_option_variable(option, full));

	config_report_add(&config->warnings, "%.*s: is %s %s%s", SLICE_ARG(name),
			  has_full ? "passed over:" : "taken for", full,
			  has_full ? " is set too" : ", its full name; write that");
	if (!has_full)
		config_text_apply(config, option,
				  (struct config_origin){.kind = CONFIG_FROM_ENVIRONMENT,
							 .is_other_form = true},
				  name, value, report);
}

static void variable_apply(struct config *config, struct slice name, char *const *environment,
			   struct config_report *report)
{
	const char *value = (const char *)name.data + name.len + 1;
	const struct config_option *option = config_option_by_variable(name);
	const struct config_option *by_key = option_by_short_variable(name);

	if (option != NULL)
		config_text_apply(config, option,
				  (struct config_origin){.kind = CONFIG_FROM_ENVIRONMENT}, name,
				  value, report);
	else if (by_key != NULL)
		short_variable_apply(config, by_key, name, environment, report);
	else
		unknown_variable_report(config, name, value, report);
}

void config_environment_apply(struct config *config, char *const *environment,
			      struct config_report *report)
{
	for (char *const *entry = environment; *entry != NULL; entry++) {
		const char *equals = strchr(*entry, '=');

		if (equals != NULL &&
		    strncmp(*entry, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) == 0)
			variable_apply(config, slice_of(*entry, (size_t)(equals - *entry)),
				       environment, report);
	}
}
