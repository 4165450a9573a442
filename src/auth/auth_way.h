/* SPDX-License-Identifier: Apache-2.0
 * auth_way.h - one way to prove who one is, as a struct of functions.
 *
 * Layer: auth. A way is made with the list it belongs to and then used by all workers at once: what
 * it keeps is constant, or has a lock that is held for a look-up. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net_ip.h"
#include "proto/http_head.h"

struct fleet_home;
struct loop;
struct mailbox;
struct tls_peer_facts;

/* X(NAME, label): what a way, or all of them, say of a client; the label is the metric's
 * `outcome`. */
#define AUTH_VERDICT_TABLE(X)                                                               \
	X(PROVED, "proved")           /* it is who it says */                               \
	X(NO_PROOF, "no_proof")       /* nothing was shown that is for this way: 401 */     \
	X(WRONG, "wrong")             /* a proof that is none: 401 */                       \
	X(FORBIDDEN, "forbidden")     /* a good proof, but not for this id or route: 403 */ \
	X(PACED, "paced")             /* not looked at: too many wrong ones before: 429 */  \
	X(BUSY, "busy")               /* too many are being looked at: 503 */               \
	X(UNAVAILABLE, "unavailable") /* what decides is out of reach: 503 */               \
	X(LATER, "later")             /* not known yet */

#define AUTH_VERDICT_ENUM(NAME, ...) AUTH_##NAME,
enum auth_verdict { AUTH_VERDICT_TABLE(AUTH_VERDICT_ENUM) AUTH_VERDICT_COUNT };

const char *auth_verdict_label(enum auth_verdict verdict);

/* What a client shows. All of it is lent for the call. */
struct auth_request {
	const struct http_head *head; /* of the upgrade; `data` has its bytes */
	const uint8_t *data;
	const char *route;                 /* its name */
	const char *client_id;             /* of the path, decoded; NULL: the route has none */
	const struct tls_peer_facts *peer; /* its certificate, verified; NULL: it showed none */
	struct net_ip client;              /* whom a trusted proxy speaks for, or the peer */
	bool is_sealed;                    /* it came by TLS */
	/* Of the worker that asks, for what is done elsewhere. */
	struct loop *loop;
	struct mailbox *mailbox;
	struct fleet_home *fleet_home; /* for roads to other nodes, which know what it is */
};

/* [bytes] What is longer is no client id, and a subject is cut. */
#define AUTH_CLIENT_ID_MAX 255
#define AUTH_SUBJECT_MAX   1023

/* What was proved, or why not. Zero-initialise. */
struct auth_result {
	/* Proved: each is malloc'd. auth_ask sees to it that the id is a good one. */
	char *client_id;       /* NULL: this way proves no id, the path's is good */
	char *subject;         /* as whom it is known there, for the back end; NULL: as client_id */
	char *subprotocol;     /* to be spoken; NULL: by the route's rules */
	char *groups;          /* to join, with commas between; NULL: none */
	uint64_t expires_at_s; /* [s] since the epoch; 0: never */
	/* Not proved; static texts, or the way's. */
	const char *reason;    /* a word for programs: "wrong_secret" */
	const char *detail;    /* for people; nothing secret, nothing that is true of one id only */
	uint64_t current, max; /* of the limit that PACED or BUSY is about */
	const char *challenge; /* for WWW-Authenticate in place of the way's own */
	/* Filled by auth_ask: whose result it is; NULL: of none. */
	const struct auth_way *way;
};

/* Frees what is in it, and zeroes it. */
void auth_result_finish(struct auth_result *result);

/* For ways: "not proved, because"; returns the verdict. */
enum auth_verdict auth_result_set(struct auth_result *result, enum auth_verdict verdict,
				  const char *reason, const char *detail);

/* Of what a way has found good: a proof is one of an id, and good for that alone. `client_id` is
 * the path's; NULL: it has none. AUTH_PROVED, or AUTH_FORBIDDEN with the reason. */
enum auth_verdict auth_proof_check(const char *client_id, struct auth_result *result);

struct pace;

/* For ways: "not looked at, because too many were wrong". */
enum auth_verdict auth_result_paced(struct auth_result *result, const struct pace *pace);

struct auth_error;
struct auth_way;

/* An answer of one way that comes later. */
struct auth_pending {
	void *job; /* the way's own, to be known again in cancel */
	/* Nobody waits any more: auth_pending_done is not called. In the thread that asked. */
	void (*cancel)(struct auth_pending *pending);
};

/* In the thread that asked, once for each AUTH_LATER, never from inside `check`; the pending is
 * gone then. Takes over what is in `result`. Not with AUTH_LATER. */
void auth_pending_done(struct auth_pending *pending, enum auth_verdict verdict,
		       struct auth_result *result);

struct auth_way_ops {
	const char *name; /* of the way in metrics, log and events: "basic" */
	/* [relative] Ways are asked in this order, whatever the configuration's: */
	int cost;
	/* For WWW-Authenticate, of whoever proved nothing; NULL: this way has none. */
	const char *(*challenge)(const struct auth_way *way);
	/* Looks at what the client shows. AUTH_PROVED fills what was proved, anything else says
	 * why not (auth_result_set). AUTH_LATER fills *out_pending, whose address stays. */
	enum auth_verdict (*check)(const struct auth_way *way, const struct auth_request *request,
				   struct auth_result *out_result,
				   struct auth_pending *out_pending);
	/* Writes '*' over what a client shows of this kind, good or not: `data`, a copy of the
	 * request, is for others' eyes. NULL: nothing of it is secret. */
	void (*hide)(const struct auth_way *way, const struct http_head *head, uint8_t *data);
	/* The file that it was made from; NULL, also for the function: none. */
	const char *(*file)(const struct auth_way *way);
	/* In the main thread, when that has changed: reads it again, all or nothing. 0, or a
	 * negative errno with error->text, and what was known before is still in force. */
	int (*renew)(struct auth_way *way, struct auth_error *error);
	void (*destroy)(struct auth_way *way);
};

/* Costs, from what a look-up takes to what is asked of somebody else. */
enum {
	AUTH_COST_FACTS = 10,     /* compares what is known already: a certificate */
	AUTH_COST_TABLE = 20,     /* looks something up: a ticket */
	AUTH_COST_HASH = 30,      /* hashes once: a device's key */
	AUTH_COST_SIGNATURE = 40, /* verifies a signature: a token */
};

/* The part that all kinds have. */
struct auth_way {
	const struct auth_way_ops *ops;
};
