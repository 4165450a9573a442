/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/upgrade_answer.h"

#include "base/check.h"
#include "base/clock.h"
#include "conn/compression.h"
#include "conn/conn_log.h"
#include "conn/conn_trace.h"
#include "conn/hull.h"
#include "conn/phase_open.h"
#include "conn/ws_session.h"
#include "proto/ws_handshake.h"

/* What comes before the fields that vary. */
#define ANSWER_ROOM 256

static int write_upgrade(struct conn *conn, const struct upgrade_answer *answer,
			 const struct ws_deflate_terms *terms)
{
	char extensions[WS_DEFLATE_TEXT_MAX];
	size_t size = ANSWER_ROOM + sizeof(extensions) +
		      (answer->subprotocol == NULL ? 0 : strlen(answer->subprotocol));
	uint8_t *to = tcp_reserve(&conn->tcp, size);

	if (to == NULL)
		return -1;
	size_t len = ws_response_write(
		(char *)to, size, answer->key,
		&(struct ws_response){
			.subprotocol = answer->subprotocol,
			.extensions = ws_deflate_is_on(terms) ? ws_deflate_text(terms, extensions)
							      : NULL,
			.date = http_date_now(&conn->home->date, loop_now(conn->home->loop)),
		});

	CHECK(len > 0);
	tcp_commit(&conn->tcp, len);
	return 0;
}

/* Not before: in conn_enter it is not known yet whether all its groups have room for it. */
static void count_in(struct conn *conn)
{
	CHECK(conn->is_counted); /* it has been admitted */
	stat_add(&conn_stats(conn)->connections_accepted, 1);
	stat_add(&conn_listener_stats(conn)->connections_accepted, 1);
	stat_add(&conn_route_counts(conn)->accepted, 1);
	conn->is_settled = conn->is_in = true;
}

bool conn_upgrade_finish(struct conn *conn, const struct upgrade_answer *answer)
{
	struct ws_windows *windows;
	struct ws_deflate_terms terms = conn_compression_grant(conn, &answer->deflate, &windows);

	count_in(conn);
	if (write_upgrade(conn, answer, &terms) < 0) {
		conn_compression_forget(conn->home, &windows);
		conn_cut(conn, CLOSE_NO_MEMORY);
		return false;
	}
	uint32_t took_us = conn_now_us(conn) - answer->accepted_us;

	durations_record(&conn_stats(conn)->handshakes, durations_short_us,
			 (uint64_t)took_us * NS_PER_US);
	conn_session(conn)->ops = &ws_session_ops;
	conn_trace_answered(conn, 101, NULL);
	conn_log_debug(conn, "connection opened", F_TEXT("subprotocol", answer->subprotocol),
		       F_UINT("took_us", took_us));
	conn_open(conn);
	conn_compression_begin(conn, &terms, windows);
	return true;
}
