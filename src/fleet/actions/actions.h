/* SPDX-License-Identifier: Apache-2.0
 * actions.h - several things that are to be done with one client, one after the other: what a back
 * end may answer to an event, and anybody may ask for by a command (docs/backend-contract.md).
 *
 * Layer: fleet. All of a list is read and checked before anything of it is done. */
#pragma once

#include <jansson.h>

#include "config/config.h"
#include "fleet/fleet.h"
#include "session/session.h"

/* Of one list; each group that is joined or left counts as one. */
#define ACTIONS_MAX 100

struct actions; /* a list; belongs to one thread at a time */

/* What is wrong with a list, in UTF-8. */
struct actions_fault {
	char where[64];      /* "actions[2].send.text" */
	const char *what;    /* "is no string"; static text */
	char seen[64];       /* "": nothing to be shown */
	const char *allowed; /* static text */
};

/* "actions[2].send.text is no string; seen: 7; allowed: ..." */
void actions_fault_format(const struct actions_fault *fault, char *out, size_t size);

/* The whole document. `message_max`: [bytes] of one message. NULL: it is none, and *out_fault says
 * why. */
struct actions *actions_read(struct slice json, uint64_t message_max,
			     struct actions_fault *out_fault);

/* The same from {"actions": [...]}, which stays the caller's, and may have other members. */
struct actions *actions_read_members(const json_t *members, uint64_t message_max,
				     struct actions_fault *out_fault);

/* NULL is fine; the pointer is cleared. */
void actions_destroy(struct actions **actions);

/* Is one a message that is a call by this framing, and which? Calls have another way (docs/rpc.md).
 */
bool actions_have_call(const struct actions *actions, enum config_rpc rpc, size_t *out_index);

/* How many the document has. */
size_t actions_count(const struct actions *actions);

/* [bytes] that it may hold. */
size_t actions_size(const struct actions *actions);

/* How they are done, and who hears of what could not be. */
struct actions_way {
	/* session_send, whose client is held back meanwhile, or session_push. */
	int (*send)(struct session *session, const struct message *message);
	/* The one at `index` of the document, of this name; the others are done all the same,
	 * unless the connection has ended. `reason` is a word for programs; static text. */
	void (*on_failed)(void *arg, size_t index, const char *name, const char *reason);
	void *arg;
};

/* In the client's thread. Afterwards the session may be closing. */
void actions_run(const struct actions *actions, struct session *session,
		 const struct actions_way *way);
