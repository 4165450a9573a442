/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/profile.h"

#include "conn/refuse_proof.h"
#include "conn/told_tls.h"

static bool refuse(struct conn *conn, struct auth *auth, const char *client_id, const char *reason,
		   const char *detail)
{
	struct auth_result result = {0};
	enum auth_verdict verdict = auth_result_set(&result, AUTH_FORBIDDEN, reason, detail);

	conn_refuse_proof(conn, &(struct proof_refusal){.auth = auth,
							.client_id = client_id,
							.verdict = verdict,
							.result = &result});
	return false;
}

bool conn_profile_check(struct conn *conn, struct auth *auth, const char *client_id)
{
	enum config_security_profile profile = conn_route(conn)->config->security_profile;
	const struct tcp_tls_facts *tls = conn_tls_facts(conn);

	if (profile >= CONFIG_PROFILE_2 && tls == NULL)
		return refuse(conn, auth, client_id, "tls_required",
			      profile == CONFIG_PROFILE_2
				      ? "This route has security profile 2 of OCPP: connect by TLS "
					"(wss:), to a port that speaks it."
				      : "This route has security profile 3 of OCPP: connect by TLS "
					"(wss:) with the charger's certificate.");
	if (profile == CONFIG_PROFILE_3 && tls->peer == NULL)
		return refuse(conn, auth, client_id, "client_certificate_required",
			      "This route has security profile 3 of OCPP: show the charger's "
			      "certificate in the TLS handshake; a password does not help.");
	return true;
}
