/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/suggest.h"
#include "bench/load/bench_option.h"
#include "bench/load/bench_scenario.h"

#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_TRAFFIC_MS 10000

#define AT(field) offsetof(struct bench_options, field)
#define DAY_MS    UINT64_C(86400000)

static const struct bench_option table[] = {
	{.help = "Connections"},
	{"connections", 'c', COUNT, AT(connections), 1, BENCH_CONNECTIONS_MAX, "N",
	 "connections to open (default 1)"},
	{"rate", 0, RATE, AT(connect_rate), 0, 10000000, "N",
	 "new connections per second (default: as fast as the other side\n"
	 "answers, with 256 handshakes in flight per worker)"},
	{"in-flight", 0, COUNT, AT(in_flight), 1, BENCH_CONNECTIONS_MAX, "N",
	 "at most N handshakes in flight in all; -c's number is a storm"},
	{"batch", 0, COUNT, AT(batch), 1, BENCH_CONNECTIONS_MAX, "N",
	 "open N, wait until each of them is up or has failed, then the next N"},
	{"batch-pause", 0, DURATION, AT(batch_pause_ms), 0, DAY_MS, "TIME",
	 "pause between two batches (default 0)"},
	{"hold", 0, DURATION, AT(hold_ms), 0, 365 * DAY_MS, "TIME",
	 "hold all connections this long once they are up (default 0)"},
	{"lifetime", 0, DURATION, AT(lifetime_ms), 100, 365 * DAY_MS, "TIME",
	 "churn: in the hold, close each connection after 0.5 to 1.5 times TIME\n"
	 "and open a new one in its place"},
	{"cut-after", 0, DURATION, AT(cut_after_ms), 1, 365 * DAY_MS, "TIME",
	 "a storm: so far into the hold all connections are cut at once, and\n"
	 "come back, as many at a time as --in-flight allows"},
	{"reconnect", 0, FLAG, AT(does_reconnect), 0, 0, NULL,
	 "a connection that the other side ends comes back: after the time that it\n"
	 "is asked to wait (retry-after), else after 0.1s, doubled up to 5s"},
	{"node", 0, NODE, AT(node_texts), 0, 0, "HOST:PORT",
	 "another node of the service, may be repeated: connections are dealt out\n"
	 "over all, and one that comes back tries the next"},
	{"slow-readers", 0, PERCENT, AT(slow_readers_percent), 0, 100, "P%",
	 "this share of the connections sends in the hold as fast as it may but\n"
	 "does not read; that the other side closes them is no failure"},
	{.help = "Messages"},
	{"message-rate", 0, RATE, AT(message_rate), 0, 1000000, "R",
	 "messages per second of each connection, e.g. 0.1; spread evenly;\n"
	 "latency counts from the planned time"},
	{"depth", 0, COUNT, AT(depth), 1, 65536, "N",
	 "keep N messages in flight on each connection, as fast as the\n"
	 "echoes come"},
	{"receive", 0, FLAG, AT(is_receiver), 0, 0, NULL,
	 "send nothing, but take what services send to these clients through\n"
	 "the server; 'gh1 NUMBER TIME' in a message gives latency and order"},
	{"at-least-once", 0, FLAG, AT(is_at_least_once), 0, 0, NULL,
	 "echoes may come late, out of order, or twice, as back ends with retries\n"
	 "have them: they are counted as late and repeated, and are no failure"},
	{"push", 0, TEXT, AT(push_path), 0, 0, "PATH",
	 "with --receive: send the messages, too, by POST to this path of --api,\n"
	 "e.g. '/api/v1/broadcast?route=ws'"},
	{"push-messages", 0, COUNT, AT(push_messages), 1, 100000000, "N", "how many (default 100)"},
	{"push-rate", 0, RATE, AT(push_rate), 0, 10000, "R", "how many per second (default 10)"},
	{"size", 0, SIZE, AT(size), 0, 16777216, "SIZE", "bytes per message (default 64)"},
	{"payload", 0, PAYLOAD, AT(is_json), 0, 0, "KIND",
	 "noise, or json: records that compress as those of services do\n"
	 "(default noise)"},
	{"compression", 0, FLAG, AT(does_pack), 0, 0, NULL,
	 "offer permessage-deflate, without windows; what it saves is in the\n"
	 "results"},
	{"window-bits", 0, COUNT, AT(window_bits), 8, 15, "N",
	 "with --compression: offer server_max_window_bits=N, as clients do that\n"
	 "have little memory"},
	{"duration", 0, DURATION, AT(duration_ms), 1, 365 * DAY_MS, "TIME",
	 "send messages this long (default: the hold, or 10s)"},
	{"binary", 0, FLAG, AT(is_binary), 0, 0, NULL, "send binary messages, not text"},
	{"raw-echo", 0, FLAG, AT(is_raw_echo), 0, 0, NULL,
	 "the other side sends the bytes of frames back as they came, masked:\n"
	 "a floor to measure against, not a WebSocket server"},
	{.help = "The handshake"},
	{"subprotocol", 0, SUBPROTOCOL, AT(subprotocols), 0, 0, "NAME",
	 "offer this subprotocol; may be repeated, first is preferred"},
	{"header", 0, HEADER, AT(headers), 0, 0, "LINE",
	 "send this header ('Name: value'); may be repeated"},
	{"basic", 0, BASIC, AT(basic), 0, 0, "USER:PW",
	 "send HTTP Basic credentials; {n} in them becomes the connection's\n"
	 "number"},
	{"token-file", 0, TEXT, AT(token_path), 0, 0, "FILE",
	 "send a bearer token of this file, which has one for all or one in a\n"
	 "line for each connection"},
	{"ticket-url", 0, TEXT, AT(ticket_text), 0, 0, "URL",
	 "before each connection get a ticket there by POST, and connect with\n"
	 "it; --basic and --token-file then go there ({n} as in the URL)"},
	{"ticket-body", 0, TEXT, AT(ticket_body), 0, 0, "JSON",
	 "the body of that POST; {n} in it becomes the connection's number"},
	{.help = "TLS, for wss:// and https://"},
	{"ca", 0, TEXT, AT(ca_path), 0, 0, "FILE",
	 "believe servers that these authorities' certificates vouch for (PEM;\n"
	 "default: the system's)"},
	{"cert", 0, TEXT, AT(cert_path), 0, 0, "FILE", "show this client certificate (PEM)"},
	{"key", 0, TEXT, AT(key_path), 0, 0, "FILE",
	 "its private key (default: in the certificate's file)"},
	{"insecure", 0, FLAG, AT(is_insecure), 0, 0, NULL,
	 "believe any server: what it shows is not checked"},
	{"tls-version", 0, VERSION, AT(tls_version), 0, 0, "V",
	 "1.2 or 1.3, and no other (default: the best that both sides can)"},
	{"tls-resume", 0, FLAG, AT(does_resume), 0, 0, NULL,
	 "resume sessions: a connection that comes again its own, one that is\n"
	 "new the last that any got"},
	{.help = "The gateway's API, for --push and the acts of a scenario"},
	{"api", 0, TEXT, AT(api_text), 0, 0, "URL",
	 "of its admin listener, e.g. http://127.0.0.1:8081"},
	{"api-token-file", 0, TEXT, AT(api_token_path), 0, 0, "FILE",
	 "send the bearer token that is this file's only line"},
	{"hook", 0, HOOK, AT(hooks), 0, 0, "NAME=CMD",
	 "what the scenario's act 'hook: NAME' does: this command, by the shell;\n"
	 "may be repeated. A file cannot give one"},
	{.help = "Time limits"},
	{"connect-timeout", 0, DURATION, AT(connect_timeout_ms), 1, DAY_MS, "TIME",
	 "for TCP to connect (default 10s)"},
	{"handshake-timeout", 0, DURATION, AT(handshake_timeout_ms), 1, DAY_MS, "TIME",
	 "for TLS, and for the answer to the upgrade request (default 10s)"},
	{"echo-timeout", 0, DURATION, AT(echo_timeout_ms), 1, DAY_MS, "TIME",
	 "an echo missing for this long is a failure (default 10s)"},
	{.help = "The test"},
	{"scenario", 0, TEXT, AT(scenario_path), 0, 0, "FILE",
	 "take options from this YAML file, whose keys are the long names here\n"
	 "and 'url'; what the command line gives goes first"},
	{"wait-ready", 0, TEXT, AT(ready_text), 0, 0, "URL",
	 "first ask this http or https URL until it answers 200"},
	{"wait-ready-timeout", 0, DURATION, AT(ready_timeout_ms), 1, DAY_MS, "TIME",
	 "give up waiting after this (default 30s)"},
	{"workers", 0, COUNT, AT(workers), 1, 1024, "N",
	 "threads (default: as many as the connections need)"},
	{"engine", 0, ENGINE, AT(engine), 0, 0, "NAME", "auto, io_uring or epoll (default auto)"},
	{"force", 0, FLAG, AT(is_forced), 0, 0, NULL,
	 "go on although this machine cannot open so many connections"},
	{.help = "Results"},
	{"expect", 0, EXPECT, AT(expects), 0, 0, "EXPR",
	 "decide the exit code by this, e.g. 'connected==100%' or 'p99<50ms';\n"
	 "may be repeated: all must be met"},
	{"limits", 0, TEXT, AT(limits_text), 0, 0, "URL",
	 "ask this http(s) URL for the server's limits (a gateway's /limits), to\n"
	 "name the one that stopped the test"},
	{"json", 0, TEXT, AT(json_path), 0, 0, "FILE", "write the whole result there as JSON"},
	{"html", 0, TEXT, AT(html_path), 0, 0, "FILE",
	 "write the whole result there as one page for the browser"},
	{"report", 0, TEXT, AT(report_path), 0, 0, "FILE",
	 "write a report there, as Markdown: background, environment, limits of\n"
	 "both sides, hypotheses and what excludes them, root cause, cure, proof"},
	{"compare", 0, TEXT, AT(compare_path), 0, 0, "FILE",
	 "set this run beside an earlier one, of which FILE is the --json"},
	{"lang", 0, LANGUAGE, AT(lang), 0, 0, "LANG",
	 "of --report and --compare: en or zh (default en)"},
	{"quiet", 'q', FLAG, AT(is_quiet), 0, 0, NULL, "no progress lines"},
	{"help", 'h', FLAG, AT(wants_help), 0, 0, NULL, "this text"},
};

