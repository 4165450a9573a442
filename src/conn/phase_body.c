/* SPDX-License-Identifier: Apache-2.0
 * phase_body.c - BODY and ANSWER: requests that outlive the callback they came in.
 *
 * In BODY the connection owns the request, and gathers what is missing. When the handler takes
 * it, that is the owner until its answer, in ANSWER and beyond: if the connection ends before,
 * the answer finds nobody. A handler may take a request that has no body too. */
#include "conn/phase_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/payload.h"
#include "base/units.h"
#include "conn/hull.h"
#include "conn/refuse.h"
#include "conn/reply.h"
#include "conn/request.h"

/* Owned by whoever is to answer: the connection while the body comes, then the handler
 * that has taken it. */
struct http_later {
	struct conn *conn; /* NULL: the client has gone, or got its 504 */
	struct conn_home *home;
	struct http_head head;
	struct buf bytes; /* the head, and the body behind it */
	size_t head_len;
	size_t body_len; /* [bytes] when it is complete */
	struct http_request request;
	char client[CONN_CLIENT_TEXT_MAX]; /* what the request points to */
	bool is_taken;
	bool has_rest; /* the client sent more than its request */
};

/* --- its memory --- */

static bool is_full(struct conn_home *home)
{
	if (home->calls < home->service->max_calls)
		return false;
	stat_add(&home->calls_refused, 1);
	return true;
}

/* A copy of the head; NULL: too many, or no memory. */
static struct http_later *later_create(struct conn *conn, const struct http_head *head,
				       const uint8_t *data, size_t head_len)
{
	struct conn_home *home = conn->home;
	struct http_later *later = is_full(home) ? NULL : calloc(1, sizeof(*later));

	if (later == NULL)
		return NULL;
	if (buf_append(&later->bytes, data, head_len, SIZE_MAX) < 0) {
		free(later);
		return NULL;
	}
	later->conn = conn;
	later->home = home;
	later->head = *head;
	later->head_len = head_len;
	stat_add(&home->calls, 1);
	return later;
}

static void later_destroy(struct http_later *later)
{
	stat_sub(&later->home->calls, 1);
	buf_finish(&later->bytes);
	free(later);
}

/* The bytes stay where they are from now on. */
static void make_request(struct http_later *later)
{
	later->request = conn_ask_of(later->conn, &later->head, later->bytes.data);
	later->request.body = slice_of(later->bytes.data + later->head_len, later->body_len);
	later->request.client = conn_client_text(later->conn, later->client);
}

/* --- refusals --- */

static void refuse_calls(struct conn *conn)
{
	uint64_t max = conn->home->service->max_calls;
	struct http_reply reply = {0};

	http_reply_limit(&reply, &(struct limit_refusal){
					 .limit = "max_calls",
					 .title = "Too many requests are under way",
					 .remedy = "send fewer at a time, or raise admin.max_calls",
					 .node = conn->home->service->node,
					 .current = conn->home->calls,
					 .max = max,
					 .status = 503,
					 .retry_after_s = 1,
				 });
	conn_answer(conn, &reply, true);
}

static void refuse_size(struct conn *conn, const char *seen)
{
	char allowed[32], detail[256];

	snprintf(detail, sizeof(detail),
		 "The body has %s bytes; admin.max_body allows %s. Send less, or raise it.", seen,
		 units_format_size(conn->home->service->max_body, allowed, sizeof(allowed)));
	conn_reject(conn, 413, detail);
}

/* --- the body --- */

static void answer_now(struct conn *conn, struct http_later *later)
{
	const struct http_handler *handler = &conn->home->service->handler;
	struct http_reply reply = {0};

	make_request(later);
	bool is_answered = handler->answer(handler->arg, &later->request, &reply);

	/* Taken: the answer comes later, or has come already and `later` is gone. */
	if (conn->phase != CONN_BODY) {
		buf_finish(&reply.body);
		return;
	}
	bool has_rest = later->has_rest;

	later_destroy(later);
	conn_body(conn)->later = NULL;
	stat_add(&conn->home->stats.http_requests, 1);
	if (!is_answered)
		http_reply_problem(&reply, 404, "There is nothing at this path.");
	conn_answer(conn, &reply, has_rest);
}

static void body_add(struct conn *conn, uint8_t *data, size_t len)
{
	struct http_later *later = conn_body(conn)->later;
	size_t missing = later->head_len + later->body_len - later->bytes.len;

	later->has_rest |= len > missing;
	if (buf_append(&later->bytes, data, MIN(len, missing), SIZE_MAX) < 0) {
		conn_close(conn);
		return;
	}
	if (len >= missing)
		answer_now(conn, later);
}

/* False: refused. */
static bool expect_check(struct conn *conn, const struct conn_request *request, size_t body_len)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct slice value;

	if (http_field_find(request->head, request->data, "Expect", &value) == 0)
		return true;
	if (!slice_equals_nocase(value, SLICE_LITERAL("100-continue"))) {
		conn_reject(conn, 417, "Of Expect only 100-continue is known.");
		return false;
	}
	if (request->head->minor_version == 0 || request->rest_len >= body_len)
		return true;
	if (tcp_write(&conn->tcp, go_on, strlen(go_on)) == 0)
		return true;
	conn_close(conn);
	return false;
}

