/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_option.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

int bench_option_fail(struct bench_parse *parse, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parse->error, parse->error_size, format, args);
	va_end(args);
	return -EINVAL;
}

static void *field_of(struct bench_parse *parse, const struct bench_option *option)
{
	return (char *)parse->options + option->at;
}

/* A bare number is in seconds. */
static enum units_result duration_parse(struct slice text, uint64_t *out_ms)
{
	uint64_t seconds;

	if (units_parse_count(text, &seconds) != UNITS_OK)
		return units_parse_duration_ms(text, out_ms);
	return __builtin_mul_overflow(seconds, (uint64_t)1000, out_ms) ? UNITS_TOO_BIG : UNITS_OK;
}

/* A bare number is in bytes. */
static enum units_result size_parse(struct slice text, uint64_t *out_bytes)
{
	enum units_result r = units_parse_count(text, out_bytes);

	return r == UNITS_OK ? r : units_parse_size(text, out_bytes);
}

static int integer_set(struct bench_parse *parse, const struct bench_option *option,
		       const char *value)
{
	static const struct {
		const char *name;
		enum units_result (*parse)(struct slice text, uint64_t *out);
		const char *unit;
	} kinds[] = {
		[COUNT] = {"count", units_parse_count, ""},
		[DURATION] = {"duration", duration_parse, " ms"},
		[SIZE] = {"size", size_parse, " bytes"},
	};
	uint64_t number = 0;
	enum units_result r = kinds[option->kind].parse(slice_from_text(value), &number);

	if (r != UNITS_OK)
		return bench_option_fail(parse, "--%s: '%s' %s", option->name, value,
					 units_explain(r, kinds[option->kind].name));
	if (number < option->min || number > option->max)
		return bench_option_fail(parse, "--%s: %s is not in %lu..%lu%s", option->name,
					 value, (unsigned long)option->min,
					 (unsigned long)option->max, kinds[option->kind].unit);
	*(uint64_t *)field_of(parse, option) = number;
	return 0;
}

static int rate_set(struct bench_parse *parse, const struct bench_option *option, const char *value)
{
	char *end;
	double number = strtod(value, &end);
	/* strtod also takes "inf", "nan", hexadecimal and leading spaces. */
	bool is_plain = value[0] != 0 && strspn(value, "0123456789.") == strlen(value);

	if (!is_plain || *end != 0)
		return bench_option_fail(parse, "--%s: '%s' is not a number such as 1000 or 0.1",
					 option->name, value);
	if (!(number >= 0.001) || number > (double)option->max)
		return bench_option_fail(parse, "--%s: %s is not in 0.001..%lu per second",
					 option->name, value, (unsigned long)option->max);
	*(double *)field_of(parse, option) = number;
	return 0;
}

/* "10" and "10%" are the same. */
static int percent_set(struct bench_parse *parse, const struct bench_option *option,
		       const char *value)
{
	char *end;
	double number = strtod(value, &end);
	size_t digits = strspn(value, "0123456789.");

	if (digits == 0 || end != value + digits || strcmp(end + (*end == '%'), "") != 0)
		return bench_option_fail(parse, "--%s: '%s' is not a share such as 5%%",
					 option->name, value);
	if (number < (double)option->min || number > (double)option->max)
		return bench_option_fail(parse, "--%s: %s is not in %lu%%..%lu%%", option->name,
					 value, (unsigned long)option->min,
					 (unsigned long)option->max);
	*(double *)field_of(parse, option) = number;
	return 0;
}

static int flag_set(struct bench_parse *parse, const struct bench_option *option, const char *value)
{
	bool is_true = strcmp(value, "true") == 0;

	if (!is_true && strcmp(value, "false") != 0)
		return bench_option_fail(parse, "--%s: '%s' is neither true nor false",
					 option->name, value);
	*(bool *)field_of(parse, option) = is_true;
	return 0;
}

static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
			return false;
	}
	return text.len > 0;
}

/* Appends to a text that ends in a NUL, which is overwritten. */
static int text_append(struct bench_parse *parse, const struct bench_option *option,
		       const char *before, const char *value, const char *after, size_t max)
{
	struct buf *buf = field_of(parse, option);
	bool is_first = buf->len == 0;

	if (!is_first)
		buf->len--;
	int r = buf_printf(buf, max, "%s%s%s", is_first ? "" : before, value, after);

	if (r == 0)
		r = buf_append(buf, "", 1, max);
	if (r < 0)
		return bench_option_fail(parse, "--%s: all of them together are over %zu bytes",
					 option->name, max);
	return 0;
}

