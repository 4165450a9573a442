/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "bench/bench_payload.h"

#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_TRAFFIC_MS 10000

enum option_kind { COUNT, RATE, DURATION, SIZE, TEXT, FLAG, ENGINE, HEADER, SUBPROTOCOL, EXPECT };

struct option {
	const char *name;
	char letter; /* 0: none */
	enum option_kind kind;
	size_t at; /* offset in struct bench_options */
	uint64_t min, max;
	const char *value; /* what help calls it */
	const char *help;
};

#define AT(field) offsetof(struct bench_options, field)
#define DAY_MS    UINT64_C(86400000)

static const struct option table[] = {
	{"connections", 'c', COUNT, AT(connections), 1, BENCH_CONNECTIONS_MAX, "N",
	 "connections to open (default 1)"},
	{"rate", 0, RATE, AT(connect_rate), 0, 10000000, "N",
	 "new connections per second (default: as fast as the other side\n"
	 "answers, with 256 handshakes in flight per worker)"},
	{"hold", 0, DURATION, AT(hold_ms), 0, 365 * DAY_MS, "TIME",
	 "hold all connections this long once they are up (default 0)"},
	{"message-rate", 0, RATE, AT(message_rate), 0, 1000000, "R",
	 "messages per second of each connection, e.g. 0.1; spread evenly;\n"
	 "latency counts from the planned time"},
	{"depth", 0, COUNT, AT(depth), 1, 65536, "N",
	 "keep N messages in flight on each connection, as fast as the\n"
	 "echoes come"},
	{"size", 0, SIZE, AT(size), 0, 16777216, "SIZE", "bytes per message (default 64)"},
	{"duration", 0, DURATION, AT(duration_ms), 1, 365 * DAY_MS, "TIME",
	 "send messages this long (default: the hold, or 10s)"},
	{"binary", 0, FLAG, AT(is_binary), 0, 0, NULL, "send binary messages, not text"},
	{"raw-echo", 0, FLAG, AT(is_raw_echo), 0, 0, NULL,
	 "the other side sends the bytes of frames back as they came, masked:\n"
	 "a floor to measure against, not a WebSocket server"},
	{"workers", 0, COUNT, AT(workers), 1, 1024, "N",
	 "threads (default: as many as the connections need)"},
	{"engine", 0, ENGINE, AT(engine), 0, 0, "NAME", "auto, io_uring or epoll (default auto)"},
	{"subprotocol", 0, SUBPROTOCOL, AT(subprotocols), 0, 0, "NAME",
	 "offer this subprotocol; may be repeated, first is preferred"},
	{"header", 0, HEADER, AT(headers), 0, 0, "LINE",
	 "send this header ('Name: value'); may be repeated"},
	{"wait-ready", 0, TEXT, AT(ready_text), 0, 0, "URL",
	 "first ask this http URL until it answers 200"},
	{"wait-ready-timeout", 0, DURATION, AT(ready_timeout_ms), 1, DAY_MS, "TIME",
	 "give up waiting after this (default 30s)"},
	{"connect-timeout", 0, DURATION, AT(connect_timeout_ms), 1, DAY_MS, "TIME",
	 "for TCP to connect (default 10s)"},
	{"handshake-timeout", 0, DURATION, AT(handshake_timeout_ms), 1, DAY_MS, "TIME",
	 "for the answer to the upgrade request (default 10s)"},
	{"echo-timeout", 0, DURATION, AT(echo_timeout_ms), 1, DAY_MS, "TIME",
	 "an echo missing for this long is a failure (default 10s)"},
	{"expect", 0, EXPECT, 0, 0, 0, "EXPR",
	 "decide the exit code by this, e.g. 'connected==100%' or 'p99<50ms';\n"
	 "may be repeated: all must be met"},
	{"limits", 0, TEXT, AT(limits_text), 0, 0, "URL",
	 "ask this http URL for the server's limits (a gateway's /limits), to\n"
	 "name the one that stopped the test"},
	{"force", 0, FLAG, AT(is_forced), 0, 0, NULL,
	 "go on although this machine cannot open so many connections"},
	{"json", 0, TEXT, AT(json_path), 0, 0, "FILE", "write the whole result there as JSON"},
	{"quiet", 'q', FLAG, AT(is_quiet), 0, 0, NULL, "no progress lines"},
	{"help", 'h', FLAG, AT(wants_help), 0, 0, NULL, "this text"},
};

