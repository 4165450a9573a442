/* SPDX-License-Identifier: Apache-2.0
 * takeover.h - one client, one connection, on whichever node: asked before it comes in, and
 * announced from then on.
 *
 * Layer: fleet. All in the thread of the client's worker; only if the fleet is clustered.
 *
 * Before a client comes in, one question goes to its control subject. Nobody is subscribed:
 * nobody has it. Otherwise its holder tells its claim. Then the connection that is in announces
 * its own: whoever hears it and has the weaker one (claim.h) closes; whoever has the stronger
 * one says so. No answer, or no broker, keeps nobody out. What that and two who came at once
 * leave behind is settled by announcing again: soon after, when a broker is back, and slowly
 * for ever. */
#pragma once

#include "bus/bus.h"
#include "fleet/takeover/claim.h"
#include "session/presence.h"

struct client;
struct fleet_home;

/* --- before it comes in --- */

enum takeover_answer {
	TAKEOVER_FREE,    /* it is connected nowhere */
	TAKEOVER_HELD,    /* it is; by whom is told */
	TAKEOVER_UNKNOWN, /* nobody knows in time */
};

struct takeover_question {
	struct bus_request request;
	struct fleet_home *home;
	/* Once, from loop_run, unless it is cancelled before. `holder` is lent; NULL but with
	 * TAKEOVER_HELD. Afterwards the question is gone. */
	void (*on_answer)(void *owner, enum takeover_answer answer,
			  const struct client_claim *holder);
	void *owner; /* NULL: nobody wants to know any more */
};

/* NULL: nobody can be asked now. */
struct takeover_question *takeover_ask(struct fleet_home *home, const struct presence *presence,
				       void (*on_answer)(void *owner, enum takeover_answer answer,
							 const struct client_claim *holder),
				       void *owner);

/* NULL in it is fine. Clears the pointer. */
void takeover_ask_cancel(struct takeover_question **question);

/* Before it enters the directory: gives a presence its time and generation, behind those of
 * `holder`, if there is one. */
void takeover_stamp(struct presence *presence, const struct client_claim *holder);

/* --- once it is in --- */

/* In struct client. */
struct takeover {
	struct timer timer; /* for the next announcement */
	enum directory_policy policy;
	bool is_on; /* else all of this is unused */
};

/* It is in, by this policy of its own, and its subscriptions are made. Of many nothing is
 * announced. */
void takeover_enter(struct client *client, enum directory_policy policy);

/* Likewise, of one that comes from another process of this node, which has announced it: nothing is
 * said before its time. Until takeover_thaw no time runs. */
void takeover_restore(struct client *client, enum directory_policy policy);

/* Harmless if it never came in. */
void takeover_thaw(struct client *client);

/* They are about to go. Harmless if it never came in. */
void takeover_leave(struct client *client);

/* Announces it again, at some time within so long and a second. */
void takeover_again(struct client *client, uint64_t within_ns);

/* What it says of itself; the node's name lives as long as the fleet. */
struct client_claim takeover_claim(const struct client *client);

/* Somebody else says that the client is his. True: he is right, and the caller closes the
 * session as taken over. `is_reply`: it was said because of an announcement. */
bool takeover_told(struct client *client, const struct client_claim *other, bool is_reply);
