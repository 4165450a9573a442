/* SPDX-License-Identifier: Apache-2.0
 * renewal.c - the end of what a client has proved moves to that of a new token
 * (docs/auth-tokens.md).
 *
 * The token must prove the same as what let the client in: its id, and its subject. It comes by
 * the API, or in a message of the client, on routes that allow it. The new token's groups and
 * subprotocol change nothing. */
#include "conn/renewal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "auth/renewal.h"
#include "base/clock.h"
#include "conn/conn_auth.h"
#include "conn/hull.h"
#include "conn/phase_closing.h"
#include "conn/ws_writer.h"
#include "fleet/expiry.h"

static int refuse(struct session_renewal *renewal, int r, const char *reason, const char *detail)
{
	renewal->reason = reason;
	renewal->detail = detail;
	return r;
}

static bool is_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* A proof that names no id must be of the same subject, else anybody's token would do. */
static bool proves_the_same(const struct presence *presence, const struct auth_result *result)
{
	struct presence_proof proof;

	if (!presence_proof(presence, &proof))
		return false;
	if (result->client_id != NULL && !is_same(result->client_id, presence->client_id))
		return false;
	const char *subject = result->subject != NULL ? result->subject : result->client_id;

	return is_same(subject, proof.subject);
}

static int judge(struct session *session, enum auth_verdict verdict,
		 const struct auth_result *result, struct session_renewal *renewal)
{
	if (verdict == AUTH_UNAVAILABLE)
		return refuse(renewal, -EAGAIN, result->reason, result->detail);
	if (verdict != AUTH_PROVED)
		return refuse(renewal, -EACCES, result->reason, result->detail);
	if (!proves_the_same(session->presence, result))
		return refuse(renewal, -EACCES, "other_client",
			      "The token is good, but not for this client.");
	expiry_move(session, result->expires_at_s);
	renewal->expires_at_s = result->expires_at_s;
	return 0;
}

int conn_renew(struct session *session, struct slice token, struct session_renewal *out_renewal)
{
	struct conn *conn = conn_of_session(session);
	const struct auth *auth = conn_auth_now(conn);
	struct auth_result result = {0};

	if (auth == NULL || expiry_at_s(session) == 0)
		return refuse(out_renewal, -EACCES, "does_not_expire",
			      "What the client has proved does not end.");
	int r = judge(session, renewal_check(auth, token, &result), &result, out_renewal);

	auth_result_finish(&result);
	stat_add(r == 0 ? &conn_stats(conn)->renewals : &conn_stats(conn)->renewals_refused, 1);
	return r;
}

/* --- by a message --- */

static void answer(struct conn *conn, int r, const struct session_renewal *renewal)
{
	char text[512];
	uint64_t now_s = clock_wall_ns() / NS_PER_S, at_s = renewal->expires_at_s;
	int len = r == 0 ? snprintf(text, sizeof(text),
				    "{\"gatehouse\":\"renewed\",\"expires_at\":%" PRIu64
				    ",\"expires_in\":%" PRIu64 "}",
				    at_s, at_s > now_s ? at_s - now_s : 0)
			 : snprintf(text, sizeof(text),
				    "{\"gatehouse\":\"not_renewed\",\"reason\":\"%s\"}",
				    renewal->reason);

	if (ws_write_message(conn, &(struct message){.is_text = true,
						     .bytes = slice_of(text, (size_t)len)}) < 0)
		conn_ws_fail(conn, CLOSE_NO_MEMORY);
}

bool conn_renewal_take(struct conn *conn, const struct message *message)
{
	struct session *session = conn_session(conn);
	struct session_renewal renewal = {0};
	struct slice token;

	if (!message->is_text || expiry_at_s(session) == 0)
		return false;
	const struct auth *auth = conn_auth_now(conn);

	if (auth == NULL || !renewal_is_by_message(auth))
		return false;
	enum renewal_message what = renewal_read(message->bytes, &token);
	int r;

	if (what == RENEWAL_NONE)
		return false;
	if (!expiry_may_try(session))
		r = refuse(&renewal, -EACCES, "too_often", "");
	else if (what == RENEWAL_WRONG)
		r = refuse(&renewal, -EACCES, "malformed", "");
	else
		r = conn_renew(session, token, &renewal);
	answer(conn, r, &renewal);
	return true;
}