struct parse {
	struct bench_options *options;
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parse *parse, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parse->error, parse->error_size, format, args);
	va_end(args);
	return -EINVAL;
}

static void *field_of(struct parse *parse, const struct option *option)
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

static int integer_set(struct parse *parse, const struct option *option, const char *value)
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
		return fail(parse, "--%s: '%s' %s", option->name, value,
			    units_explain(r, kinds[option->kind].name));
	if (number < option->min || number > option->max)
		return fail(parse, "--%s: %s is not in %lu..%lu%s", option->name, value,
			    (unsigned long)option->min, (unsigned long)option->max,
			    kinds[option->kind].unit);
	*(uint64_t *)field_of(parse, option) = number;
	return 0;
}

static int rate_set(struct parse *parse, const struct option *option, const char *value)
{
	char *end;
	double number = strtod(value, &end);
	/* strtod also takes "inf", "nan", hexadecimal and leading spaces. */
	bool is_plain = value[0] != 0 && strspn(value, "0123456789.") == strlen(value);

	if (!is_plain || *end != 0)
		return fail(parse, "--%s: '%s' is not a number such as 1000 or 0.1", option->name,
			    value);
	if (!(number >= 0.001) || number > (double)option->max)
		return fail(parse, "--%s: %s is not in 0.001..%lu per second", option->name, value,
			    (unsigned long)option->max);
	*(double *)field_of(parse, option) = number;
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
static int text_append(struct parse *parse, const struct option *option, const char *before,
		       const char *value, const char *after, size_t max)
{
	struct buf *buf = field_of(parse, option);
	bool is_first = buf->len == 0;

	if (!is_first)
		buf->len--;
	int r = buf_printf(buf, max, "%s%s%s", is_first ? "" : before, value, after);

	if (r == 0)
		r = buf_append(buf, "", 1, max);
	if (r < 0)
		return fail(parse, "--%s: all of them together are over %zu bytes", option->name,
			    max);
	return 0;
}

/* `list` is NULL or a text of tokens with ", " between them. */
static bool is_in_list(const uint8_t *list, const char *token)
{
	const char *at = (const char *)list;
	size_t len = strlen(token);

	while (at != NULL && *at != 0) {
		size_t item_len = strcspn(at, ",");

		if (item_len == len && memcmp(at, token, len) == 0)
			return true;
		at += item_len;
		at += strspn(at, ", ");
	}
	return false;
}

static int subprotocol_add(struct parse *parse, const struct option *option, const char *value)
{
	if (!is_token(slice_from_text(value)))
		return fail(parse,
			    "--subprotocol: '%s' is not a token: letters, digits and "
			    "!#$%%&'*+-.^_`|~ only",
			    value);
	if (is_in_list(parse->options->subprotocols.data, value))
		return fail(parse, "--subprotocol: '%s' is given twice; name each once", value);
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
	return name.len >= 14 && strncasecmp((const char *)name.data, "Sec-WebSocket-", 14) == 0;
}

static int header_add(struct parse *parse, const struct option *option, const char *value)
{
	const char *colon = strchr(value, ':');
	struct slice name = slice_of(value, colon == NULL ? 0 : (size_t)(colon - value));

	if (!is_token(name))
		return fail(parse, "--header: '%s' is not of the form 'Name: value'", value);
	for (const char *c = value; *c != 0; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return fail(parse,
				    "--header: '%.*s' has a line break or another control "
				    "character in its value",
				    SLICE_ARG(name));
	if (is_our_header(name))
		return fail(parse, "--header: '%.*s' is set by the handshake itself%s",
			    SLICE_ARG(name),
			    slice_equals_nocase(name, SLICE_LITERAL("Sec-WebSocket-Protocol"))
				    ? ": use --subprotocol"
				    : "");
	return text_append(parse, option, "", value, "\r\n", BENCH_HEADERS_MAX);
}

static int engine_set(struct parse *parse, const struct option *option, const char *value)
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
	return fail(parse, "--engine: '%s' is none of auto, io_uring, epoll", value);
}

static int expect_add(struct parse *parse, const char *value)
{
	struct bench_options *options = parse->options;
	char error[768];

	if (options->expect_count == BENCH_EXPECTS_MAX)
		return fail(parse, "--expect: at most %d are taken", BENCH_EXPECTS_MAX);
	if (bench_expect_parse(value, &options->expects[options->expect_count], error,
			       sizeof(error)) < 0)
		return fail(parse, "--expect: %s", error);
	options->expect_count++;
	return 0;
}

static int option_set(struct parse *parse, const struct option *option, const char *value)
{
	switch (option->kind) {
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
		*(bool *)field_of(parse, option) = true;
		return 0;
	case ENGINE:
		return engine_set(parse, option, value);
	case HEADER:
		return header_add(parse, option, value);
	case SUBPROTOCOL:
		return subprotocol_add(parse, option, value);
	case EXPECT:
		return expect_add(parse, value);
	}
	return 0;
}

/* Finds the option of "--name", "--name=value", "-x" or "-xvalue"; *out_value is
 * what is joined to it, or NULL. */
static const struct option *option_find(const char *arg, const char **out_value)
{
	bool is_long = arg[1] == '-';
	size_t name_len = is_long ? strcspn(arg + 2, "=") : 1;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct option *option = &table[i];
		bool is_it = is_long ? strlen(option->name) == name_len &&
					       memcmp(option->name, arg + 2, name_len) == 0
				     : option->letter != 0 && option->letter == arg[1];

		if (!is_it)
			continue;
		const char *rest = is_long ? arg + 2 + name_len : arg + 2;

		*out_value = *rest == 0 ? NULL : is_long ? rest + 1 : rest;
		return option;
	}
	return NULL;
}