/* `list` is a text of tokens with ", " between them. */
static bool is_in_list(const uint8_t *list, const char *token)
{
	const char *at = (const char *)list;
	size_t len = strlen(token);

	while (*at != 0) {
		size_t item_len = strcspn(at, ",");

		if (item_len == len && memcmp(at, token, len) == 0)
			return true;
		at += item_len;
		at += strspn(at, ", ");
	}
	return false;
}

static int subprotocol_add(struct bench_parse *parse, const struct bench_option *option,
			   const char *value)
{
	if (!is_token(slice_from_text(value)))
		return bench_option_fail(parse,
					 "--subprotocol: '%s' is not a token: letters, digits and "
					 "!#$%%&'*+-.^_`|~ only",
					 value);
	const struct buf *list = &parse->options->subprotocols;

	if (list->len > 0 && is_in_list(list->data, value))
		return bench_option_fail(
			parse, "--subprotocol: '%s' is given twice; name each once", value);
	return text_append(parse, option, ", ", value, "", BENCH_SUBPROTOCOL_MAX);
}

/* The handshake sets these itself. */
static bool is_our_header(struct slice name)
{
	static const char *const ours[] = {"Host", "Upgrade", "Connection", "Content-Length",
					   "Transfer-Encoding"};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (slice_equals_nocase(name, slice_from_text(ours[i])))
			return true;
	return slice_starts_nocase(name, "Sec-WebSocket-");
}

static int header_add(struct bench_parse *parse, const struct bench_option *option,
		      const char *value)
{
	const char *colon = strchr(value, ':');
	struct slice name = slice_of(value, colon == NULL ? 0 : (size_t)(colon - value));

	if (!is_token(name))
		return bench_option_fail(parse, "--header: '%s' is not of the form 'Name: value'",
					 value);
	for (const char *c = value; *c != 0; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return bench_option_fail(
				parse,
				"--header: '%.*s' has a line break or another control "
				"character in its value",
				SLICE_ARG(name));
	if (is_our_header(name))
		return bench_option_fail(
			parse, "--header: '%.*s' is set by the handshake itself%s", SLICE_ARG(name),
			slice_equals_nocase(name, SLICE_LITERAL("Sec-WebSocket-Protocol"))
				? ": use --subprotocol"
				: "");
	return text_append(parse, option, "", value, "\r\n", BENCH_HEADERS_MAX);
}

static int engine_set(struct bench_parse *parse, const struct bench_option *option,
		      const char *value)
{
	static const struct {
		const char *name;
		enum loop_engine engine;
	} names[] = {
		{"auto", LOOP_ENGINE_AUTO},
		{"io_uring", LOOP_ENGINE_IO_URING},
		{"epoll", LOOP_ENGINE_EPOLL},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(value, names[i].name) != 0)
			continue;
		*(enum loop_engine *)field_of(parse, option) = names[i].engine;
		return 0;
	}
	return bench_option_fail(parse, "--engine: '%s' is none of auto, io_uring, epoll", value);
}

static int language_set(struct bench_parse *parse, const struct bench_option *option,
			const char *value)
{
	const enum report_lang *lang = report_lang_find(value);

	if (lang != NULL) {
		*(enum report_lang *)field_of(parse, option) = *lang;
		return 0;
	}
	return bench_option_fail(parse, "--%s: '%s' is no language here; there are en and zh",
				 option->name, value);
}

static int payload_set(struct bench_parse *parse, const struct bench_option *option,
		       const char *value)
{
	bool is_json = strcmp(value, "json") == 0;

	if (!is_json && strcmp(value, "noise") != 0)
		return bench_option_fail(parse, "--%s: '%s' is neither noise nor json",
					 option->name, value);
	*(bool *)field_of(parse, option) = is_json;
	return 0;
}

static int version_set(struct bench_parse *parse, const struct bench_option *option,
		       const char *value)
{
	bool is_12 = strcmp(value, "1.2") == 0;

	if (!is_12 && strcmp(value, "1.3") != 0)
		return bench_option_fail(parse, "--%s: '%s' is neither 1.2 nor 1.3", option->name,
					 value);
	*(uint64_t *)field_of(parse, option) = is_12 ? 0x0303 : 0x0304;
	return 0;
}

