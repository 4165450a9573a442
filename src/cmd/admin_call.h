/* SPDX-License-Identifier: Apache-2.0
 * admin_call.h - a command asks the gateway that runs with its configuration, over the API.
 *
 * Layer: cmd. Blocks. The address, the token and TLS are those of the configuration, so that a
 * command needs no others. On this machine's own loopback any certificate is believed: it rarely
 * bears that address. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct admin_request {
	const char *command; /* "drain": for what is said */
	const char *method;
	const char *path; /* "/api/v1/drain" */
	json_t *body;     /* lent; NULL: none */
	const char *mark; /* a text that each good answer has, such as "outcome" */
	uint64_t timeout_ms;
};

struct admin_answer {
	unsigned status;
	json_t *body; /* NULL: it is no JSON */
};

/* Where a listener of this machine is asked: one that listens on all addresses, on loopback. */
struct net_addr admin_call_address(const struct net_addr *listener);

/* False: no gateway has answered, and standard error says why; a good status without the mark is
 * of somebody else. Else *out_answer, whatever its status is, is the caller's to finish. */
bool admin_call(const struct config *config, const struct admin_request *request,
		struct admin_answer *out_answer);

void admin_answer_finish(struct admin_answer *answer);

/* A status of 4xx or 5xx, in words, on standard error. */
void admin_answer_tell(const struct admin_request *request, const struct admin_answer *answer);