const struct bench_option *bench_option_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].name != NULL && slice_equals(name, slice_from_text(table[i].name)))
			return &table[i];
	return NULL;
}

bool bench_option_is_for_files(const struct bench_option *option)
{
	return option->at != AT(scenario_path) && option->at != AT(wants_help) &&
	       option->kind != HOOK;
}

char *bench_option_hint(struct slice name, char out[BENCH_OPTION_HINT_MAX])
{
	struct suggest suggest = {.seen = name};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].name != NULL)
			suggest_offer(&suggest, table[i].name);
	return suggest_hint(&suggest, out);
}

/* --- the command line --- */

struct arguments {
	struct bench_parse parse;
	int count;
	char **at;
	bool is_given[ARRAY_LEN(table)];
	bool has_url;
};

/* The option of "--name", "--name=value", "-x" or "-xvalue"; *out_value is what is
 * joined to it, or NULL. */
static const struct bench_option *flag_find(const char *arg, const char **out_value)
{
	bool is_long = arg[1] == '-';
	size_t name_len = is_long ? strcspn(arg + 2, "=") : 1;
	const char *rest = is_long ? arg + 2 + name_len : arg + 2;

	*out_value = *rest == 0 ? NULL : is_long ? rest + 1 : rest;
	if (is_long)
		return bench_option_find(slice_of(arg + 2, name_len));
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].letter != 0 && table[i].letter == arg[1])
			return &table[i];
	return NULL;
}

