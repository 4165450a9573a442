/* SPDX-License-Identifier: Apache-2.0
 * phase_asking.h - ASKING: an upgrade that waits for others before it is answered.
 *
 * Layer: conn. */
#pragma once

#include "conn/admit.h"
#include "conn/conn.h"
#include "http/http_reply.h"
#include "proto/ws_extensions.h"

extern const struct conn_phase phase_asking;

struct asking {
	const struct conn_request *request;
	struct slice key;
	const char *subprotocol; /* by the route's rules */
	struct ws_deflate_terms deflate;
	uint32_t accepted_us; /* conn_now_us of then */
	struct conn_entry entry;
	bool is_named;                   /* its id is of its path or its proof, not made here */
	const char *groups;              /* that its proof puts the client in; NULL: none */
	const struct tcp_tls_facts *tls; /* NULL: it came without, as far as is known */
};

/* Has this client to wait for somebody? */
bool conn_must_ask(const struct conn *conn, const struct conn_entry *entry);

/* In CONN_HEAD or CONN_PROVING, with its places: asks the route's back end, then the other nodes;
 * the answer to the client comes later, or at once if memory is out or nobody can be asked. */
void conn_ask(struct conn *conn, const struct asking *asking);

/* --- what the back end decides; each of those marked with (end) ends the asking --- */

/* Did the client offer this one? */
bool conn_asking_offers(struct conn *conn, struct slice subprotocol);
void conn_asking_choose(struct conn *conn, const char *subprotocol);
/* May it say that the client is this one? Not against what the client has proved. */
bool conn_asking_may_be(struct conn *conn, const char *client_id);
/* The connection has a presence of that id now. */
void conn_asking_named(struct conn *conn);
/* 0, or a negative errno as buf_append. */
int conn_asking_add_groups(struct conn *conn, struct slice groups);
/* To be done once it is in. Takes over the list; NULL is fine. */
void conn_asking_set_actions(struct conn *conn, struct actions *actions);

/* (end, unless other nodes are asked) The client may come in. */
void conn_asking_decided(struct conn *conn);

/* (end) It may not: with the back end's own answer, whose body is freed, or with ours. */
void conn_asking_answer(struct conn *conn, struct http_reply *reply);
void conn_asking_reject(struct conn *conn, unsigned status, const char *reason, const char *detail);
void conn_asking_no_memory(struct conn *conn);
