/* SPDX-License-Identifier: Apache-2.0
 * phase_body.h - BODY and ANSWER: a request that outlives the callback it came in, because its
 * body follows or its answer comes later (http_later_take).
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

extern const struct conn_phase phase_body;
extern const struct conn_phase phase_answer;

/* False: there is no body to be read. True: it is read now, or refused. */
bool conn_body_begin(struct conn *conn, struct conn_request *request);

/* In CONN_ANSWER: bytes behind the request. */
void conn_body_more(struct conn *conn, uint8_t *data, size_t len);
