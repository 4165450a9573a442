/* SPDX-License-Identifier: Apache-2.0
 * refuse_proof.h - the answer to a client that has not proved who it is.
 *
 * Layer: conn. After it the connection ends. */
#pragma once

#include "auth/auth.h"
#include "conn/conn.h"

struct proof_refusal {
	const struct auth *auth;
	const char *client_id; /* of the path, for the log; NULL: none */
	enum auth_verdict verdict;
	const struct auth_result *result; /* reason and detail */
};

/* 401 with what may be shown, 403 for a proof of something else, 503 if nobody can tell now; a
 * problem document with `reason`, a Retry-After at random, and one line in the log. */
void conn_refuse_proof(struct conn *conn, const struct proof_refusal *refusal);
