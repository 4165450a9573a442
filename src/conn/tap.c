/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/tap.h"

void conn_tap_add(struct conn_home *home, struct conn_tap *tap)
{
	tap->next = home->taps;
	home->taps = tap;
}

void conn_tap_remove(struct conn_home *home, struct conn_tap *tap)
{
	struct conn_tap **place = &home->taps;

	while (*place != tap) {
		CHECK(*place != NULL);
		place = &(*place)->next;
	}
	*place = tap->next;
}

void conn_tap_tell_all(const struct conn *conn, const struct conn_tap_event *event)
{
	for (struct conn_tap *tap = conn->home->taps; tap != NULL; tap = tap->next)
		tap->told(tap, conn_presence(conn), event);
}
