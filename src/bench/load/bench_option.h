/* SPDX-License-Identifier: Apache-2.0
 * bench_option.h - one option of the load tester: how its value is read from a text.
 *
 * Layer: bench. The same for the command line and for a scenario's file; the table is
 * bench_options.c's. */
#pragma once

#include "bench/load/bench_options.h"

enum bench_option_kind {
	HEADING, /* none: a line of the help */
	COUNT,
	RATE,
	PERCENT,
	DURATION,
	SIZE,
	TEXT,
	FLAG,
	ENGINE,
	HEADER,
	SUBPROTOCOL,
	EXPECT,
	VERSION,
	LANGUAGE,
	BASIC,
	PAYLOAD,
	NODE,
	HOOK,
};

struct bench_option {
	const char *name; /* NULL: a heading */
	char letter;      /* 0: none */
	enum bench_option_kind kind;
	size_t at; /* offset in struct bench_options */
	uint64_t min, max;
	const char *value; /* what help calls it */
	const char *help;
};

struct bench_parse {
	struct bench_options *options;
	char *error;
	size_t error_size;
};

/* Writes the sentence to `error`; returns -EINVAL. */
__attribute__((format(printf, 2, 3))) int bench_option_fail(struct bench_parse *parse,
							    const char *format, ...);

/* Reads `value`, which stays the caller's and must last as long as the options; a list
 * gets one more item, a flag is "true" or "false". 0 or -EINVAL with a sentence that
 * begins with "--name: ". */
int bench_option_set(struct bench_parse *parse, const struct bench_option *option,
		     const char *value);

/* May it be given more than once? */
bool bench_option_is_list(const struct bench_option *option);

/* Empties a list. */
void bench_option_clear(struct bench_parse *parse, const struct bench_option *option);

/* The option of that long name, or NULL. */
const struct bench_option *bench_option_find(struct slice name);

/* False for what makes sense on the command line alone: --scenario, --help. */
bool bench_option_is_for_files(const struct bench_option *option);

/* "; did you mean NAME?" or "". */
#define BENCH_OPTION_HINT_MAX 96
char *bench_option_hint(struct slice name, char out[BENCH_OPTION_HINT_MAX]);

/* What the single options cannot see: 0, or -EINVAL with a sentence. Parses the URLs. */
int bench_options_check(struct bench_parse *parse);
