/* SPDX-License-Identifier: Apache-2.0
 * told_tls.h - the TLS of a client: of its own connection, or as a trusted proxy tells of it.
 *
 * Layer: conn. In the connection's thread. What a proxy tells is kept from then until the client
 * has a presence, or its connection is gone. */
#pragma once

#include "io/tcp_tls.h"
#include "proto/proxy_header.h"
#include "tls/tls_peer.h"

struct conn;
struct conn_request;

struct told_tls {
	struct tcp_tls_facts facts; /* version NULL: not told */
	struct tls_peer_facts *certificate;
};

/* NULL is fine; clears the pointer. */
void told_tls_destroy(struct told_tls **told);

/* What the PROXY header of a trusted proxy says, if server.client_certificate_header has it
 * believed. 0; -ENOMEM; -EINVAL with a sentence fragment (static text) to put behind "the PROXY
 * header". */
int conn_told_by_header(struct conn *conn, const struct proxy_header *header,
			const char **out_error);

/* What the fields of an upgrade say, likewise, with a sentence; before the client's address is
 * taken from other fields. */
int conn_told_by_request(struct conn *conn, const struct conn_request *request,
			 const char **out_error);

/* Before there is a presence. NULL: it came without TLS, as far as is known. A trusted proxy's own
 * TLS is not its client's. */
const struct tcp_tls_facts *conn_tls_facts(const struct conn *conn);

/* Takes over what was told, before the place it lies in is a presence's; NULL: nothing. */
struct told_tls *conn_told_take(struct conn *conn);
