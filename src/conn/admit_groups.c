/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/admit_groups.h"

#include <stdio.h>

#include "fleet/client.h"
#include "proto/http_text.h"
#include "conn/leave.h"
#include "conn/refuse.h"

/* Takes the next name off a list with commas; false at its end. Empty ones are left out. */
static bool name_next(struct slice *list, struct slice *out_name)
{
	struct slice item;

	while (http_list_next(list, &item))
		if (item.len > 0) {
			*out_name = item;
			return true;
		}
	return false;
}

bool conn_groups_check(const struct conn *conn, struct slice list, const char *source,
		       char *out_problem, size_t size)
{
	uint64_t max = conn_limits(conn)->max_groups_per_client, count = 0;
	struct slice name;

	while (name_next(&list, &name)) {
		if (!group_name_is_good(name)) {
			snprintf(out_problem, size,
				 "'%.*s' in %s is no name of a group; "
				 "allowed: " GROUP_NAME_ALLOWED,
				 (int)MIN(name.len, (size_t)GROUP_NAME_MAX), name.data, source);
			return false;
		}
		if (++count > max) {
			snprintf(out_problem, size,
				 "%s has more groups than server.max_groups_per_client allows: "
				 "%llu",
				 source, (unsigned long long)max);
			return false;
		}
	}
	return true;
}

static enum group_result join_all(struct conn *conn, struct slice list)
{
	struct client *client = client_of(&conn->home->fleet, conn_session(conn));
	enum group_result result = client == NULL ? GROUP_NO_MEMORY : GROUP_JOINED;
	char text[GROUP_NAME_MAX + 1];
	struct slice name;

	while (result <= GROUP_ALREADY && name_next(&list, &name)) {
		memcpy(text, name.data, name.len);
		text[name.len] = 0;
		result = group_join(client, text);
	}
	return result;
}

bool conn_groups_join(struct conn *conn, struct slice list)
{
	enum group_result result = list.len == 0 ? GROUP_JOINED : join_all(conn, list);

	if (result <= GROUP_ALREADY)
		return true;
	conn_depart_refused(conn);
	conn_leave(conn);
	if (result == GROUP_NO_MEMORY)
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
	else
		conn_reject(conn, 503, "max_groups",
			    "The gateway has as many groups as server.max_groups allows, and "
			    "the client was to be put in one more.");
	return false;
}
