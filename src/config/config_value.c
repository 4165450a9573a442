/* SPDX-License-Identifier: Apache-2.0
 * config_value.c - values of every kind, from text and back. */
#include "config/config_option.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/suggest.h"
#include "base/units.h"

/* Each list in the order of its enum. */
static const char *const engine_words[] = {"auto", "io_uring", "epoll", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_words[] = {"logfmt", "json", NULL};
static const char *const mismatch_words[] = {"refuse", "close", "accept", NULL};
static const char *const takeover_words[] = {"newest", "oldest", "many", NULL};
static const char *const rpc_words[] = {"none", "ocpp-j", "json-rpc", NULL};
static const char *const backend_type_words[] = {"webhook", "nats", NULL};
static const char *const connect_words[] = {"accept", "ask", NULL};
static const char *const bus_type_words[] = {"embedded", "nats", NULL};
static const char *const on_failure_words[] = {"wait", "close", NULL};
static const char *const origins_words[] = {"auto", "any", "same", NULL}; /* or a list */
static const char *const switch_words[] = {"false", "true", NULL};

static char *count_format(uint64_t count, char *out, size_t size)
{
	snprintf(out, size, "%" PRIu64, count);
	return out;
}

/* How a kind is read and written: a number if it has `parse`, one of some words if
 * it has `words`. */
static const struct kind {
	const char *noun; /* as units_explain wants it */
	enum units_result (*parse)(struct slice text, uint64_t *out_value);
	char *(*format)(uint64_t value, char *out, size_t size);
	const char *zero; /* how a 0 outside the range is written; NULL = not at all */
	const char *const *words;
} kinds[] = {
	[CONFIG_COUNT] = {"count", units_parse_count, count_format, NULL, NULL},
	[CONFIG_AUTO_COUNT] = {"count", units_parse_count, count_format, "auto", NULL},
	[CONFIG_DURATION] = {"duration", units_parse_duration_ms, units_format_duration_ms, NULL,
			     NULL},
	[CONFIG_OFF_DURATION] = {"duration", units_parse_duration_ms, units_format_duration_ms, "0",
				 NULL},
	[CONFIG_SIZE] = {"size", units_parse_size, units_format_size, NULL, NULL},
	[CONFIG_AUTO_SIZE] = {"size", units_parse_size, units_format_size, "auto", NULL},
	[CONFIG_ENGINE] = {.words = engine_words},
	[CONFIG_LEVEL] = {.words = level_words},
	[CONFIG_FORMAT] = {.words = format_words},
	[CONFIG_MISMATCH] = {.words = mismatch_words},
	[CONFIG_TAKEOVER] = {.words = takeover_words},
	[CONFIG_RPC] = {.words = rpc_words},
	[CONFIG_BACKEND_TYPE] = {.words = backend_type_words},
	[CONFIG_ON_FAILURE] = {.words = on_failure_words},
	[CONFIG_SWITCH] = {.words = switch_words},
	[CONFIG_TOKENS] = {0},
	[CONFIG_PREFIXES] = {0},
	[CONFIG_WEB_ORIGINS] = {.words = origins_words},
	[CONFIG_BUS_TYPE] = {.words = bus_type_words},
	[CONFIG_URLS] = {0},
	[CONFIG_WORD] = {0},
	[CONFIG_CONNECT] = {.words = connect_words},
	[CONFIG_FILE] = {0},
	[CONFIG_SECRET] = {0},
};

/* Every enum is stored through this type. */
_Static_assert(sizeof(enum config_engine) == sizeof(unsigned int) &&
		       sizeof(enum log_level) == sizeof(unsigned int) &&
		       sizeof(enum log_format) == sizeof(unsigned int) &&
		       sizeof(enum config_mismatch) == sizeof(unsigned int) &&
		       sizeof(enum config_takeover) == sizeof(unsigned int) &&
		       sizeof(enum config_rpc) == sizeof(unsigned int) &&
		       sizeof(enum config_backend_type) == sizeof(unsigned int) &&
		       sizeof(enum config_bus_type) == sizeof(unsigned int) &&
		       sizeof(enum config_connect) == sizeof(unsigned int) &&
		       sizeof(enum config_on_failure) == sizeof(unsigned int) &&
		       sizeof(enum config_origins_mode) == sizeof(unsigned int) &&
		       sizeof(enum config_switch) == sizeof(unsigned int),
	       "an enum has another size");

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

static void words_print(const char *const *words, char *out, size_t size)
{
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; words[i] != NULL && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ",
					 words[i]);
}

