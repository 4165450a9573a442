/* SPDX-License-Identifier: Apache-2.0
 * server_proofs.h - what proofs of clients need of the process: keys of tokens, and tickets.
 *
 * Layer: server. Outlives the workers. */
#pragma once

#include "auth/jwks.h"
#include "config/config.h"
#include "server/ticket_road.h"

struct server_proofs {
	struct jwks_pool *jwks;
	struct tickets *tickets;
	struct ticket_ear ear;
};

/* Once the fleet has its bus. 0 or -ENOMEM. */
int server_proofs_open(struct server_proofs *proofs, struct fleet *fleet,
		       const struct config *config);

/* When no worker is left. Harmless if nothing is open. */
void server_proofs_close(struct server_proofs *proofs);
