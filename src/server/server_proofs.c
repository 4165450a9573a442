/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_proofs.h"

#include <errno.h>

#include "base/log.h"
#include "fleet/fleet.h"

/* In the thread that fetches. */
static void on_fetched(void *arg, const struct jwks *jwks, enum jwks_outcome outcome,
		       uint32_t failures, const char *error)
{
	(void)arg;
	if (outcome == JWKS_LOADED)
		log_info("keys of tokens are loaded", F_TEXT("jwks", jwks_name(jwks)));
	else
		log_warn("keys of tokens cannot be loaded; those from before, if any, stay in use",
			 F_TEXT("jwks", jwks_name(jwks)),
			 F_TEXT("outcome", jwks_outcome_label(outcome)), F_TEXT("error", error),
			 F_UINT("failures", failures));
}

int server_proofs_open(struct server_proofs *proofs, struct fleet *fleet,
		       const struct config *config)
{
	*proofs = (struct server_proofs){
		.jwks = jwks_pool_create(on_fetched, NULL),
		.tickets = tickets_create(fleet->origin, config->admin.tickets_max),
	};
	proofs->ear = (struct ticket_ear){.tickets = proofs->tickets, .fleet = fleet};
	return proofs->jwks == NULL || proofs->tickets == NULL ? -ENOMEM : 0;
}

void server_proofs_close(struct server_proofs *proofs)
{
	jwks_pool_unref(&proofs->jwks);
	tickets_destroy(&proofs->tickets);
}