/* The flag at argv[*i] and its value; moves *i to the last one that belongs to it. NULL:
 * it is wrong, and said why. */
static const struct bench_option *flag_read(struct arguments *arguments, int *i,
					    const char **out_value)
{
	struct bench_parse *parse = &arguments->parse;
	const char *arg = arguments->at[*i];
	const char *value = NULL;
	const struct bench_option *option = flag_find(arg, &value);
	char hint[BENCH_OPTION_HINT_MAX];

	if (option == NULL) {
		bench_option_fail(
			parse, "unknown option '%s'%s; --help lists them", arg,
			bench_option_hint(
				slice_of(arg + 2, arg[1] == '-' ? strcspn(arg + 2, "=") : 0),
				hint));
		return NULL;
	}
	if (option->kind == FLAG && value == NULL)
		value = "true";
	if (value == NULL && *i + 1 >= arguments->count) {
		bench_option_fail(parse, "--%s needs a value (%s)", option->name, option->value);
		return NULL;
	}
	*out_value = value != NULL ? value : arguments->at[++*i];
	return option;
}

/* The first item on the command line replaces a scenario's list. */
static int flag_apply(struct arguments *arguments, const struct bench_option *option,
		      const char *value)
{
	bool *is_given = &arguments->is_given[option - table];

	if (!*is_given && bench_option_is_list(option))
		bench_option_clear(&arguments->parse, option);
	*is_given = true;
	return bench_option_set(&arguments->parse, option, value);
}

static int url_take(struct arguments *arguments, const char *text)
{
	if (arguments->has_url)
		return bench_option_fail(&arguments->parse, "'%s': a URL is already given, '%s'",
					 text, arguments->parse.options->url_text);
	arguments->has_url = true;
	arguments->parse.options->url_text = text;
	return 0;
}

