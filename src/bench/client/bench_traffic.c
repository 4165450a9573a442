/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_traffic.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/client/bench_receive.h"
#include "bench/client/bench_return.h"
#include "bench/client/bench_shape.h"
#include "bench/load/bench_worker.h"
#include "proto/ws_close.h"
#include "proto/ws_frame.h"
#include "proto/ws_mask.h"

/* [bytes] Above this nothing is added to a stream's queue (but one message always
 * may): planned messages wait for the peer to read. */
#define QUEUE_MAX 262144

/* [bytes] The same for a slow reader: enough to keep the kernel's buffer full. */
#define FLOOD_QUEUE_MAX 65536

/* [bytes] The largest message that services may push. */
#define RECEIVE_MAX 16777216

/* Lateness of our own timer: such a message counts from when it was sent. */
#define TIMER_GRAIN_NS (2 * NS_PER_MS)

/* --- sending --- */

static void control_write(struct bench_conn *conn, enum ws_opcode opcode, struct slice body)
{
	uint8_t frame[WS_FRAME_HEAD_MAX + WS_CONTROL_MAX];
	uint8_t key[4];

	random_fill(&conn->worker->random, key, sizeof(key));
	size_t head_len = ws_frame_head_write(frame, opcode, body.len, key);

	if (body.len > 0)
		memcpy(frame + head_len, body.data, body.len);
	ws_mask_apply(frame + head_len, body.len, key, 0);
	(void)tcp_write(&conn->tcp, frame, head_len + body.len);
}

/* A peer that lets the queue fill does not read answers to its pings. */
static void pong_write(struct bench_conn *conn, struct slice body)
{
	if (tcp_queued(&conn->tcp) < QUEUE_MAX)
		control_write(conn, WS_PONG, body);
}

void bench_traffic_close(struct bench_conn *conn, uint16_t code)
{
	uint8_t body[WS_CONTROL_MAX];

	control_write(conn, WS_CLOSE, slice_of(body, ws_close_write(body, code, "")));
}

static enum ws_opcode message_opcode(const struct bench_conn *conn)
{
	return conn->worker->setup->options->is_binary ? WS_BINARY : WS_TEXT;
}

/* Writes the frame of a message that is compressed, if that makes it smaller. Returns its length.
 */
static size_t packed_write(struct bench_worker *worker, const struct bench_message *message,
			   enum ws_opcode opcode, const uint8_t key[4], uint8_t *frame)
{
	static const uint8_t no_mask[4];
	const struct bench_payload *payload = &worker->setup->payload;
	bool is_packed;

	bench_payload_write(payload, message, no_mask, worker->packing.plain);
	struct slice bytes = bench_packing_pack(&worker->packing, payload->size, &is_packed);
	size_t head_len = ws_frame_head_write(frame, opcode, bytes.len, key);

	if (is_packed)
		ws_frame_set_deflated(frame);
	ws_mask_copy(frame + head_len, bytes.data, bytes.len, key, 0);
	return head_len + bytes.len;
}

/* Queues the connection's next message. */
static bool message_write(struct bench_conn *conn, uint64_t sent_ns)
{
	struct bench_worker *worker = conn->worker;
	const struct bench_payload *payload = &worker->setup->payload;
	const struct bench_message message = {bench_conn_number(conn), conn->sent, sent_ns};
	uint8_t *frame = tcp_reserve(&conn->tcp, WS_FRAME_HEAD_MAX + payload->size);
	uint8_t key[4];

	if (frame == NULL) {
		bench_conn_lost(conn, ENOMEM);
		return false;
	}
	random_fill(&worker->random, key, sizeof(key));
	if (conn->is_packing) {
		tcp_commit(&conn->tcp,
			   packed_write(worker, &message, message_opcode(conn), key, frame));
	} else {
		size_t head_len = ws_frame_head_write(frame, message_opcode(conn), payload->size,
						      key);

		bench_payload_write(payload, &message, key, frame + head_len);
		tcp_commit(&conn->tcp, head_len + payload->size);
	}
	conn->sent++;
	return true;
}

static void message_send(struct bench_conn *conn, uint64_t sent_ns)
{
	if (!message_write(conn, sent_ns))
		return;
	if (bench_conn_awaited(conn) == 1)
		conn->since_ns = sent_ns;
	conn->worker->in_flight++;
	bench_count(&conn->worker->counters.sent);
}

/* Does it take part in the exchange of messages? */
static bool is_sender(const struct bench_conn *conn)
{
	return conn->state == BENCH_CONN_OPEN && !conn->is_slow && conn->churn == BENCH_STAYS;
}

