/* SPDX-License-Identifier: Apache-2.0
 * profile.h - a route with a security profile of OCPP lets in by no less.
 *
 * Layer: conn. */
#pragma once

#include "auth/auth.h"
#include "conn/conn.h"

/* Before anything is asked of the client, so that whoever comes by a lesser profile has shown no
 * password in vain. `auth`: of the route. False: it was refused, and told why. */
bool conn_profile_check(struct conn *conn, struct auth *auth, const char *client_id);