/* Finds --scenario, and the mistakes that are such without knowing a value. */
static int scenario_find(struct arguments *arguments)
{
	struct bench_options *options = arguments->parse.options;

	for (int i = 1; i < arguments->count; i++) {
		const char *value;

		if (arguments->at[i][0] != '-' || arguments->at[i][1] == 0)
			continue;
		const struct bench_option *option = flag_read(arguments, &i, &value);

		if (option == NULL)
			return -EINVAL;
		if (option->at == AT(wants_help))
			return flag_apply(arguments, option, value);
		if (option->at != AT(scenario_path))
			continue;
		if (options->scenario_path != NULL)
			return bench_option_fail(&arguments->parse,
						 "--scenario is given twice, '%s' and '%s': a test "
						 "has one",
						 options->scenario_path, value);
		options->scenario_path = value;
	}
	return 0;
}

static int arguments_apply(struct arguments *arguments)
{
	int r = 0;

	for (int i = 1; i < arguments->count && r == 0; i++) {
		const char *value;

		if (arguments->at[i][0] != '-' || arguments->at[i][1] == 0) {
			r = url_take(arguments, arguments->at[i]);
			continue;
		}
		const struct bench_option *option = flag_read(arguments, &i, &value);

		r = option == NULL ? -EINVAL : flag_apply(arguments, option, value);
	}
	return r;
}

static bool is_given(const struct arguments *arguments, size_t at)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].name != NULL && table[i].at == at)
			return arguments->is_given[i];
	return false;
}

/* Of two that exclude each other, the command line's replaces the scenario's. */
static void rivals_settle(struct arguments *arguments)
{
	struct bench_options *options = arguments->parse.options;
	bool has_messages = is_given(arguments, AT(message_rate)) || is_given(arguments, AT(depth));

	if (is_given(arguments, AT(message_rate)) && !is_given(arguments, AT(depth)))
		options->depth = 0;
	if (is_given(arguments, AT(depth)) && !is_given(arguments, AT(message_rate)))
		options->message_rate = 0;
	if (has_messages && !is_given(arguments, AT(is_receiver)))
		options->is_receiver = false;
	if (is_given(arguments, AT(is_receiver)) && options->is_receiver && !has_messages)
		options->message_rate = options->depth = 0;
	if (is_given(arguments, AT(batch)) && !is_given(arguments, AT(connect_rate)))
		options->connect_rate = 0;
	if (is_given(arguments, AT(connect_rate)) && !is_given(arguments, AT(batch)))
		options->batch = options->batch_pause_ms = 0;
}

/* --- the whole --- */

int bench_options_parse(struct bench_options *options, int argc, char **argv, char *error,
			size_t error_size)
{
	struct arguments arguments = {{options, error, error_size}, argc, argv, {0}, false};

	*options = (struct bench_options){
		.connections = 1,
		.size = 64,
		.push_messages = 100,
		.push_rate = 10,
		.ready_timeout_ms = 30000,
		.connect_timeout_ms = DEFAULT_TIMEOUT_MS,
		.handshake_timeout_ms = DEFAULT_TIMEOUT_MS,
		.echo_timeout_ms = DEFAULT_TIMEOUT_MS,
	};
	int r = scenario_find(&arguments);

	if (r < 0 || options->wants_help)
		return r;
	if (options->scenario_path != NULL)
		r = bench_scenario_load(&arguments.parse, options->scenario_path,
					&options->scenario);
	if (r == 0)
		r = arguments_apply(&arguments);
	rivals_settle(&arguments);
	return r < 0 ? r : bench_options_check(&arguments.parse);
}

void bench_options_finish(struct bench_options *options)
{
	free(options->node_urls);
	buf_finish(&options->headers);
	buf_finish(&options->subprotocols);
	bench_scenario_destroy(&options->scenario);
}

/* Later lines of a help text stand under the first. */
static void help_print(FILE *to, const struct bench_option *option)
{
	char left[40];

	if (option->name == NULL) {
		fprintf(to, "\n%s:\n", option->help);
		return;
	}
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
	fputs("Usage: gatehouse bench URL [OPTIONS]\n"
	      "       gatehouse bench --scenario FILE [URL] [OPTIONS]\n\n"
	      "Opens many real WebSocket connections, sends messages, checks every echo byte for\n"
	      "byte, and ends with a verdict. URL is ws://HOST[:PORT]/PATH, or wss:// for TLS; "
	      "each\n"
	      "{n} in its path or query becomes the connection's number, 1 to N.\n",
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
