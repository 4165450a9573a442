/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/upgrade.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/utf8.h"
#include "conn/access_log.h"
#include "conn/admit_groups.h"
#include "conn/blocked.h"
#include "conn/compression.h"
#include "conn/conn_auth.h"
#include "conn/conn_trace.h"
#include "conn/hull.h"
#include "conn/origin.h"
#include "conn/phase_asking.h"
#include "conn/phase_closing.h"
#include "conn/phase_open.h"
#include "conn/phase_proving.h"
#include "conn/profile.h"
#include "conn/refuse.h"
#include "conn/told_tls.h"
#include "conn/upgrade_answer.h"

enum subprotocol_result { SUBPROTOCOL_GO_ON, SUBPROTOCOL_CLOSE, SUBPROTOCOL_REJECTED };

static void reject_subprotocol(struct conn *conn, const struct config_tokens *ours)
{
	struct buf detail = {0};
	int r = buf_printf(&detail, HTTP_BODY_MAX,
			   "Sec-WebSocket-Protocol names none of the subprotocols that this route "
			   "speaks:");

	for (size_t i = 0; i < ours->count && r == 0; i++)
		r = buf_printf(&detail, HTTP_BODY_MAX, " %s%s", ours->items[i],
			       i + 1 < ours->count ? "," : ".");
	if (r == 0)
		r = buf_append(&detail, "", 1, HTTP_BODY_MAX);
	conn_reject(conn, 400, "subprotocol",
		    r == 0 ? (const char *)detail.data : "No common subprotocol.");
	buf_finish(&detail);
}

/* The proof says which one; the client must have offered it. */
static enum subprotocol_result take_proved(struct conn *conn, const struct conn_request *request,
					   const char *name)
{
	char detail[256];

	if (http_field_has_item(request->head, request->data, "Sec-WebSocket-Protocol", name))
		return SUBPROTOCOL_GO_ON;
	snprintf(detail, sizeof(detail),
		 "The proof is good for the subprotocol '%.100s', and Sec-WebSocket-Protocol does "
		 "not name that.",
		 name);
	conn_reject(conn, 400, "subprotocol", detail);
	return SUBPROTOCOL_REJECTED;
}

/* *out_name is the configuration's or the proof's; NULL: none. */
static enum subprotocol_result choose_subprotocol(struct conn *conn, const struct upgrade *upgrade,
						  const struct config_route *route,
						  const char **out_name)
{
	const struct conn_request *request = upgrade->request;
	size_t index;

	*out_name = upgrade->proof == NULL ? NULL : upgrade->proof->subprotocol;
	if (*out_name != NULL)
		return take_proved(conn, request, *out_name);
	if (ws_subprotocol_choose(request->head, request->data,
				  (const char *const *)route->subprotocols.items,
				  route->subprotocols.count, &index)) {
		*out_name = route->subprotocols.items[index];
		return SUBPROTOCOL_GO_ON;
	}
	if (route->subprotocols.count == 0)
		return SUBPROTOCOL_GO_ON;
	switch (route->subprotocol_mismatch) {
	case CONFIG_MISMATCH_ACCEPT:
		return SUBPROTOCOL_GO_ON;
	case CONFIG_MISMATCH_CLOSE:
		return SUBPROTOCOL_CLOSE;
	case CONFIG_MISMATCH_REFUSE:
		break;
	}
	reject_subprotocol(conn, &route->subprotocols);
	return SUBPROTOCOL_REJECTED;
}

static bool are_groups_good(struct conn *conn, const struct upgrade *upgrade)
{
	char problem[256];

	if (upgrade->proof == NULL || upgrade->proof->groups == NULL ||
	    conn_groups_check(conn, slice_from_text(upgrade->proof->groups), "the proof", problem,
			      sizeof(problem)))
		return true;
	conn_reject(conn, 403, "groups", problem);
	return false;
}

/* Nobody else has an id that was made here, so nobody needs to be asked about it. */
static enum directory_policy policy_of(const struct config_route *route, const char *client_id)
{
	return client_id == NULL ? DIRECTORY_MANY : conn_policy(route);
}

