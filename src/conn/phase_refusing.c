/* SPDX-License-Identifier: Apache-2.0
 * phase_refusing.c - the answer waits for a moment, then leaves in one piece: 101, a close frame,
 * FIN. Whatever the client sends meanwhile counts for nothing, but for its going away. It has no
 * place among the connections; how many wait is bounded by refuse_browsers_max.
 *
 * A browser fails a handshake that answers none of the subprotocols it offers (WHATWG WebSockets,
 * "establish a WebSocket connection"), so one of them is agreed on, for show. */
#include "conn/phase_refusing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "conn/hull.h"
#include "conn/leave.h"
#include "conn/phase_end.h"
#include "proto/http_status.h"
#include "proto/http_text.h"
#include "proto/ws_close.h"
#include "proto/ws_frame.h"
#include "proto/ws_handshake.h"

/* [ms] At random between these: whoever was refused at once with many does not come back so. */
#define PAUSE_MIN_MS 500
#define PAUSE_MAX_MS 1500

#define ANSWER_MAX (256 + UPGRADE_SUBPROTOCOL_MAX + WS_FRAME_HEAD_MAX + WS_CONTROL_MAX)

/* What is to be sent. */
struct refused_answer {
	size_t len;
	uint8_t bytes[ANSWER_MAX];
};

/* --- what the page is told --- */

/* 0: none, since no page asks for what has these, or whoever does can read the answer. The codes
 * are of the range for private use (RFC 6455, 7.4.2). */
static uint16_t code_of(unsigned status)
{
	switch (status) {
	case 401:
	case 403:
	case 409:
	case 429:
		return (uint16_t)(4000 + status);
	default:
		return status >= 500 && status <= 504 ? 4503 : 0;
	}
}

/* A page whose ticket is used up, say, gets a new one, though tickets know no 401. What a back end
 * says is for the page, whichever status it is. */
static uint16_t code_of_reply(const struct http_reply *reply)
{
	if (reply->is_of_backend && reply->status < 500)
		return (uint16_t)(4000 + reply->status);
	return code_of(reply->is_unproved && reply->status == 403 ? 401 : reply->status);
}

/* "max_connections; retry-after=7: The gateway is full". What programs read comes first, since what
 * is too long is cut. */
static void reason_write(const struct http_reply *reply, char out[WS_CONTROL_MAX + 1])
{
	const char *detail = reply->detail != NULL ? reply->detail
						   : http_status_text(reply->status);
	const char *reason = reply->reason != NULL ? reply->reason : "refused";
	char after[32] = "";

	if (reply->retry_after_s != 0)
		snprintf(after, sizeof(after), "; retry-after=%u", reply->retry_after_s);
	snprintf(out, WS_CONTROL_MAX + 1, "%s%s: %s", reason, after, detail);
}

/* --- the upgrade that was asked for --- */

struct slice conn_subprotocol_for_show(struct slice list)
{
	struct slice item;

	while (http_list_next(&list, &item))
		if (item.len <= UPGRADE_SUBPROTOCOL_MAX && http_is_token(item))
			return item;
	return (struct slice){0};
}

/* One that the route speaks before any other: that may be a token which is shown there. */
static struct slice subprotocol_of(const struct conn *conn, const struct conn_request *request)
{
	const struct config_tokens *ours = &conn_route(conn)->config->subprotocols;
	struct slice list = {0};
	size_t index;

	if (ws_subprotocol_choose(request->head, request->data, (const char *const *)ours->items,
				  ours->count, &index))
		return slice_from_text(ours->items[index]);
	http_field_find(request->head, request->data, "Sec-WebSocket-Protocol", &list);
	return conn_subprotocol_for_show(list);
}

void conn_remember_upgrade(struct conn *conn, const uint8_t key[WS_KEY_LEN],
			   struct slice subprotocol)
{
	struct refused_upgrade *upgrade = &conn->home->refused_upgrade;

	*upgrade = (struct refused_upgrade){.conn = conn};
	memcpy(upgrade->key, key, WS_KEY_LEN);
	if (subprotocol.len > 0 && subprotocol.len <= UPGRADE_SUBPROTOCOL_MAX)
		memcpy(upgrade->subprotocol, subprotocol.data, subprotocol.len);
}

void conn_forget_upgrade(struct conn *conn)
{
	conn->home->refused_upgrade.conn = NULL;
}

