/* SPDX-License-Identifier: Apache-2.0
 * phase_body.h - BODY and ANSWER: a request that outlives the callback it came in, because its
 * body follows or its answer comes later (http_later.h).
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"
#include "http/http_later.h"

extern const struct conn_phase phase_body;
extern const struct conn_phase phase_answer;

/* False: there is no body to be read. True: it is read now, or refused. */
bool conn_body_begin(struct conn *conn, struct conn_request *request);

/* In CONN_ANSWER: bytes behind the request. */
void conn_body_more(struct conn *conn, uint8_t *data, size_t len);

/* home->take: the handler answers later. */
struct http_later *conn_body_take(const struct http_request *request, uint64_t timeout_ms);