void bench_traffic_flood(struct bench_conn *conn, uint64_t now_ns)
{
	if (conn->worker->setup->options->is_receiver)
		return;
	while (conn->state == BENCH_CONN_OPEN && tcp_queued(&conn->tcp) < FLOOD_QUEUE_MAX &&
	       now_ns < conn->worker->hold_end_ns)
		message_write(conn, now_ns); /* may be empty: its frame fills the queue */
}

void bench_traffic_fill(struct bench_conn *conn, uint64_t now_ns)
{
	const struct bench_worker *worker = conn->worker;

	while (is_sender(conn) && now_ns < worker->traffic_end_ns &&
	       bench_conn_awaited(conn) < worker->setup->options->depth)
		message_send(conn, now_ns);
}

static uint64_t planned_at(const struct bench_conn *conn, uint32_t sequence)
{
	const struct bench_worker *worker = conn->worker;
	const struct bench_return *record = bench_return_of(conn);
	uint64_t turn = (uint64_t)sequence + (record == NULL ? 0 : record->turns);

	return bench_pace_at(&worker->message_pace,
			     turn * worker->count + (uint64_t)(conn - worker->conns));
}

void bench_traffic_send_due(struct bench_conn *conn, uint64_t now_ns)
{
	while (is_sender(conn) && tcp_queued(&conn->tcp) < QUEUE_MAX) {
		uint64_t planned_ns = planned_at(conn, conn->sent);

		if (planned_ns > now_ns || planned_ns >= conn->worker->traffic_end_ns)
			break;
		bool is_late = now_ns - planned_ns > TIMER_GRAIN_NS;

		message_send(conn, is_late ? planned_ns : now_ns);
	}
}

void bench_traffic_rejoin(struct bench_conn *conn, uint64_t now_ns)
{
	const struct bench_worker *worker = conn->worker;
	const struct bench_options *options = worker->setup->options;

	if (options->message_rate > 0) {
		uint64_t turn = bench_pace_after(&worker->message_pace, now_ns,
						 (uint64_t)(conn - worker->conns), worker->count);
		struct bench_return *record = bench_return_of(conn);

		if (record == NULL)
			conn->sent = conn->echoed = MAX(conn->sent, (uint32_t)turn);
		else if (turn > conn->sent + record->turns)
			record->turns = (uint32_t)turn - conn->sent;
	}
	if (options->depth > 0)
		bench_traffic_fill(conn, now_ns);
}

/* --- receiving --- */

/* When the oldest message in flight was sent, if it was too small to say so. */
static uint64_t unstamped_sent_at(const struct bench_conn *conn)
{
	if (conn->sent - conn->echoed == 1 || conn->worker->setup->options->message_rate == 0)
		return conn->since_ns;
	return planned_at(conn, conn->echoed);
}

static const char *kind_problem(const struct bench_conn *conn, const struct ws_event_data *event)
{
	if (event->opcode == message_opcode(conn))
		return NULL;
	return event->opcode == WS_TEXT ? "text came for a binary message"
					: "binary came for a text message";
}

static const char *echo_problem(const struct bench_conn *conn, const struct ws_event_data *event,
				uint64_t *out_sent_ns)
{
	const char *problem = kind_problem(conn, event);

	if (conn->sent == conn->echoed)
		return "a message came while none was awaited";
	return problem != NULL
		       ? problem
		       : bench_payload_check(&conn->worker->setup->payload, bench_conn_number(conn),
					     conn->echoed, event->bytes, out_sent_ns);
}

/* --at-least-once: of any of the last messages, and perhaps not the first. */
static const char *loose_echo_problem(struct bench_conn *conn, const struct ws_event_data *event,
				      bool *out_is_first, uint64_t *out_sent_ns)
{
	const char *problem = kind_problem(conn, event);

	return problem != NULL ? problem
			       : bench_return_take(conn, event->bytes, out_is_first, out_sent_ns);
}

static void echo_count(struct bench_worker *worker, uint64_t age_ns)
{
	hist_record(&worker->echo, age_ns);
	bench_latency_record(&worker->live_echo, age_ns);
	bench_count(&worker->counters.received);
}