/* For a client on a route without {client_id}: 80 bits that nobody can guess. */
#define GENERATED_ID_LEN 16

static void id_generate(struct random_source *random, char out[GENERATED_ID_LEN + 1])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

	random_fill(random, out, GENERATED_ID_LEN);
	for (size_t i = 0; i < GENERATED_ID_LEN; i++)
		out[i] = digits[(uint8_t)out[i] % 32];
	out[GENERATED_ID_LEN] = 0;
}

_Static_assert(AUTH_SUBJECT_MAX <= PRESENCE_SUBJECT_MAX &&
		       AUTH_CLIENT_ID_MAX <= PRESENCE_CLIENT_ID_MAX,
	       "what is proved fits");

/* NULL: nothing was proved. */
static const struct presence_proof *proof_of(const struct upgrade *upgrade,
					     struct presence_proof *out)
{
	const struct auth_result *proof = upgrade->proof;

	if (proof == NULL || proof->way == NULL)
		return NULL;
	*out = (struct presence_proof){.way = proof->way->ops->name,
				       .subject = proof->subject,
				       .expires_at_s = proof->expires_at_s};
	return out;
}

static bool make_presence(struct conn *conn, const struct upgrade *upgrade, const char *client_id,
			  const char *subprotocol)
{
	char generated[GENERATED_ID_LEN + 1];
	struct presence_proof proof;
	struct trace_context trace = conn_trace_context(conn, upgrade->request);
	uint8_t note[ACCESS_NOTE_MAX];

	if (client_id == NULL) {
		id_generate(&conn->home->random, generated);
		client_id = generated;
	}
	struct presence *presence = presence_create(&(struct presence_facts){
		.route = &conn_route(conn)->client,
		.client_id = client_id,
		.subprotocol = subprotocol == NULL ? (struct slice){0}
						   : slice_from_text(subprotocol),
		.remote = conn->client,
		.remote_port = conn->client_port,
		.mailbox = &conn->home->mailbox,
		.session = &conn->session,
		.proof = proof_of(upgrade, &proof),
		.trace = &trace,
		.note = conn_access_note(conn, upgrade->request, note),
	});
	if (presence == NULL) {
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return false;
	}
	conn->session = (struct session){.presence = presence};
	conn->has_presence = true;
	return true;
}

/* The path's, or the one that was proved. NULL: it is to be made. */
static const char *client_id_of(const struct upgrade *upgrade)
{
	if (upgrade->client_id != NULL || upgrade->proof == NULL)
		return upgrade->client_id;
	return upgrade->proof->client_id;
}

static void enter(struct conn *conn, const struct upgrade *upgrade, const struct conn_entry *entry,
		  const char *subprotocol, bool is_to_close)
{
	const char *groups = upgrade->proof == NULL ? NULL : upgrade->proof->groups;

	if (!conn_enter(conn, entry) ||
	    !conn_groups_join(conn, groups == NULL ? (struct slice){0} : slice_from_text(groups)) ||
	    !conn_upgrade_finish(conn,
				 &(struct upgrade_answer){
					 .key = upgrade->key,
					 .subprotocol = subprotocol,
					 .deflate = conn_compression_choose(conn, upgrade->request),
					 .accepted_us = upgrade->accepted_us,
				 }))
		return;
	if (is_to_close)
		conn_ws_close(conn, CLOSE_NO_SUBPROTOCOL);
	conn_open_early(conn, upgrade->request->rest, upgrade->request->rest_len);
}

