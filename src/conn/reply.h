/* SPDX-License-Identifier: Apache-2.0
 * reply.h - an answer over HTTP leaves, and the connection ends, or waits for the next request.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"
#include "http/http_reply.h"

/* The reply's body is freed. `may_have_rest`: the client may have sent more than we have
 * read. */
void conn_answer(struct conn *conn, struct http_reply *reply, bool may_have_rest);