/* What is wrong with it is said without it: it is a secret. */
static int basic_set(struct bench_parse *parse, const struct bench_option *option,
		     const char *value)
{
	const char *colon = strchr(value, ':');

	if (colon == NULL || colon == value)
		return bench_option_fail(parse, "--basic: is not of the form USER:PASSWORD");
	if (strlen(value) >= BENCH_BASIC_MAX)
		return bench_option_fail(parse, "--basic: is %zu bytes long, %d are the most",
					 strlen(value), BENCH_BASIC_MAX - 1);
	for (const char *c = value; *c != 0; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return bench_option_fail(parse, "--basic: has a control character in it");
	*(const char **)field_of(parse, option) = value;
	return 0;
}

static int expect_add(struct bench_parse *parse, const char *value)
{
	struct bench_options *options = parse->options;
	char error[768];

	if (options->expect_count == BENCH_EXPECTS_MAX)
		return bench_option_fail(parse, "--expect: at most %d are taken",
					 BENCH_EXPECTS_MAX);
	if (bench_expect_parse(value, &options->expects[options->expect_count], error,
			       sizeof(error)) < 0)
		return bench_option_fail(parse, "--expect: %s", error);
	options->expect_count++;
	return 0;
}

static int node_add(struct bench_parse *parse, const char *value)
{
	struct bench_options *options = parse->options;

	if (options->node_count == ARRAY_LEN(options->node_texts))
		return bench_option_fail(parse, "--node: at most %zu are taken beside the URL's",
					 ARRAY_LEN(options->node_texts));
	if (value[0] == 0 || strcspn(value, "/?#@ ") < strlen(value))
		return bench_option_fail(
			parse,
			"--node: '%s' is not HOST or HOST:PORT; scheme and path are the URL's",
			value);
	options->node_texts[options->node_count++] = value;
	return 0;
}

static int hook_add(struct bench_parse *parse, const char *value)
{
	struct bench_options *options = parse->options;
	const char *end = strchr(value, '=');

	if (options->hook_count == BENCH_HOOKS_MAX)
		return bench_option_fail(parse, "--hook: at most %d are taken", BENCH_HOOKS_MAX);
	if (end == NULL || end == value || end[1] == 0)
		return bench_option_fail(parse, "--hook: '%s' is not NAME=COMMAND", value);
	for (size_t i = 0; i < options->hook_count; i++)
		if (strncmp(options->hooks[i], value, (size_t)(end - value) + 1) == 0)
			return bench_option_fail(parse, "--hook: '%.*s' is given twice",
						 (int)(end - value), value);
	options->hooks[options->hook_count++] = value;
	return 0;
}

bool bench_option_is_list(const struct bench_option *option)
{
	switch (option->kind) {
	case HEADER:
	case SUBPROTOCOL:
	case EXPECT:
	case NODE:
	case HOOK:
		return true;
	default:
		return false;
	}
}

void bench_option_clear(struct bench_parse *parse, const struct bench_option *option)
{
	if (option->kind == EXPECT)
		parse->options->expect_count = 0;
	else if (option->kind == NODE)
		parse->options->node_count = 0;
	else if (option->kind == HOOK)
		parse->options->hook_count = 0;
	else
		((struct buf *)field_of(parse, option))->len = 0;
}

int bench_option_set(struct bench_parse *parse, const struct bench_option *option,
		     const char *value)
{
	switch (option->kind) {
	case HEADING:
		break;
	case COUNT:
	case DURATION:
	case SIZE:
		return integer_set(parse, option, value);
	case RATE:
		return rate_set(parse, option, value);
	case TEXT:
		*(const char **)field_of(parse, option) = value;
		return 0;
	case FLAG:
		return flag_set(parse, option, value);
	case PERCENT:
		return percent_set(parse, option, value);
	case ENGINE:
		return engine_set(parse, option, value);
	case HEADER:
		return header_add(parse, option, value);
	case SUBPROTOCOL:
		return subprotocol_add(parse, option, value);
	case EXPECT:
		return expect_add(parse, value);
	case VERSION:
		return version_set(parse, option, value);
	case LANGUAGE:
		return language_set(parse, option, value);
	case BASIC:
		return basic_set(parse, option, value);
	case PAYLOAD:
		return payload_set(parse, option, value);
	case NODE:
		return node_add(parse, value);
	case HOOK:
		return hook_add(parse, value);
	}
	return 0;
}