char *config_value_allowed(const struct config_option *option, char out[CONFIG_ALLOWED_MAX])
{
	const struct kind *kind = &kinds[option->kind];
	size_t used;

	switch (option->kind) {
	case CONFIG_ADDRESS:
		snprintf(out, CONFIG_ALLOWED_MAX, "ADDRESS:PORT or [ADDRESS]:PORT");
		return out;
	case CONFIG_PATH:
		snprintf(out, CONFIG_ALLOWED_MAX, "a path of at most %" PRIu64 " bytes",
			 option->max);
		return out;
	case CONFIG_NAME:
		snprintf(out, CONFIG_ALLOWED_MAX,
			 "at most %" PRIu64 " letters, digits, '_' and '-'", option->max);
		return out;
	case CONFIG_URL:
		snprintf(out, CONFIG_ALLOWED_MAX,
			 "http://HOST[:PORT]/PATH or https://..., at most %" PRIu64 " bytes",
			 option->max);
		return out;
	case CONFIG_FILE:
		snprintf(out, CONFIG_ALLOWED_MAX,
			 "a path of at most %" PRIu64 " bytes, without '\"' and '\\', or nothing",
			 option->max);
		return out;
	case CONFIG_SECRET:
		snprintf(out, CONFIG_ALLOWED_MAX,
			 "at most %" PRIu64 " visible ASCII characters, or nothing", option->max);
		return out;
	case CONFIG_WORD:
		snprintf(out, CONFIG_ALLOWED_MAX,
			 "at most %" PRIu64 " letters, digits and any of '_.-@+'", option->max);
		return out;
	case CONFIG_WEB_ORIGINS:
		snprintf(out, CONFIG_ALLOWED_MAX,
			 "any, same, auto or a list of at most %" PRIu64
			 " origins such as [https://example.com]",
			 option->max);
		return out;
	case CONFIG_TOKENS:
	case CONFIG_PREFIXES:
	case CONFIG_URLS:
		snprintf(out, CONFIG_ALLOWED_MAX, "a list of at most %" PRIu64 " %s", option->max,
			 option->unit);
		return out;
	default:
		break;
	}
	if (kind->words != NULL) {
		words_print(kind->words, out, CONFIG_ALLOWED_MAX);
		return out;
	}
	range_print(option, out, CONFIG_ALLOWED_MAX);
	used = strlen(out);
	if (kind->zero != NULL)
		snprintf(out + used, CONFIG_ALLOWED_MAX - used, " or %s", kind->zero);
	return out;
}

void config_problem_set(struct config_problem *problem, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
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

static bool word_parse(const char *const *words, struct slice text, unsigned int *out_value,
		       struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX], allowed[CONFIG_ALLOWED_MAX], hint[SUGGEST_HINT_MAX];
	struct suggest suggest = {.seen = text};

	for (unsigned int i = 0; words[i] != NULL; i++) {
		if (slice_equals(text, slice_from_text(words[i]))) {
			*out_value = i;
			return true;
		}
		suggest_offer(&suggest, words[i]);
	}
	words_print(words, allowed, sizeof(allowed));
	config_problem_set(out_problem, "%s is unknown; known: %s%s", config_quote(text, seen),
			   allowed, suggest_hint(&suggest, hint));
	return false;
}

/* Whoever writes one origin means a list of it. */
static bool origins_word_parse(struct slice text, struct config_web_origins *out_value,
			       struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX];
	struct config_problem problem;
	unsigned int mode;

	if (word_parse(origins_words, text, &mode, &problem)) {
		out_value->mode = (enum config_origins_mode)mode;
		return true;
	}
	if (memmem(text.data, text.len, "://", 3) != NULL)
		config_problem_set(out_problem, "%s is one origin; write a list: [%.*s]",
				   config_quote(text, seen), SLICE_ARG(text));
	else
		config_problem_set(out_problem, "%s, or a list such as [https://example.com]",
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

bool config_kind_is_text(enum config_kind kind)
{
	return kind == CONFIG_PATH || kind == CONFIG_NAME || kind == CONFIG_URL;
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
	default:
		return kinds[option->kind].words[0];
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
	if (kind == CONFIG_WORD)
		return isalnum(byte) || (byte != 0 && strchr("_.-@+", byte) != NULL);
	return byte >= ' ' && byte != 0x7f && byte != '"' && byte != '\\';
}

/* A secret is not repeated in what is said about it. */
static bool string_parse(const struct config_option *option, struct slice text,
			 struct config_text *out_value, struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX], allowed[CONFIG_ALLOWED_MAX];
	bool is_good = text.len <= option->max;

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
	const struct kind *kind = &kinds[option->kind];

	CHECK(option->kind != CONFIG_TOKENS);
	if (option->kind == CONFIG_ADDRESS)
		return address_parse(text, out_value, out_problem);
	if (config_kind_is_text(option->kind))
		return text_parse(option, text, out_value, out_problem);
	if (option->kind == CONFIG_FILE || option->kind == CONFIG_SECRET ||
	    option->kind == CONFIG_WORD)
		return string_parse(option, text, out_value, out_problem);
	if (option->kind == CONFIG_PREFIXES || option->kind == CONFIG_URLS)
		return config_items_parse(option, text, out_value, out_problem);
	if (option->kind == CONFIG_WEB_ORIGINS)
		return origins_word_parse(text, out_value, out_problem);
	if (kind->words != NULL)
		return word_parse(kind->words, text, out_value, out_problem);
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
	const struct kind *kind = &kinds[option->kind];

	CHECK(!config_kind_is_text(option->kind) && option->kind != CONFIG_TOKENS &&
	      option->kind != CONFIG_PREFIXES && option->kind != CONFIG_FILE &&
	      option->kind != CONFIG_SECRET && option->kind != CONFIG_WORD &&
	      option->kind != CONFIG_URLS);
	if (option->kind == CONFIG_ADDRESS)
		return net_addr_format(value, out, CONFIG_VALUE_MAX);
	if (kind->words != NULL) {
		snprintf(out, CONFIG_VALUE_MAX, "%s", kind->words[*(const unsigned int *)value]);
		return out;
	}
	uint64_t number = *(const uint64_t *)value;

	if (number == 0)
		snprintf(out, CONFIG_VALUE_MAX, "%s", kind->zero != NULL ? kind->zero : "0");
	else
		kind->format(number, out, CONFIG_VALUE_MAX);
	return out;
}