/* Takes the option at argv[*i] with its value; moves *i to the last one taken. */
static int argument_take(struct parse *parse, int argc, char **argv, int *i)
{
	const char *value = NULL;
	const char *arg = argv[*i];
	const struct option *option = option_find(arg, &value);

	if (option == NULL)
		return fail(parse, "unknown option '%s'; --help lists them", arg);
	if (option->kind == FLAG && value != NULL)
		return fail(parse, "--%s takes no value, but '%s' was given", option->name, value);
	if (option->kind != FLAG && value == NULL) {
		if (*i + 1 >= argc)
			return fail(parse, "--%s needs a value (%s)", option->name, option->value);
		value = argv[++*i];
	}
	return option_set(parse, option, value);
}

/* An http URL that the main thread asks; `text` may be NULL. */
static int asked_url_parse(struct parse *parse, const char *option, const char *text,
			   struct bench_url *out)
{
	if (text == NULL)
		return 0;
	const char *problem = bench_url_parse(text, "http", out);

	if (problem == NULL && strstr(out->path, "{n}") != NULL)
		problem = "has {n}, but it is asked once for all connections";
	return problem == NULL ? 0 : fail(parse, "--%s: the URL '%s' %s", option, text, problem);
}

/* What the single options cannot see. */
static int options_check(struct parse *parse)
{
	struct bench_options *options = parse->options;

	if (options->url_text == NULL)
		return fail(parse, "no URL given, e.g. ws://127.0.0.1:8080/ws/dev-{n}");
	const char *problem = bench_url_parse(options->url_text, "ws", &options->url);

	if (problem != NULL)
		return fail(parse, "the URL '%s' %s", options->url_text, problem);
	if (asked_url_parse(parse, "wait-ready", options->ready_text, &options->ready_url) < 0 ||
	    asked_url_parse(parse, "limits", options->limits_text, &options->limits_url) < 0)
		return -EINVAL;
	if (options->depth > 0 && options->message_rate > 0)
		return fail(parse, "--depth and --message-rate exclude each other: as fast as "
				   "echoes come, or at a rate");
	if (options->duration_ms > 0 && !bench_options_has_traffic(options))
		return fail(parse, "--duration is how long messages are sent: it needs --depth or "
				   "--message-rate (--hold holds without messages)");
	if (options->depth > 1 && options->size < BENCH_STAMP_LEN)
		return fail(parse,
			    "--size %lu with --depth %lu: a message under %d bytes has no room for "
			    "its send time; use --size %d or more, or --depth 1",
			    (unsigned long)options->size, (unsigned long)options->depth,
			    BENCH_STAMP_LEN, BENCH_STAMP_LEN);
	return 0;
}

