/* SPDX-License-Identifier: Apache-2.0
 * config_value.c - values of every kind, from text and back. */
#include "config/config_option.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/suggest.h"
#include "base/units.h"

static char *count_format(uint64_t count, char *out, size_t size)
{
	snprintf(out, size, "%" PRIu64, count);
	return out;
}

/* How a number is read and written. */
static const struct kind {
	const char *noun; /* as units_explain wants it */
	enum units_result (*parse)(struct slice text, uint64_t *out_value);
	char *(*format)(uint64_t value, char *out, size_t size);
	const char *zero; /* how a 0 outside the range is written; NULL = not at all */
} kinds[CONFIG_KIND_COUNT] = {
	[CONFIG_COUNT] = {"count", units_parse_count, count_format, NULL},
	[CONFIG_AUTO_COUNT] = {"count", units_parse_count, count_format, "auto"},
	[CONFIG_DURATION] = {"duration", units_parse_duration_ms, units_format_duration_ms, NULL},
	[CONFIG_OFF_DURATION] = {"duration", units_parse_duration_ms, units_format_duration_ms,
				 "0"},
	[CONFIG_SIZE] = {"size", units_parse_size, units_format_size, NULL},
	[CONFIG_AUTO_SIZE] = {"size", units_parse_size, units_format_size, "auto"},
	[CONFIG_OFF_SIZE] = {"size", units_parse_size, units_format_size, "0"},
	[CONFIG_RATIO] = {"ratio", units_parse_ratio, units_format_ratio, NULL},
};

/* "1..16000000 connections", "100ms..10m" */
static void range_print(const struct config_option *option, char *out, size_t size)
{
	const struct kind *kind = &kinds[option->kind];
	bool has_unit = kind->parse == units_parse_count;
	char min[32], max[32];

	kind->format(option->min, min, sizeof(min));
	kind->format(option->max, max, sizeof(max));
	snprintf(out, size, "%s..%s%s%s", option->min == 0 ? "0" : min, max, has_unit ? " " : "",
		 has_unit ? option->unit : "");
}

/* What may stand there if it is no number. False: it is one. */
static bool text_allowed(const struct config_option *option, char *out, size_t size)
{
	const char *const *words = config_kind_words(option->kind);

	switch (option->kind) {
	case CONFIG_ADDRESS:
		snprintf(out, size, "ADDRESS:PORT or [ADDRESS]:PORT");
		return true;
	case CONFIG_PLACE:
		snprintf(out, size, "ADDRESS:PORT, [ADDRESS]:PORT or unix:/PATH");
		return true;
	case CONFIG_MODE:
		snprintf(out, size, "octal digits, 0000..0%03" PRIo64, option->max);
		return true;
	case CONFIG_OWNER:
		snprintf(out, size, "USER, USER:GROUP, :GROUP or nothing");
		return true;
	case CONFIG_PATH:
		snprintf(out, size, "a path of at most %" PRIu64 " bytes", option->max);
		return true;
	case CONFIG_NAME:
		snprintf(out, size, "at most %" PRIu64 " letters, digits, '_' and '-'",
			 option->max);
		return true;
	case CONFIG_URL:
		snprintf(out, size,
			 "http://HOST[:PORT]/PATH or https://..., at most %" PRIu64 " bytes",
			 option->max);
		return true;
	case CONFIG_FILE:
		snprintf(out, size, "a path of at most %" PRIu64 " bytes, without '\"' and '\\'%s",
			 option->max, option->min == 0 ? ", or nothing" : "");
		return true;
	case CONFIG_TEXT:
		snprintf(out, size, "at most %" PRIu64 " bytes, without '\"' and '\\'",
			 option->max);
		return true;
	case CONFIG_SECRET:
		snprintf(out, size, "at most %" PRIu64 " visible ASCII characters, or nothing",
			 option->max);
		return true;
	case CONFIG_WORD:
		snprintf(out, size, "at most %" PRIu64 " letters, digits and any of '_.-@+'",
			 option->max);
		return true;
	case CONFIG_WEB_ORIGINS:
		snprintf(out, size,
			 "any, same, auto or a list of at most %" PRIu64
			 " origins such as [https://example.com]",
			 option->max);
		return true;
	case CONFIG_TLS_KEYS:
		snprintf(out, size, "a mapping");
		return true;
	case CONFIG_TOKENS:
	case CONFIG_PREFIXES:
	case CONFIG_URLS:
	case CONFIG_CERTIFICATES:
	case CONFIG_LISTENERS:
	case CONFIG_AUTHS:
		snprintf(out, size, "a list of at most %" PRIu64 " %s", option->max, option->unit);
		return true;
	default:
		break;
	}
	if (words == NULL)
		return false;
	size_t used = config_kind_is_set(option->kind)
			      ? (size_t)snprintf(out, size, "a list of any of ")
			      : 0;

	config_words_print(words, out + used, size - used);
	return true;
}

