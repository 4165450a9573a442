/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/upgrade.h"

#include <stdlib.h>

#include "proto/utf8.h"
#include "conn/hull.h"
#include "conn/phase_asking.h"
#include "conn/phase_closing.h"
#include "conn/phase_open.h"
#include "conn/refuse.h"
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
	conn_reject(conn, 400, r == 0 ? (const char *)detail.data : "No common subprotocol.");
	buf_finish(&detail);
}

static enum subprotocol_result choose_subprotocol(struct conn *conn,
						  const struct conn_request *request,
						  const struct config_route *route,
						  const char **out_name)
{
	size_t index;

	*out_name = NULL;
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

/* Nobody else has an id that was made here, so nobody needs to be asked about it. */
static enum directory_policy policy_of(const struct config_route *route, const char *client_id)
{
	if (client_id == NULL)
		return DIRECTORY_MANY;
	switch (route->takeover) {
	case CONFIG_TAKEOVER_OLDEST:
		return DIRECTORY_OLDEST;
	case CONFIG_TAKEOVER_MANY:
		return DIRECTORY_MANY;
	case CONFIG_TAKEOVER_NEWEST:
		break;
	}
	return DIRECTORY_NEWEST;
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

static bool make_presence(struct conn *conn, const char *client_id, const char *subprotocol)
{
	char generated[GENERATED_ID_LEN + 1];

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
	});
	if (presence == NULL) {
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return false;
	}
	conn->session = (struct session){.presence = presence};
	conn->has_presence = true;
	return true;
}

static void upgrade(struct conn *conn, const struct conn_request *request,
		    const struct ws_upgrade *wanted, const char *client_id)
{
	const struct config_route *route = conn_route(conn)->config;
	uint32_t accepted_us = conn_head(conn)->accepted_us;
	const char *subprotocol;
	enum subprotocol_result choice = choose_subprotocol(conn, request, route, &subprotocol);

	/* One that is only let in to be told 1002 takes nothing over. */
	struct conn_entry entry = {
		.policy = choice == SUBPROTOCOL_CLOSE ? DIRECTORY_MANY
						      : policy_of(route, client_id),
	};

	if (choice == SUBPROTOCOL_REJECTED || !make_presence(conn, client_id, subprotocol) ||
	    !conn_reserve(conn, &entry))
		return;
	if (choice == SUBPROTOCOL_GO_ON && conn_must_ask(conn, &entry)) {
		conn_ask(conn, &(struct asking){.request = request,
						.key = wanted->key,
						.subprotocol = subprotocol,
						.accepted_us = accepted_us,
						.entry = entry});
		return;
	}
	if (!conn_enter(conn, &entry) ||
	    !conn_upgrade_finish(conn, &(struct upgrade_answer){.key = wanted->key,
								.subprotocol = subprotocol,
								.accepted_us = accepted_us}))
		return;
	if (choice == SUBPROTOCOL_CLOSE)
		conn_ws_close(conn, CLOSE_NO_SUBPROTOCOL);
	conn_open_early(conn, request->rest, request->rest_len);
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
		conn_reject(conn, 404, "No route has this path.");
		return false;
	case ROUTE_BAD_ID:
		conn_reject(conn, 400, match.problem);
		return false;
	case ROUTE_NO_MEMORY:
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return false;
	case ROUTE_FOUND:
		break;
	}
	if (match.client_id != NULL &&
	    !utf8_is_valid((const uint8_t *)match.client_id, strlen(match.client_id))) {
		conn_reject(conn, 400, "The client id is not UTF-8.");
		free(match.client_id);
		return false;
	}
	conn->way.route = match.route;
	*out_client_id = match.client_id;
	return true;
}

void conn_upgrade(struct conn *conn, const struct conn_request *request,
		  const struct ws_upgrade *wanted)
{
	char *client_id;

	if (!find_route(conn, request, &client_id))
		return;
	upgrade(conn, request, wanted, client_id);
	free(client_id);
}
