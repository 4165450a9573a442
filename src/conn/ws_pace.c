/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/ws_pace.h"

#include <errno.h>

#include "base/clock.h"
#include "base/saturate.h"
#include "conn/hull.h"

/* One client's. Times of the loop's clock; 0: long ago. */
struct ws_pace {
	uint64_t messages_full_ns; /* when its bucket is full again */
	uint64_t bytes_full_ns;
	bool is_held;
};

void ws_paces_set(struct conn_home *home)
{
	const struct config_server *limits = conn_home_limits(home);
	uint64_t rate = limits->message_rate;
	uint64_t burst = limits->message_burst != 0 ? limits->message_burst : rate;

	home->paces = (struct ws_paces){
		.message_ns = rate == 0 ? 0 : NS_PER_S / rate,
		.message_burst_ns = rate == 0 ? 0 : NS_PER_S / rate * burst,
		.byte_rate = limits->byte_rate,
		/* Whoever is held back is to be found, also once there are none. */
		.is_on = rate != 0 || limits->byte_rate != 0 || home->paces.is_on,
		.is_closing = limits->message_rate_action == CONFIG_RATE_ACTION_CLOSE,
	};
}

void ws_paces_settle(struct conn_home *home)
{
	struct ws_paces *paces = &home->paces;

	paces->is_on = paces->message_ns != 0 || paces->byte_rate != 0;
	if (!paces->is_on)
		pool_sides_drop(&home->conn_pool);
}

/* NULL: there are no rates, or no memory to hold anybody to them. */
static struct ws_pace *pace_of(const struct conn *conn)
{
	struct conn_home *home = conn->home;

	return home->paces.is_on ? pool_side(&home->conn_pool, (struct conn *)(uintptr_t)conn,
					     sizeof(struct ws_pace))
				 : NULL;
}

void ws_pace_begin(struct conn *conn)
{
	struct ws_pace *pace = pace_of(conn);

	if (pace != NULL)
		*pace = (struct ws_pace){0};
}

void ws_pace_renew(struct conn *conn)
{
	uint64_t now = loop_now(conn->home->loop);
	struct ws_pace *pace = pace_of(conn);

	if (pace == NULL)
		return;
	pace->messages_full_ns = MIN(pace->messages_full_ns,
				     now + conn->home->paces.message_burst_ns);
	pace->bytes_full_ns = MIN(pace->bytes_full_ns, now + NS_PER_S);
}

/* [ns] until there is room for `need_ns` in a bucket of `burst_ns`; 0: there is. */
static uint64_t wait_ns(uint64_t full_ns, uint64_t now, uint64_t need_ns, uint64_t burst_ns)
{
	uint64_t used = full_ns > now ? full_ns - now : 0;

	return used + need_ns > burst_ns ? used + need_ns - burst_ns : 0;
}

static uint64_t message_wait_ns(const struct conn *conn, const struct ws_pace *pace)
{
	const struct ws_paces *paces = &conn->home->paces;

	if (paces->message_ns == 0)
		return 0;
	return wait_ns(pace->messages_full_ns, loop_now(conn->home->loop), paces->message_ns,
		       paces->message_burst_ns);
}

/* The bytes are here before they are counted, so this bucket may be overdrawn. */
static uint64_t byte_wait_ns(const struct conn *conn, const struct ws_pace *pace)
{
	if (conn->home->paces.byte_rate == 0)
		return 0;
	return wait_ns(pace->bytes_full_ns, loop_now(conn->home->loop), 0, NS_PER_S);
}

static uint64_t both_wait_ns(const struct conn *conn, const struct ws_pace *pace)
{
	return MAX(message_wait_ns(conn, pace), byte_wait_ns(conn, pace));
}

enum close_reason ws_pace_bytes(struct conn *conn, size_t len)
{
	struct ws_pace *pace = pace_of(conn);
	const struct ws_paces *paces = &conn->home->paces;

	if (pace == NULL || paces->byte_rate == 0)
		return CLOSE_REASON_COUNT;
	uint64_t now = loop_now(conn->home->loop);

	/* A receive has far less than 2^34 bytes. */
	pace->bytes_full_ns = MAX(pace->bytes_full_ns, now) + len * NS_PER_S / paces->byte_rate;
	return paces->is_closing && byte_wait_ns(conn, pace) > 0 ? CLOSE_BYTE_RATE
								 : CLOSE_REASON_COUNT;
}

enum close_reason ws_pace_message(struct conn *conn)
{
	struct ws_pace *pace = pace_of(conn);
	const struct ws_paces *paces = &conn->home->paces;