/* Of the request that is being answered, or what was remembered. False: neither is there. */
static bool upgrade_take(struct conn *conn, struct refused_upgrade *out_upgrade)
{
	const struct conn_request *request = conn->home->request;
	struct slice key;

	if (request != NULL &&
	    http_field_find(request->head, request->data, "Sec-WebSocket-Key", &key) == 1 &&
	    key.len == WS_KEY_LEN)
		conn_remember_upgrade(conn, key.data, subprotocol_of(conn, request));
	*out_upgrade = conn->home->refused_upgrade;
	conn->home->refused_upgrade.conn = NULL;
	return out_upgrade->conn == conn;
}

/* --- the answer --- */

static struct refused_answer *answer_create(struct conn *conn,
					    const struct refused_upgrade *upgrade,
					    const struct http_reply *reply)
{
	struct refused_answer *answer = malloc(sizeof(*answer));
	char reason[WS_CONTROL_MAX + 1];
	uint8_t body[WS_CONTROL_MAX];

	if (answer == NULL)
		return NULL;
	answer->len = ws_response_write(
		(char *)answer->bytes, ANSWER_MAX, slice_of(upgrade->key, WS_KEY_LEN),
		&(struct ws_response){
			.subprotocol = upgrade->subprotocol[0] == 0 ? NULL : upgrade->subprotocol,
			.date = http_date_now(&conn->home->date, loop_now(conn->home->loop)),
		});
	CHECK(answer->len > 0);
	reason_write(reply, reason);
	size_t body_len = ws_close_write(body, code_of_reply(reply), reason);

	answer->len += ws_frame_head_write(answer->bytes + answer->len, WS_CLOSE, body_len, NULL);
	CHECK(answer->len + body_len <= ANSWER_MAX);
	memcpy(answer->bytes + answer->len, body, body_len);
	answer->len += body_len;
	return answer;
}

static bool is_wanted(const struct conn *conn, const struct http_reply *reply)
{
	const struct route *route = conn_route(conn);

	return route != NULL && route->config->refuse_browsers == CONFIG_REFUSE_BROWSERS_CLOSE &&
	       code_of_reply(reply) != 0 && !conn->is_reserve;
}

/* While the gateway stops, nobody is waited for. */
static uint64_t pause_ms(struct conn *conn)
{
	struct conn_home *home = conn->home;

	if (home->is_draining)
		return 1;
	return PAUSE_MIN_MS + random_u32(&home->random) % (PAUSE_MAX_MS - PAUSE_MIN_MS + 1);
}

bool conn_refuse_as_browser(struct conn *conn, struct http_reply *reply)
{
	struct conn_home *home = conn->home;
	struct refused_upgrade upgrade;

	if (!is_wanted(conn, reply) || !upgrade_take(conn, &upgrade))
		return false;
	if (!admission_enter(&home->service->refused_browsers)) {
		stat_add(&home->stats.browsers_untold, 1);
		return false;
	}
	struct refused_answer *answer = answer_create(conn, &upgrade, reply);

	if (answer == NULL) {
		admission_leave(&home->service->refused_browsers);
		return false;
	}
	buf_finish(&reply->body);
	stat_add(&home->stats.browsers_told, 1);
	conn_depart(conn);
	conn_phase_set(conn, CONN_REFUSING);
	conn_refusing(conn)->answer = answer;
	conn_timer_start(conn, pause_ms(conn));
	return true;
}

/* --- the phase --- */

static void tell(struct conn *conn)
{
	const struct refused_answer *answer = conn_refusing(conn)->answer;

	if (tcp_write(&conn->tcp, answer->bytes, answer->len) < 0)
		conn_cut(conn, CLOSE_NO_MEMORY);
	else
		conn_linger(conn);
}

/* It is not counted as held, but must be taken off the socket, for its end to be seen. */
static void on_recv(struct conn *conn, uint8_t *data, size_t len)
{
	(void)conn;
	(void)data;
	(void)len;
}

static void on_release(struct conn *conn)
{
	free(conn_refusing(conn)->answer);
	admission_leave(&conn->home->service->refused_browsers);
}

static void on_shed(struct conn *conn)
{
	conn_cut(conn, CLOSE_PAYLOAD_MEMORY);
}

const struct conn_phase phase_refusing = {
	.name = "refusing",
	.next = CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv,
	.eof = conn_flush_and_close,
	.timeout = tell,
	.drain = tell,
	.shed = on_shed,
	.release = on_release,
};