static void message_take(struct bench_conn *conn, const struct ws_event_data *event,
			 uint64_t now_ns)
{
	struct bench_worker *worker = conn->worker;
	uint64_t sent_ns = 0;

	if (conn->is_slow)
		return; /* stopping to read is not sharp */
	if (conn->is_packing) {
		worker->packing.counts.received_plain += event->bytes.len;
		worker->packing.counts.received_packed += event->deflated.data != NULL
								  ? event->deflated.len
								  : event->bytes.len;
	}
	if (worker->setup->options->is_receiver) {
		bench_receive_take(conn, event->bytes, now_ns);
		return;
	}
	bool is_loose = worker->setup->options->is_at_least_once, is_first = true;
	const char *problem = is_loose ? loose_echo_problem(conn, event, &is_first, &sent_ns)
				       : echo_problem(conn, event, &sent_ns);

	if (problem != NULL) {
		bench_conn_fail(conn, BENCH_CAUSE_WRONG_ECHO, 0, slice_from_text(problem),
				event->bytes);
		return;
	}
	if (!bench_payload_has_stamp(&worker->setup->payload))
		sent_ns = unstamped_sent_at(conn);
	conn->since_ns = now_ns;
	if (!is_loose) {
		conn->echoed++;
		worker->in_flight--;
	}
	if (is_first)
		echo_count(worker, bench_payload_age(sent_ns, now_ns));
	if (conn->churn == BENCH_RETIRING)
		bench_shape_retire(conn, now_ns);
	else if (worker->setup->options->depth > 0)
		bench_traffic_fill(conn, now_ns);
}

/* The peer's close frame. RFC 6455, 7.1.1: the server closes TCP first. */
static void close_take(struct bench_conn *conn, const struct ws_event_data *event, uint64_t now_ns)
{
	struct bench_worker *worker = conn->worker;

	if (conn->state == BENCH_CONN_CLOSING) {
		if (conn->is_slow && event->close_code != WS_CLOSE_NORMAL)
			bench_shape_slow_end(conn, BENCH_CAUSE_CLOSED, event->close_code,
					     event->bytes);
		if (conn->is_held && !conn->is_answered) {
			bench_count(&worker->counters.closed_cleanly);
			conn->is_answered = true; /* a second close frame counts no more */
			if (conn->is_slow)
				bench_shape_slow_held(conn);
		}
		if (worker->setup->options->is_raw_echo)
			bench_conn_end(conn); /* nobody there knows that it is the end */
		return;
	}
	bench_conn_closed_by_peer(conn, event->close_code, event->bytes, now_ns);
}

static void event_take(struct bench_conn *conn, enum ws_event kind,
		       const struct ws_event_data *event, uint64_t now_ns)
{
	switch (kind) {
	case WS_EVENT_MESSAGE:
		if (conn->state == BENCH_CONN_OPEN)
			message_take(conn, event, now_ns);
		break;
	case WS_EVENT_PING:
		if (conn->state == BENCH_CONN_OPEN)
			pong_write(conn, event->bytes);
		break;
	case WS_EVENT_CLOSE:
		close_take(conn, event, now_ns);
		break;
	case WS_EVENT_ERROR:
		if (conn->state == BENCH_CONN_OPEN)
			bench_conn_fail(conn, BENCH_CAUSE_BAD_FRAME, event->close_code,
					slice_from_text(event->error), (struct slice){0});
		else
			bench_conn_end(conn);
		break;
	case WS_EVENT_MORE:
	case WS_EVENT_PONG:
		break;
	}
}

static void decoder_release(struct bench_conn *conn)
{
	bench_worker_decoder_put(conn->worker, conn->decoder);
	conn->decoder = NULL;
}

void bench_traffic_take(struct bench_conn *conn, uint8_t *data, size_t len, uint64_t now_ns)
{
	const struct bench_options *options = conn->worker->setup->options;
	/* Larger than any echo can be; small greetings are told apart from it. */
	uint64_t max = options->is_receiver ? RECEIVE_MAX
					    : MAX(conn->worker->setup->payload.size, 4096);
	enum ws_role self = options->is_raw_echo ? WS_SERVER : WS_CLIENT;
	enum ws_event kind = WS_EVENT_PONG;

	if (conn->decoder == NULL)
		conn->decoder = bench_worker_decoder_get(conn->worker);
	if (conn->decoder == NULL) {
		bench_conn_lost(conn, ENOMEM);
		return;
	}
	ws_decoder_inflates_by(conn->decoder,
			       conn->is_packing ? conn->worker->packing.inflater : NULL, NULL);
	while (bench_conn_is_up(conn) && kind != WS_EVENT_MORE) {
		struct ws_event_data event;

		kind = ws_decoder_next(conn->decoder, self, max, &data, &len, &event);
		event_take(conn, kind, &event, now_ns);
	}
	if (!bench_conn_is_up(conn) || ws_decoder_is_idle(conn->decoder))
		decoder_release(conn);
}