char *config_value_allowed(const struct config_option *option, char out[CONFIG_ALLOWED_MAX])
{
	const char *zero = kinds[option->kind].zero;

	if (text_allowed(option, out, CONFIG_ALLOWED_MAX))
		return out;
	range_print(option, out, CONFIG_ALLOWED_MAX);
	size_t used = strlen(out);

	if (zero != NULL)
		snprintf(out + used, CONFIG_ALLOWED_MAX - used, " or %s", zero);
	return out;
}

static bool number_parse(const struct config_option *option, struct slice text, uint64_t *out_value,
			 struct config_problem *out_problem)
{
	const struct kind *kind = &kinds[option->kind];
	char seen[CONFIG_QUOTE_MAX], allowed[CONFIG_ALLOWED_MAX];
	uint64_t value;

	if (kind->zero != NULL && slice_equals(text, slice_from_text(kind->zero))) {
		*out_value = 0;
		return true;
	}
	enum units_result r = kind->parse(text, &value);

	if (r != UNITS_OK) {
		config_problem_set(out_problem, "%s %s; allowed: %s", config_quote(text, seen),
				   units_explain(r, kind->noun),
				   config_value_allowed(option, allowed));
		return false;
	}
	bool is_off = option->kind == CONFIG_OFF_DURATION && value == 0; /* also as "0s" */

	if (is_off || (value >= option->min && value <= option->max)) {
		*out_value = value;
		return true;
	}
	range_print(option, allowed, sizeof(allowed));
	config_problem_set(out_problem, "%s is not in %s; write a %s in that range%s%s%s",
			   config_quote(text, seen), allowed,
			   strcmp(kind->noun, "count") == 0 ? "number" : kind->noun,
			   kind->zero == NULL ? "" : " or \"", kind->zero == NULL ? "" : kind->zero,
			   kind->zero == NULL ? "" : "\"");
	return false;
}

/* Whoever writes one origin means a list of it. */
static bool origins_word_parse(struct slice text, struct config_web_origins *out_value,
			       struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX];
	struct config_problem problem;
	unsigned int mode;

	if (config_word_parse(config_kind_words(CONFIG_WEB_ORIGINS), text, &mode, &problem)) {
		out_value->mode = (enum config_origins_mode)mode;
		return true;
	}
	if (memmem(text.data, text.len, "://", 3) != NULL)
		config_problem_set(out_problem, "%s is one origin; write a list: [%.*s]",
				   config_quote(text, seen), SLICE_ARG(text));
	else
		config_problem_set(out_problem, "%s; or a list such as [https://example.com]",
				   problem.text);
	return false;
}

static bool address_parse(struct slice text, struct net_addr *out_value,
			  struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX];
	const char *wrong = net_addr_parse(text, out_value);

	if (wrong != NULL)
		config_problem_set(out_problem, "%s %s", config_quote(text, seen), wrong);
	return wrong == NULL;
}

/* As chmod has it: octal digits. */
static bool mode_parse(const struct config_option *option, struct slice text, uint64_t *out_mode,
		       struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX], allowed[CONFIG_ALLOWED_MAX];
	uint64_t mode = 0;
	bool is_good = text.len > 0 && text.len <= 4;

	for (size_t i = 0; i < text.len && is_good; i++) {
		is_good = text.data[i] >= '0' && text.data[i] <= '7';
		mode = mode * 8 + (uint64_t)(text.data[i] - '0');
	}
	if (is_good && mode <= option->max) {
		*out_mode = mode;
		return true;
	}
	config_problem_set(out_problem, "%s is no mode of a file; write %s, such as 0660",
			   config_quote(text, seen), config_value_allowed(option, allowed));
	return false;
}

const char *config_option_example(const struct config_option *option)
{
	switch (option->kind) {
	case CONFIG_PATH:
		return "/ws/{client_id}";
	case CONFIG_URL:
		return "http://127.0.0.1:9000/events";
	case CONFIG_NAME:
		return "orders";
	case CONFIG_PREFIXES:
		return "10.0.0.0/8";
	case CONFIG_URLS:
		return "nats://10.0.0.1:4222";
	case CONFIG_FILE:
		return "/etc/gatehouse/file";
	case CONFIG_PLACE:
		return "0.0.0.0:8443";
	case CONFIG_CERTIFICATES:
		return "[{cert_file: ..., key_file: ...}]";
	default:
		return config_kind_words(option->kind) == NULL ? ""
							       : config_kind_words(option->kind)[0];
	}
}

static const char *text_problem(enum config_kind kind, struct slice text)
{
	switch (kind) {
	case CONFIG_PATH:
		return config_path_problem(text);
	case CONFIG_URL:
		return config_url_problem(text);
	default:
		return config_is_name(text) ? NULL
					    : "is no name; write letters, digits, '_' and '-'";
	}
}