int bench_options_parse(struct bench_options *options, int argc, char **argv, char *error,
			size_t error_size)
{
	struct parse parse = {options, error, error_size};
	int r = 0;

	*options = (struct bench_options){
		.connections = 1,
		.size = 64,
		.ready_timeout_ms = 30000,
		.connect_timeout_ms = DEFAULT_TIMEOUT_MS,
		.handshake_timeout_ms = DEFAULT_TIMEOUT_MS,
		.echo_timeout_ms = DEFAULT_TIMEOUT_MS,
	};
	for (int i = 1; i < argc && r == 0 && !options->wants_help; i++) {
		if (argv[i][0] == '-' && argv[i][1] != 0)
			r = argument_take(&parse, argc, argv, &i);
		else if (options->url_text == NULL)
			options->url_text = argv[i];
		else
			r = fail(&parse, "'%s': a URL is already given, '%s'", argv[i],
				 options->url_text);
	}
	return r < 0 || options->wants_help ? r : options_check(&parse);
}

void bench_options_finish(struct bench_options *options)
{
	buf_finish(&options->headers);
	buf_finish(&options->subprotocols);
}

/* Later lines of a help text stand under the first. */
static void help_print(FILE *to, const struct option *option)
{
	char left[40];

	if (option->letter != 0)
		snprintf(left, sizeof(left), "-%c, --%s %s", option->letter, option->name,
			 option->value == NULL ? "" : option->value);
	else
		snprintf(left, sizeof(left), "    --%s %s", option->name,
			 option->value == NULL ? "" : option->value);
	fprintf(to, "  %-29s ", left);
	for (const char *c = option->help; *c != 0; c++) {
		fputc(*c, to);
		if (*c == '\n')
			fprintf(to, "%32s", "");
	}
	fputc('\n', to);
}

void bench_options_help(FILE *to)
{
	fputs("Usage: gatehouse bench URL [OPTIONS]\n\n"
	      "Opens many real WebSocket connections, sends messages, checks every echo byte for\n"
	      "byte, and ends with a verdict. URL is ws://HOST[:PORT]/PATH; each {n} in its path\n"
	      "or query becomes the connection's number, 1 to N.\n\nOptions:\n",
	      to);
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		help_print(to, &table[i]);
	fputs("\nTIME is in seconds, or has a unit: 500ms, 30s, 5m. SIZE is in bytes, or has a\n"
	      "unit: 16KiB. Exit codes: 0 all connected, all held, every echo right (or\n"
	      "every --expect met); 1 not so, or this machine cannot; 2 wrong usage.\n",
	      to);
}

uint64_t bench_options_traffic_ms(const struct bench_options *options)
{
	if (!bench_options_has_traffic(options))
		return 0;
	if (options->duration_ms > 0)
		return options->duration_ms;
	return options->hold_ms > 0 ? options->hold_ms : DEFAULT_TRAFFIC_MS;
}

uint64_t bench_options_hold_ms(const struct bench_options *options)
{
	return MAX(options->hold_ms, bench_options_traffic_ms(options));
}
