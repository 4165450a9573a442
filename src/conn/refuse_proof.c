/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/refuse_proof.h"

#include "conn/conn_log.h"
#include "conn/hull.h"
#include "conn/refuse.h"
#include "conn/reply.h"

/* [bytes] Of all challenges together; the reply has room for no more. */
#define CHALLENGES_MAX 400

static const char *challenge_of(const struct auth_way *way, const struct auth_result *result)
{
	if (result->way == way && result->challenge != NULL)
		return result->challenge;
	return way->ops->challenge == NULL ? NULL : way->ops->challenge(way);
}

/* Two ways that ask for the same say it once. */
static bool is_said(const struct proof_refusal *refusal, size_t before, const char *challenge)
{
	for (size_t i = 0; i < before; i++) {
		const char *other = challenge_of(auth_way_at(refusal->auth, i), refusal->result);

		if (other != NULL && strcmp(other, challenge) == 0)
			return true;
	}
	return false;
}

/* True: something may be shown. A header for each, since some clients read but one challenge of
 * a header (RFC 9110, 11.6.1). */
static bool add_challenges(struct http_reply *reply, const struct proof_refusal *refusal)
{
	const struct auth_way *way;
	size_t used = 0;

	for (size_t i = 0; (way = auth_way_at(refusal->auth, i)) != NULL; i++) {
		const char *challenge = challenge_of(way, refusal->result);
		size_t len = challenge == NULL ? 0 : strlen(challenge) + 20;

		if (len == 0 || used + len > CHALLENGES_MAX || is_said(refusal, i, challenge))
			continue;
		http_reply_header(reply, "WWW-Authenticate: %s", challenge);
		used += len;
	}
	return used > 0;
}

/* 401 must have a challenge (RFC 9110, 15.5.2); where nothing that a request can carry would
 * help, it is 403. */
static unsigned status_of(struct http_reply *reply, const struct proof_refusal *refusal)
{
	switch (refusal->verdict) {
	case AUTH_NO_PROOF:
	case AUTH_WRONG:
		return add_challenges(reply, refusal) ? 401 : 403;
	case AUTH_UNAVAILABLE:
		return 503;
	default:
		return 403;
	}
}

/* Nothing of what the client has shown. */
static void tell(struct conn *conn, const struct proof_refusal *refusal, unsigned status)
{
	const struct auth_way *way = refusal->result->way;
	uint64_t suppressed;

	if (!log_gate_pass(&conn->home->service->proof_gate, loop_now(conn->home->loop),
			   &suppressed))
		return;
	conn_log_warn(conn, "client not let in: no good proof", F_TEXT("event", "security"),
		      F_UINT("status", status), F_TEXT("reason", refusal->result->reason),
		      F_TEXT("way", way == NULL ? NULL : way->ops->name),
		      F_UINT("suppressed", suppressed));
}

static void refuse(struct conn *conn, const struct proof_refusal *refusal)
{
	struct http_reply reply = {0};

	if (refusal->verdict == AUTH_PACED || refusal->verdict == AUTH_BUSY) {
		conn_refuse(conn,
			    refusal->verdict == AUTH_PACED ? REFUSAL_AUTH_FAILURES
							   : REFUSAL_PASSWORD_QUEUE,
			    refusal->result->current, refusal->result->max);
		return;
	}
	unsigned status = status_of(&reply, refusal);

	reply.is_unproved = refusal->verdict == AUTH_NO_PROOF || refusal->verdict == AUTH_WRONG;
	conn_count_rejected(conn);
	conn_count_failure(conn, ROUTE_FAILURE_PROOF);
	tell(conn, refusal, status);
	http_reply_retry_after(&reply, conn_retry_after_s(conn));
	http_reply_problem_about(&reply, &(struct problem){
						 .status = status,
						 .reason = refusal->result->reason,
						 .detail = refusal->result->detail,
					 });
	conn_answer(conn, &reply, true);
}

void conn_refuse_proof(struct conn *conn, const struct proof_refusal *refusal)
{
	CHECK(refusal->verdict != AUTH_PROVED && refusal->verdict != AUTH_LATER);
	conn->home->claimed_id = refusal->client_id;
	refuse(conn, refusal);
	conn->home->claimed_id = NULL;
}
