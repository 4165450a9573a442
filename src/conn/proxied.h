/* SPDX-License-Identifier: Apache-2.0
 * proxied.h - what a proxy in front says of the client: who it is, and of its TLS. Believed of
 * those in server.trusted_proxies only.
 *
 * Layer: conn. In CONN_HEAD. */
#pragma once

#include "conn/conn.h"

/* By the fields of a request for a WebSocket. */
void conn_believe_forwarded(struct conn *conn, struct conn_request *request);

/* Of its TLS. False: it was answered. */
bool conn_believe_told(struct conn *conn, const struct conn_request *request);

/* What a trusted proxy may send before the request. HTTP_OK: *out_used bytes of it, or none, and
 * the request follows. HTTP_BAD: it was answered. */
enum http_result conn_proxy_header_take(struct conn *conn, const uint8_t *data, size_t len,
					size_t *out_used);

/* A balancer that passes TLS through puts its header before the ClientHello. As struct conn_phase
 * has it. */
int conn_proxy_preamble(struct conn *conn, const uint8_t *data, size_t len);

/* Bytes that are no request, but would be good ones from a trusted proxy. */
bool conn_is_proxy_header(const uint8_t *data, size_t len);
