/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/leave.h"

#include "conn/access_log.h"
#include "conn/address_limit.h"
#include "conn/admission.h"
#include "conn/uplink_road.h"

/* Tasks find nobody from now on. */
static void leave_directory(struct conn *conn)
{
	struct presence *presence = conn_presence(conn);

	presence_detach(presence);
	uint8_t lost = directory_leave(conn->home->service->directory, presence);

	if (lost & PLACE_ADDRESS)
		conn->has_address_place = false;
	if (lost & PLACE_GATEWAY)
		conn->has_place = false;
	if (lost & PLACE_ROUTE)
		conn->has_route_place = false;
}

void conn_depart(struct conn *conn)
{
	if (conn->has_presence && presence_session(conn_presence(conn)) != NULL) {
		conn_access_ended(conn, conn->home->close_code);
		fleet_client_leave(conn_session(conn));
		leave_directory(conn);
	}
	/* Last: whoever is told of the end may look at once for who is there. */
	conn_uplink_close(conn, conn->home->close_code);
}

void conn_depart_refused(struct conn *conn)
{
	conn->is_noted = true;
	conn_depart(conn);
}

void conn_depart_unsaid(struct conn *conn)
{
	CHECK(presence_session(conn_presence(conn)) != NULL);
	conn_uplink_hand_over(conn);
	client_forget(conn_session(conn));
	leave_directory(conn);
}

void conn_leave(struct conn *conn)
{
	struct service *service = conn->home->service;
	struct net_ip client = conn_client(conn);

	if (conn->has_address_place)
		address_limit_leave(conn->home->address_limits[conn->address_table], &client);
	if (conn->has_place)
		admission_leave(service->admission);
	if (conn->has_route_place)
		places_give(&conn_route(conn)->load->connections);
	conn_uncount(conn);
	conn->has_address_place = false;
	conn->has_place = false;
	conn->has_route_place = false;
}

void conn_leave_kept(struct conn *conn)
{
	if (!conn->is_kept)
		return;
	conn->is_kept = false;
	stat_sub(&conn_stats(conn)->kept, 1);
	admission_leave(&conn->home->service->kept);
}