static bool text_parse(const struct config_option *option, struct slice text, char **out_value,
		       struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX];
	const char *wrong = text_problem(option->kind, text);

	if (wrong != NULL) {
		config_problem_set(out_problem, "%s %s", config_quote(text, seen), wrong);
		return false;
	}
	if (text.len > option->max) {
		config_problem_set(out_problem, "%s has %zu bytes; write at most %" PRIu64,
				   config_quote(text, seen), text.len, option->max);
		return false;
	}
	char *copy = slice_to_text(text);

	if (copy == NULL) {
		config_problem_set(out_problem, "cannot be kept: out of memory");
		return false;
	}
	free(*out_value); /* the default */
	*out_value = copy;
	return true;
}

static bool is_good_byte(enum config_kind kind, uint8_t byte)
{
	if (kind == CONFIG_SECRET)
		return byte > ' ' && byte <= '~';
	if (kind == CONFIG_WORD || kind == CONFIG_OWNER)
		return isalnum(byte) || (byte != 0 && strchr("_.-@+", byte) != NULL) ||
		       (byte == ':' && kind == CONFIG_OWNER);
	return byte >= ' ' && byte != 0x7f && byte != '"' && byte != '\\';
}

/* A secret is not repeated in what is said about it. */
static bool string_parse(const struct config_option *option, struct slice text,
			 struct config_text *out_value, struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX], allowed[CONFIG_ALLOWED_MAX];
	bool is_good = text.len >= option->min && text.len <= option->max;

	for (size_t i = 0; i < text.len && is_good; i++)
		is_good = is_good_byte(option->kind, text.data[i]);
	if (!is_good) {
		config_problem_set(out_problem, "%s is not allowed; write %s",
				   option->kind == CONFIG_SECRET ? "what is given"
								 : config_quote(text, seen),
				   config_value_allowed(option, allowed));
		return false;
	}
	*out_value = (struct config_text){0};
	if (text.len > 0)
		memcpy(out_value->text, text.data, text.len);
	return true;
}

bool config_value_parse(const struct config_option *option, struct slice text, void *out_value,
			struct config_problem *out_problem)
{
	CHECK(option->kind != CONFIG_TOKENS);
	if (config_kind_is_inner(option->kind)) {
		config_problem_set(out_problem,
				   "is %s, which only a file can hold; write %s.%s there and name "
				   "the file with -c",
				   option->kind == CONFIG_TLS_KEYS ? "a mapping"
								   : "a list of mappings",
				   option->section, option->key);
		return false;
	}
	if (option->kind == CONFIG_ADDRESS)
		return address_parse(text, out_value, out_problem);
	if (option->kind == CONFIG_PLACE)
		return config_place_parse(text, out_value, out_problem);
	if (option->kind == CONFIG_MODE)
		return mode_parse(option, text, out_value, out_problem);
	if (config_kind_is_text(option->kind))
		return text_parse(option, text, out_value, out_problem);
	if (config_kind_is_string(option->kind))
		return string_parse(option, text, out_value, out_problem);
	if (config_kind_has_items(option->kind))
		return config_items_parse(option, text, out_value, out_problem);
	if (option->kind == CONFIG_WEB_ORIGINS)
		return origins_word_parse(text, out_value, out_problem);
	if (config_kind_words(option->kind) != NULL)
		return config_word_parse(config_kind_words(option->kind), text, out_value,
					 out_problem);
	return number_parse(option, text, out_value, out_problem);
}

bool config_value_apply(const struct config_option *option, struct slice text, void *base,
			struct config_problem *out_problem)
{
	void *field = (char *)base + option->offset;

	if (config_value_parse(option, text, field, out_problem))
		return true;
	if (option->kind == CONFIG_ADDRESS)
		*(struct net_addr *)field = (struct net_addr){0}; /* port 0 clashes with none */
	return false;
}

char *config_value_format(const struct config_option *option, const void *value,
			  char out[CONFIG_VALUE_MAX])
{
	const char *const *words = config_kind_words(option->kind);

	CHECK(!config_kind_is_text(option->kind) && !config_kind_is_string(option->kind) &&
	      !config_kind_has_items(option->kind) && !config_kind_is_inner(option->kind));
	if (option->kind == CONFIG_ADDRESS)
		return net_addr_format(value, out, CONFIG_VALUE_MAX);
	if (option->kind == CONFIG_PLACE)
		return config_place_format(value, out);
	if (words != NULL) {
		snprintf(out, CONFIG_VALUE_MAX, "%s", words[*(const unsigned int *)value]);
		return out;
	}
	uint64_t number = *(const uint64_t *)value;
	const struct kind *kind = &kinds[option->kind];

	if (option->kind == CONFIG_MODE)
		snprintf(out, CONFIG_VALUE_MAX, "0%03" PRIo64, number);
	else if (number == 0)
		snprintf(out, CONFIG_VALUE_MAX, "%s", kind->zero != NULL ? kind->zero : "0");
	else
		kind->format(number, out, CONFIG_VALUE_MAX);
	return out;
}
