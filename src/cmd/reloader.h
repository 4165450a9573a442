/* SPDX-License-Identifier: Apache-2.0
 * reloader.h - reads the configuration again, with all files that it names, while clients are
 * connected; for SIGHUP and for the API.
 *
 * Layer: cmd. In the main thread, which it may block for a while, but for reloader_ask. Whoever
 * asks while it is asked for already gets the same answer: many who ask at once are one reading. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cmd/config_args.h"
#include "cmd/reload_report.h"

struct admin;
struct reloads;
struct server;

struct reloader_options {
	struct server *server;
	struct admin *admin;            /* takes the API's token */
	struct reloads *reloads;        /* who waits for an answer */
	const struct config_args *args; /* as at start; all outlive it */
	int argc;
	char **argv;
};

struct reloader {
	struct reloader_options options;
	bool is_wanted;
	const char *asked_by; /* of the first who wants it; static text */
	uint64_t due_ns;      /* not before; a file that changes is given time */
	uint64_t give_up_ns;  /* but not for ever */
	uint64_t read_ns;     /* when the last reading ended */
};

void reloader_init(struct reloader *reloader, const struct reloader_options *options);

/* Reads soon: SIGHUP has come, of somebody or of the API. */
void reloader_want(struct reloader *reloader);

/* [ms] until reloader_tick has something to do, at most `max_ms`. */
int reloader_wait_ms(const struct reloader *reloader, int max_ms);

/* Reads, if it is wanted and time, and answers who waits. */
void reloader_tick(struct reloader *reloader);

/* The process ends: who waits is told so. */
void reloader_close(struct reloader *reloader);
