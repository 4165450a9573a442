/* SPDX-License-Identifier: Apache-2.0
 * renewal.h - a new token for a client that is connected.
 *
 * Layer: auth. Pure but for the keys, which are looked up. */
#pragma once

#include "auth/auth.h"

/* Shows the token to the ways of the list that read tokens. Verdict and result are those of the
 * first that is satisfied, or of the last; AUTH_NO_PROOF: none of them reads tokens. */
enum auth_verdict renewal_check(const struct auth *auth, struct slice token,
				struct auth_result *out_result);

/* May clients renew by a message of their own? */
bool renewal_is_by_message(const struct auth *auth);

enum renewal_message {
	RENEWAL_NONE,  /* any other message */
	RENEWAL_GOOD,  /* *out_token is written */
	RENEWAL_WRONG, /* it says that it is one, and has no token as it must be */
};

/* {"gatehouse": "renew", "token": "..."}: an object whose first member says what it is. The token
 * is a view into `text`. */
enum renewal_message renewal_read(struct slice text, struct slice *out_token);