/* Too many digits for a number are too many bytes. False: refused. */
static bool length_check(struct conn *conn, struct slice text, size_t *out_len)
{
	char seen[32];
	uint64_t len;

	if (units_parse_count(text, &len) == UNITS_OK && len <= conn->home->service->max_body) {
		*out_len = len;
		return true;
	}
	snprintf(seen, sizeof(seen), "%.*s%s", (int)MIN(text.len, (size_t)20), text.data,
		 text.len > 20 ? "..." : "");
	refuse_size(conn, seen);
	return false;
}

static void body_start(struct conn *conn, const struct conn_request *request, struct slice length)
{
	size_t body_len;

	if (!length_check(conn, length, &body_len) || !expect_check(conn, request, body_len))
		return;
	if (conn->is_reserve) {
		conn_refuse_for_descriptors(conn);
		return;
	}
	if (payload_level() >= PAYLOAD_OVER) {
		conn_refuse_for_memory(conn);
		return;
	}
	struct http_later *later = later_create(conn, request->head, request->data,
						(size_t)(request->rest - request->data));

	if (later == NULL) {
		refuse_calls(conn);
		return;
	}
	later->body_len = body_len;
	conn_phase_set(conn, CONN_BODY);
	conn_body(conn)->later = later;
	body_add(conn, request->rest, request->rest_len);
}

bool conn_body_begin(struct conn *conn, const struct conn_request *request)
{
	const struct http_handler *handler = &conn->home->service->handler;
	struct http_request ask = conn_ask_of(conn, request->head, request->data);
	struct slice value;

	if (handler->wants_body == NULL || !handler->wants_body(handler->arg, &ask))
		return false;
	if (http_field_find(request->head, request->data, "Content-Length", &value) > 0) {
		body_start(conn, request, value);
		return true;
	}
	if (http_field_find(request->head, request->data, "Transfer-Encoding", &value) == 0)
		return false;
	conn_reject(conn, 411, "A body needs a Content-Length here; chunked bodies are not read.");
	return true;
}

/* --- the answer --- */

struct http_later *http_later_take(const struct http_request *request, uint64_t timeout_ms)
{
	struct conn *conn = request->conn;
	struct http_later *later;

	if (conn->phase == CONN_BODY) {
		later = conn_body(conn)->later;
	} else {
		later = conn->is_reserve ? NULL
					 : later_create(conn, request->head, request->data,
							request->head->scanned + 2);
		if (later == NULL)
			return NULL;
		make_request(later);
	}
	later->is_taken = true;
	conn_phase_set(conn, CONN_ANSWER);
	conn_body(conn)->later = later;
	conn_timer_start(conn, timeout_ms);
	return later;
}

const struct http_request *http_later_request(const struct http_later *later)
{
	return &later->request;
}

struct loop *http_later_loop(const struct http_later *later)
{
	return later->home->loop;
}

struct fleet_home *http_later_home(const struct http_later *later)
{
	return &later->home->fleet;
}

void http_later_reply(struct http_later *later, struct http_reply *reply)
{
	struct conn *conn = later->conn;
	bool has_rest = later->has_rest;

	later_destroy(later);
	if (conn == NULL) {
		buf_finish(&reply->body);
		return;
	}
	CHECK(conn->phase == CONN_ANSWER);
	conn_body(conn)->later = NULL;
	stat_add(&conn->home->stats.http_requests, 1);
	conn_answer(conn, reply, has_rest);
}

/* --- the phases --- */

/* A request that is complete needs no more, but what else comes is known of. */
static void on_recv_more(struct conn *conn, uint8_t *data, size_t len)
{
	(void)data;
	(void)len;
	conn_body(conn)->later->has_rest = true;
}

static void on_body_timeout(struct conn *conn)
{
	stat_add(&conn->home->stats.handshake_timeouts, 1);
	conn_reject(conn, 408, "The request was not complete within server.handshake_timeout.");
}

static void on_answer_timeout(struct conn *conn)
{
	conn_reject(conn, 504,
		    "Whoever was asked has not answered in time. What was asked for may "
		    "still happen.");
}

static size_t on_held(const struct conn *conn)
{
	const struct http_later *later = conn->part.body.later;

	return later == NULL ? 0 : later->bytes.cap;
}

static void on_release(struct conn *conn)
{
	struct http_later *later = conn_body(conn)->later;

	conn_body(conn)->later = NULL;
	if (later == NULL)
		return;
	if (later->is_taken)
		later->conn = NULL;
	else
		later_destroy(later);
}

const struct conn_phase phase_body = {
	.name = "body",
	.next = CONN_PHASE_BIT(CONN_ANSWER) | CONN_PHASE_BIT(CONN_FLUSH) |
		CONN_PHASE_BIT(CONN_LINGER),
	.recv = body_add,
	.eof = conn_close,
	.timeout = on_body_timeout,
	.drain = conn_close,
	.held = on_held,
	.shed = conn_refuse_for_memory,
	.release = on_release,
};

/* Its client may have half-closed, and wait. The answer still comes while the gateway stops. */
const struct conn_phase phase_answer = {
	.name = "answer",
	.next = CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv_more,
	.timeout = on_answer_timeout,
	.release = on_release,
};