static void go_on(struct conn *conn, const struct upgrade *upgrade, const struct tcp_tls_facts *tls)
{
	const struct config_route *route = conn_route(conn)->config;
	const char *client_id = client_id_of(upgrade);
	const char *subprotocol;

	/* A name that was proved is new here. */
	if (client_id != upgrade->client_id && conn_is_blocked(conn, client_id))
		return;
	enum subprotocol_result choice = choose_subprotocol(conn, upgrade, route, &subprotocol);

	/* One that is only let in to be told 1002 takes nothing over. */
	struct conn_entry entry = {
		.policy = choice == SUBPROTOCOL_CLOSE ? DIRECTORY_MANY
						      : policy_of(route, client_id),
	};

	if (choice == SUBPROTOCOL_REJECTED || !are_groups_good(conn, upgrade) ||
	    !make_presence(conn, upgrade, client_id, subprotocol) || !conn_reserve(conn, &entry))
		return;
	if (subprotocol != NULL) /* a proof's own is lent */
		subprotocol = presence_subprotocol(conn_presence(conn));
	if (choice == SUBPROTOCOL_GO_ON && conn_must_ask(conn, &entry))
		conn_ask(conn,
			 &(struct asking){
				 .request = upgrade->request,
				 .key = upgrade->key,
				 .subprotocol = subprotocol,
				 .deflate = conn_compression_choose(conn, upgrade->request),
				 .accepted_us = upgrade->accepted_us,
				 .entry = entry,
				 .is_named = client_id != NULL,
				 .groups = upgrade->proof == NULL ? NULL : upgrade->proof->groups,
				 .tls = tls,
			 });
	else
		enter(conn, upgrade, &entry, subprotocol, choice == SUBPROTOCOL_CLOSE);
}

/* It is known who the client is, or nobody asks. What is known of its TLS is not needed after. */
static void on_proved(struct conn *conn, const struct upgrade *upgrade)
{
	const struct tcp_tls_facts *tls = conn_tls_facts(conn);
	struct told_tls *told = conn_told_take(conn);

	go_on(conn, upgrade, tls);
	told_tls_destroy(&told);
}

/* Finds the route, or answers what is wrong with the path. *out_client_id is the
 * caller's to free; NULL if the route has none. */
static bool find_route(struct conn *conn, const struct conn_request *request, char **out_client_id)
{
	const struct route_table *routes = conn_home_routes(conn->home);
	struct route_match match;
	enum route_result r = routes == NULL
				      ? ROUTE_NONE
				      : route_table_match(routes,
							  http_path(request->head, request->data),
							  &match);

	switch (r) {
	case ROUTE_NONE:
		conn_reject(conn, 404, "no_such_route", "No route has this path.");
		return false;
	case ROUTE_BAD_ID:
		conn_reject(conn, 400, "client_id", match.problem);
		return false;
	case ROUTE_NO_MEMORY:
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return false;
	case ROUTE_FOUND:
		break;
	}
	if (match.client_id != NULL &&
	    !utf8_is_valid((const uint8_t *)match.client_id, strlen(match.client_id))) {
		conn_reject(conn, 400, "client_id", "The client id is not UTF-8.");
		free(match.client_id);
		return false;
	}
	conn->way.route = match.route;
	*out_client_id = match.client_id;
	return true;
}

/* client_id NULL: the path has none. */
static void go_in(struct conn *conn, const struct conn_request *request,
		  const struct ws_upgrade *wanted, const char *client_id)
{
	struct auth *auth = conn_auth(conn);

	if (conn_is_blocked(conn, client_id) || !conn_origin_is_good(conn, request) ||
	    !conn_profile_check(conn, auth, client_id))
		return;
	const struct upgrade upgrade = {.request = request,
					.key = wanted->key,
					.client_id = client_id,
					.accepted_us = conn_head(conn)->accepted_us};

	if (auth == NULL)
		on_proved(conn, &upgrade);
	else
		conn_prove(conn, auth, &upgrade, on_proved);
}

void conn_upgrade(struct conn *conn, const struct conn_request *request,
		  const struct ws_upgrade *wanted)
{
	char *client_id;

	conn->is_noted = false;
	conn_trace_begin(conn, request);
	if (!find_route(conn, request, &client_id))
		return;
	struct conn_home *home = conn->home;

	home->claimed_id = client_id;
	go_in(conn, request, wanted, client_id);
	home->claimed_id = NULL;
	free(client_id);
}