	if (pace == NULL || paces->message_ns == 0)
		return CLOSE_REASON_COUNT;
	if (paces->is_closing && message_wait_ns(conn, pace) > 0)
		return CLOSE_MESSAGE_RATE;
	pace->messages_full_ns = MAX(pace->messages_full_ns, loop_now(conn->home->loop)) +
				 paces->message_ns;
	return CLOSE_REASON_COUNT;
}

/* Control frames are no messages, but their bytes count. */
static bool is_over(const struct conn *conn, const struct ws_pace *pace, const struct frame_rx *rx,
		    uint8_t next)
{
	return byte_wait_ns(conn, pace) > 0 ||
	       (message_wait_ns(conn, pace) > 0 && !ws_decoder_expects_control(&rx->decoder, next));
}

/* Only once there is more: most of those who send fast then pause, and were held back for
 * nothing. */
bool ws_pace_holds(struct conn *conn, const struct frame_rx *rx, const uint8_t *data, size_t len)
{
	struct ws_pace *pace = pace_of(conn);

	if (pace == NULL || conn->home->paces.is_closing || len == 0 ||
	    !is_over(conn, pace, rx, data[0]))
		return false;
	CHECK(!pace->is_held);
	pace->is_held = true;
	stat_add(&conn_stats(conn)->rate_held, 1);
	stat_add(&conn_stats(conn)->rate_holds, 1);
	return true;
}

bool ws_pace_is_held(const struct conn *conn)
{
	const struct ws_pace *pace = pace_of(conn);

	return pace != NULL && pace->is_held;
}

uint64_t ws_pace_wait_ms(const struct conn *conn)
{
	CHECK(ws_pace_is_held(conn));
	return MAX(both_wait_ns(conn, pace_of(conn)) / NS_PER_MS, UINT64_C(1));
}

bool ws_pace_is_due(const struct conn *conn)
{
	const struct ws_pace *pace = pace_of(conn);

	return pace == NULL || both_wait_ns(conn, pace) == 0;
}

void ws_pace_let_go(struct conn *conn)
{
	if (!ws_pace_is_held(conn))
		return;
	pace_of(conn)->is_held = false;
	stat_sub(&conn_stats(conn)->rate_held, 1);
}

/* --- in another process --- */

/* A tag keeps its meaning for ever. */
enum {
	TAG_MESSAGES_LEFT_NS = 1, /* until the bucket is full again */
	TAG_BYTES_LEFT_NS = 2,
	TAG_IS_HELD = 3,
};

/* [ns] More than one receive can overdraw. */
#define LEFT_MAX (3600 * NS_PER_S)

static uint64_t left_ns(const struct conn *conn, uint64_t full_ns)
{
	return saturating_sub(full_ns, loop_now(conn->home->loop));
}

void ws_pace_export(const struct conn *conn, struct state_writer *writer)
{
	const struct ws_pace *pace = pace_of(conn);

	if (pace == NULL)
		return;
	state_put_u64(writer, TAG_MESSAGES_LEFT_NS, left_ns(conn, pace->messages_full_ns));
	state_put_u64(writer, TAG_BYTES_LEFT_NS, left_ns(conn, pace->bytes_full_ns));
	if (pace->is_held)
		state_put_u64(writer, TAG_IS_HELD, 1);
}

static int pace_field_read(struct conn *conn, struct ws_pace *pace, const struct state_field *field)
{
	uint64_t now = loop_now(conn->home->loop), value;

	if (field->tag > TAG_IS_HELD || field->tag == 0)
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	if (!state_u64(field, &value))
		return -EBADMSG;
	if (field->tag == TAG_MESSAGES_LEFT_NS)
		pace->messages_full_ns = now + MIN(value, conn->home->paces.message_burst_ns);
	else if (field->tag == TAG_BYTES_LEFT_NS)
		pace->bytes_full_ns = now + MIN(value, LEFT_MAX);
	else
		pace->is_held = value != 0 && !conn->home->paces.is_closing;
	return 0;
}

int ws_pace_import(struct conn *conn, struct state_reader *reader)
{
	struct ws_pace *pace = pace_of(conn), none = {0};
	struct state_field field;
	int r = 0;

	while (r == 0 && state_next(reader, &field))
		r = pace_field_read(conn, pace == NULL ? &none : pace, &field);
	if (r == 0 && reader->is_bad)
		r = -EBADMSG;
	/* Only who is stalled is held back. */
	if (pace != NULL && (r < 0 || !conn->is_stalled))
		pace->is_held = false;
	if (ws_pace_is_held(conn))
		stat_add(&conn_stats(conn)->rate_held, 1);
	return r;
}
