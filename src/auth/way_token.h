/* SPDX-License-Identifier: Apache-2.0
 * way_token.h - a client proves who it is by a signed token (docs/auth-tokens.md).
 *
 * Layer: auth. What the token says is taken as the configuration tells: a claim is the client's
 * id, others its groups and subprotocol, and its `exp` is the end of what it proves. */
#pragma once

#include "auth/auth_way.h"
#include "auth/jwks.h"
#include "auth/jwt.h"
#include "auth/shown.h"

/* Texts are lent for as long as the way lives. */
struct renewals;

struct token_options {
	struct jwt_rules rules;
	struct shown_rules shown;
	const char *client_id_claim;   /* NULL: it proves no id */
	const char *groups_claim;      /* a list of names, or one text with spaces; NULL: none */
	const char *subprotocol_claim; /* NULL: none */
	struct renewals *renewals;     /* that reads a file of keys again; outlives the way */
	bool takes_messages;           /* a connected client may send a new token */
};

/* Takes over the reference to the keys. NULL: memory is out, and it is still the caller's. */
struct auth_way *token_way_create(const struct token_options *options, struct jwks *jwks);

/* Is it a way that was made here? Then what a token proves can be asked of it at any time, also
 * for a client that is connected already: verdict and result as of a check. */
bool auth_way_is_token(const struct auth_way *way);
bool token_way_takes_messages(const struct auth_way *way);
enum auth_verdict token_way_read(const struct auth_way *way, struct slice token,
				 struct auth_result *out_result);
