/* SPDX-License-Identifier: Apache-2.0
 * server_limits.h - the limits of a gateway, from its configuration and its plan: all that lies
 * outside of the rules that connections hold (session/ruleset.h) and may change while it runs.
 *
 * Layer: server. */
#pragma once

#include "config/config.h"
#include "diag/plan.h"
#include "io/tcp_tls.h"

struct server;

/* In the main thread: at the start, and whenever configuration or plan have changed. Whoever is
 * there stays, also if less is allowed now. What belongs to the loop of a worker is not among them:
 * server_tls_share. */
void server_limits_set(struct server *server, const struct config *config, const struct plan *plan);

/* What each worker has of the limits on TLS handshakes, and what the admin's has: as many at once
 * as a worker, and no rate, so that who looks after the gateway gets through while clients storm
 * it. */
struct tls_limits server_tls_share(const struct config *config, uint64_t workers, bool is_admin);
