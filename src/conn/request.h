/* SPDX-License-Identifier: Apache-2.0
 * request.h - what a handler is asked.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"
#include "http/http_handler.h"

/* With an empty body; `data` has the bytes of the head. */
struct http_request conn_ask_of(struct conn *conn, const struct http_head *head,
				const uint8_t *data);
