/* SPDX-License-Identifier: Apache-2.0
 * start.h - what must be well for a gateway to start: serve insists on it, check tells of it.
 *
 * Layer: cmd. One path for both, so that they have one verdict and the same words. Blocks:
 * reads the files that the configuration names, and /proc; may make a trial ring. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "admin/api/api_token.h"
#include "base/log.h"
#include "config/config.h"
#include "diag/plan.h"

#define START_FIELDS_MAX 6

struct handover_sockets;

struct start_problem {
	const char *message;
	const struct log_field *fields; /* what is seen and allowed, and the remedy */
	size_t field_count;
	/* A port is another gateway's: this one would have it after that has ended. */
	bool is_other_gateway;
	bool is_warning; /* dangerous, but nothing that keeps a gateway from its start */
};

/* "server.max_connections cannot be held: limit nofile; value 1024; ..." */
void start_problem_print(const struct start_problem *problem, FILE *to);

/* What was read on the way. `plan` points to `facts`: it stays where it is. */
struct start {
	struct api_token token;
	struct plan_facts facts;
	struct plan plan; /* made if nothing is wrong */
};

/* The engine that is wanted, as the loop names it. */
enum loop_engine start_engine(const struct config *config);

/* Which limit is in the way, of a plan that does not fit. */
void start_tell_plan(const struct plan *plan, bool is_auto,
		     void (*on_problem)(void *arg, const struct start_problem *problem), void *arg);

/* The same of a gateway that runs and reads its configuration again: the files that it names, and
 * no more. Its limits are the business of live_plan.h, and its addresses are taken by
 * server_reload. */
size_t start_prepare_again(const struct config *config, struct api_token *out_token,
			   void (*on_problem)(void *arg, const struct start_problem *problem),
			   void *arg);

/* Calls on_problem for each thing that is wrong, and returns how many there were, without the
 * warnings. */
size_t start_prepare(const struct config *config, struct start *start,
		     void (*on_problem)(void *arg, const struct start_problem *problem), void *arg);

/* The same of a process that has these listening sockets already; NULL: none. */
size_t start_prepare_with(const struct config *config, const struct handover_sockets *sockets,
			  struct start *start,
			  void (*on_problem)(void *arg, const struct start_problem *problem),
			  void *arg);
