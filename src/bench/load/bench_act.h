/* SPDX-License-Identifier: Apache-2.0
 * bench_act.h - what happens to the server while connections are held: the acts of a scenario.
 *
 * Layer: bench. Pure functions. An act calls the API of a gateway, waits until a URL answers with a
 * status, or runs a command that the command line gives (a file cannot). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bench/load/bench_url.h"

#define BENCH_ACTS_MAX          16
#define BENCH_ACT_WITHIN_MS     30000
#define BENCH_ACT_WITHIN_MAX_MS 3600000
#define BENCH_ACT_BODY_MAX      4096
#define BENCH_ACT_TARGET_MAX    1024

enum bench_act_kind {
	BENCH_ACT_CALL,  /* "POST /api/v1/upgrade" */
	BENCH_ACT_AWAIT, /* "/health 503" */
	BENCH_ACT_HOOK,  /* "stop-broker" */
	BENCH_ACT_KINDS,
};

struct bench_act {
	enum bench_act_kind kind;
	double at_percent;  /* of the hold; negative: at_ms is given */
	uint64_t at_ms;     /* into the hold; of a share known after the check */
	uint64_t within_ms; /* it must have ended */
	const char *text;   /* as above */
	const char *body;   /* of a call; NULL: none */
	size_t line;        /* of the file */
};

struct bench_acts {
	size_t count;
	struct bench_act rows[BENCH_ACTS_MAX];
};

/* "call", "await", "hook" */
const char *bench_act_kind_name(enum bench_act_kind kind);

/* What a call or an await asks. */
struct bench_act_target {
	char method[8];
	char target[BENCH_ACT_TARGET_MAX]; /* a path at --api, or an http URL of its own */
	unsigned status;                   /* of an await */
};

/* NULL, or what is wrong with the text (fits behind it). */
const char *bench_act_parse(const struct bench_act *act, struct bench_act_target *out);

/* The URL of that, at `api` if it is a path. NULL, or what is wrong with it. */
const char *bench_act_url(const struct bench_act_target *target, const struct bench_url *api,
			  struct bench_url *out);

struct bench_parse;

/* What must hold between acts and options: 0, or -EINVAL with a sentence. */
int bench_acts_check(struct bench_parse *parse);

struct bench_options;

/* The command of the hook of that name, or NULL. */
const char *bench_hook_find(const struct bench_options *options, const char *name);
