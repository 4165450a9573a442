/* SPDX-License-Identifier: Apache-2.0
 * origin.h - whether the page that asks may connect (routes[].origins; RFC 6455, 10.2).
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

/* In CONN_HEAD, with its route. False: it may not, and is answered 403. */
bool conn_origin_is_good(struct conn *conn, const struct conn_request *request);
