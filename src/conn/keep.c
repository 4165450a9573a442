/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/keep.h"

#include "conn/hull.h"

/* [bytes] of requests that are sent before the answers to those before them: with so much of
 * them the client is not read, and with so much it is cut, since what the kernel had received
 * before still comes. The latter holds, too, of a head that comes in pieces, and of frames right
 * behind it; the head itself has its own, smaller limit. */
#define NEXT_READ_MAX 16384
#define NEXT_HELD_MAX 262144

struct head_rx *head_rx_create(struct conn_home *home)
{
	struct head_rx *rx = pool_get(&home->head_pool);

	if (rx == NULL)
		return NULL;
	http_head_init(&rx->head, HTTP_REQUEST);
	rx->bytes = (struct buf){0};
	stat_add(&home->stats.partial, 1);
	return rx;
}

void head_rx_destroy(struct conn_home *home, struct head_rx *rx)
{
	if (rx == NULL)
		return;
	stat_sub(&home->stats.partial, 1);
	buf_finish(&rx->bytes);
	pool_put(&home->head_pool, rx);
}

int head_rx_add(struct head_rx *rx, const uint8_t *data, size_t len)
{
	return buf_append(&rx->bytes, data, len, NEXT_HELD_MAX);
}

void conn_next_add(struct conn *conn, struct head_rx **next, const uint8_t *data, size_t len)
{
	if (*next == NULL)
		*next = head_rx_create(conn->home);
	if (*next == NULL || head_rx_add(*next, data, len) < 0)
		conn_cut(conn, CLOSE_NO_MEMORY);
	else if ((*next)->bytes.len >= NEXT_READ_MAX)
		tcp_read_stop(&conn->tcp);
}

bool conn_may_keep(struct conn *conn)
{
	struct conn_home *home = conn->home;

	if (!conn->is_persistent || home->is_draining || home->has_retired)
		return false;
	if (conn->is_kept)
		return true;
	conn->is_kept = admission_enter(&home->service->kept);
	if (conn->is_kept)
		stat_add(&home->stats.kept, 1);
	else
		stat_add(&home->stats.kept_refused, 1);
	return conn->is_kept;
}

void conn_keep(struct conn *conn)
{
	CHECK(conn->is_kept && !conn->has_presence && conn_route(conn) == NULL);
	if (conn->phase != CONN_HEAD) {
		struct head_rx *next = conn_body(conn)->next;

		conn_body(conn)->next = NULL;
		conn_phase_set(conn, CONN_HEAD);
		conn_head(conn)->rx = next;
	}
	conn->is_persistent = false;
	conn->is_head = false; /* what comes may be refused before its method is known */
	conn_timer_start(conn, conn_limits(conn)->keep_alive_timeout);
}
