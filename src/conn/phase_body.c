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

#include "base/counter.h"
#include "base/payload.h"
#include "base/saturate.h"
#include "base/units.h"
#include "proto/http_chunked.h"
#include "conn/hull.h"
#include "conn/keep.h"
#include "conn/phase_stream.h"
#include "conn/refuse.h"
#include "conn/reply.h"
#include "conn/request.h"
#include "conn/tls_end.h"

/* Owned by whoever is to answer: the connection while the body comes, then the handler
 * that has taken it. */
struct kept_request {
	struct http_later base;
	struct conn *conn; /* NULL: the client has gone, or got its 504 */
	struct conn_home *home;
	struct http_head head;
	struct buf bytes; /* the head, and the body behind it */
	size_t head_len;
	size_t body_len;                   /* [bytes] when it is complete; chunked: so far */
	struct http_chunked chunked;       /* is_chunked */
	char client[CONN_CLIENT_TEXT_MAX]; /* what the request points to */
	bool has_place;                    /* one of max_calls: from when it is complete */
	bool is_taken;
	bool is_chunked;
	bool is_persistent; /* what comes behind it is the next request */
	bool has_rest; /* the client sent more than its request, and it will not be looked at */
};

static void on_reply(struct http_later *base, struct http_reply *reply);
static bool on_stream(struct http_later *base, struct http_reply *reply,
		      struct http_stream *stream);

/* --- its memory --- */

/* Half a body takes no place, so that those who never send the rest cannot keep all of them: it is
 * bounded by handshake_timeout, and by payload memory. False: as many are under way. */
static bool place_take(struct kept_request *later)
{
	struct conn_home *home = later->home;

	later->has_place = home->calls < counter_read(&home->service->max_calls);
	stat_add(later->has_place ? &home->calls : &home->calls_refused, 1);
	return later->has_place;
}

/* A copy of the head; NULL: no memory. */
static struct kept_request *later_create(struct conn *conn, const struct http_head *head,
					 const uint8_t *data, size_t head_len)
{
	struct conn_home *home = conn->home;
	struct kept_request *later = calloc(1, sizeof(*later));

	if (later == NULL)
		return NULL;
	if (buf_append(&later->bytes, data, head_len, SIZE_MAX) < 0) {
		free(later);
		return NULL;
	}
	later->base = (struct http_later){
		.loop = home->loop, .home = &home->fleet, .reply = on_reply, .stream = on_stream};
	later->conn = conn;
	later->home = home;
	later->head = *head;
	later->head_len = head_len;
	later->is_persistent = conn->is_persistent;
	return later;
}

static void later_destroy(struct kept_request *later)
{
	if (later->has_place)
		stat_sub(&later->home->calls, 1);
	buf_finish(&later->bytes);
	free(later);
}

/* The bytes stay where they are from now on. */
static void make_request(struct kept_request *later)
{
	later->base.request = conn_ask_of(later->conn, &later->head, later->bytes.data);
	later->base.request.body = slice_of(later->bytes.data + later->head_len, later->body_len);
	later->base.request.client = conn_client_text(later->conn, later->client);
}

/* --- refusals --- */

static void refuse_calls(struct conn *conn)
{
	uint64_t max = counter_read(&conn->home->service->max_calls);
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
		 units_format_size(counter_read(&conn->home->service->max_body), allowed,
				   sizeof(allowed)));
	conn_reject(conn, 413, "max_body", detail);
}

/* --- the body --- */

static void answer_now(struct conn *conn, struct kept_request *later)
{
	const struct http_handler *handler = &conn->home->service->handler;
	static const struct problem no_such_path = {.status = 404,
						    .reason = "no_such_path",
						    .detail = "There is nothing at this path."};
	struct http_reply reply = {0};

	make_request(later);
	bool is_answered = handler->answer(handler->arg, &later->base.request, &reply);

	/* Taken: the answer comes later, or has come already and `later` is gone. */
	if (conn->phase != CONN_BODY) {
		buf_finish(&reply.body);
		return;
	}
	bool has_rest = later->has_rest || conn_body(conn)->next != NULL;

	later_destroy(later);
	conn_body(conn)->later = NULL;
	stat_add(&conn->home->stats.http_requests, 1);
	if (!is_answered)
		http_reply_problem_about(&reply, &no_such_path);
	conn_answer(conn, &reply, has_rest);
}

/* Bytes behind the request: of the next one, if there may be one. */
static void more_add(struct conn *conn, struct kept_request *later, const uint8_t *data, size_t len)
{
	if (len == 0)
		return;
	if (later->is_persistent)
		conn_next_add(conn, &conn_body(conn)->next, data, len);
	else
		later->has_rest = true;
}

/* The body is complete. Only now is it known where the next request begins. */
static void body_end(struct conn *conn, const uint8_t *rest, size_t rest_len)
{
	struct kept_request *later = conn_body(conn)->later;

	more_add(conn, later, rest, rest_len);
	if (conn->phase != CONN_BODY)
		return;
	if (!place_take(later)) {
		refuse_calls(conn);
		return;
	}
	conn->is_persistent = later->is_persistent;
	answer_now(conn, later);
}

static void body_add_sized(struct conn *conn, const uint8_t *data, size_t len)
{
	struct kept_request *later = conn_body(conn)->later;
	size_t missing = later->head_len + later->body_len - later->bytes.len;
	size_t part = MIN(len, missing);

	if (buf_append(&later->bytes, data, part, SIZE_MAX) < 0)
		conn_close(conn);
	else if (len >= missing)
		body_end(conn, data + part, len - part);
}

/* False: the connection is answered, or ends. */
static bool chunk_add(struct conn *conn, struct kept_request *later, struct slice data)
{
	char seen[32];

	/* It may have become less meanwhile. */
	if (data.len >
	    saturating_sub(counter_read(&conn->home->service->max_body), later->body_len)) {
		snprintf(seen, sizeof(seen), "more than %zu", later->body_len);
		refuse_size(conn, seen);
		return false;
	}
	if (buf_append(&later->bytes, data.data, data.len, SIZE_MAX) < 0) {
		conn_close(conn);
		return false;
	}
	later->body_len += data.len;
	return true;
}

static void body_add_chunked(struct conn *conn, const uint8_t *data, size_t len)
{
	struct kept_request *later = conn_body(conn)->later;
	enum http_chunked_event event;
	struct slice piece;
	char detail[128];

	while ((event = http_chunked_next(&later->chunked, &data, &len, &piece)) ==
	       HTTP_CHUNKED_DATA)
		if (!chunk_add(conn, later, piece))
			return;
	if (event == HTTP_CHUNKED_END) {
		body_end(conn, data, len);
	} else if (event == HTTP_CHUNKED_BAD) {
		snprintf(detail, sizeof(detail), "The body: %s.", later->chunked.problem);
		conn_reject(conn, 400, "body", detail);
	}
}

static void body_add(struct conn *conn, uint8_t *data, size_t len)
{
	if (conn_body(conn)->later->is_chunked)
		body_add_chunked(conn, data, len);
	else
		body_add_sized(conn, data, len);
}

/* False: refused. */
static bool expect_check(struct conn *conn, const struct conn_request *request,
			 const struct http_body *body)
{
	bool is_there = request->rest_len > 0 &&
			(body->kind == HTTP_BODY_CHUNKED || request->rest_len >= body->len);
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct slice value;

	if (http_field_find(request->head, request->data, "Expect", &value) == 0)
		return true;
	if (!slice_equals_nocase(value, SLICE_LITERAL("100-continue"))) {
		conn_reject(conn, 417, "expect", "Of Expect only 100-continue is known.");
		return false;
	}
	if (request->head->minor_version == 0 || is_there)
		return true;
	if (tcp_write(&conn->tcp, go_on, strlen(go_on)) == 0)
		return true;
	conn_close(conn);
	return false;
}

/* False: refused. */
static bool length_check(struct conn *conn, const struct http_body *body)
{
	char seen[32];

	if (body->len <= counter_read(&conn->home->service->max_body))
		return true;
	snprintf(seen, sizeof(seen), "%" PRIu64 "%s", body->len,
		 body->len == UINT64_MAX ? " or more" : "");
	refuse_size(conn, seen);
	return false;
}

/* Until the body is there, every answer is the last one: what follows it is unknown. */
static void body_start(struct conn *conn, struct conn_request *request,
		       const struct http_body *body)
{
	bool is_persistent = conn->is_persistent;

	conn->is_persistent = false;
	if (!length_check(conn, body) || !expect_check(conn, request, body))
		return;
	if (conn->is_reserve) {
		conn_refuse_for_descriptors(conn);
		return;
	}
	if (payload_level() >= PAYLOAD_OVER) {
		conn_refuse_for_memory(conn);
		return;
	}
	struct kept_request *later = later_create(conn, request->head, request->data,
						  (size_t)(request->rest - request->data));

	if (later == NULL) {
		conn_close(conn);
		return;
	}
	later->body_len = (size_t)body->len;
	later->is_chunked = body->kind == HTTP_BODY_CHUNKED;
	later->is_persistent = is_persistent;
	http_chunked_init(&later->chunked);
	conn_phase_set(conn, CONN_BODY);
	conn_body(conn)->later = later;
	if (conn->is_kept)
		conn_timer_start(conn, conn_limits(conn)->handshake_timeout);
	size_t len = request->rest_len;

	request->rest_len = 0;
	body_add(conn, request->rest, len);
}

bool conn_body_begin(struct conn *conn, struct conn_request *request)
{
	const struct http_handler *handler = &conn->home->service->handler;
	struct http_request ask = conn_ask_of(conn, request->head, request->data);
	struct http_body body = http_request_body(request->head, request->data);

	if (body.kind == HTTP_BODY_NONE || handler->wants_body == NULL ||
	    !handler->wants_body(handler->arg, &ask))
		return false;
	body_start(conn, request, &body);
	return true;
}

/* --- the answer --- */

struct http_later *conn_body_take(const struct http_request *request, uint64_t timeout_ms)
{
	struct conn *conn = request->owner;
	struct kept_request *later;

	if (conn->phase == CONN_BODY) {
		later = conn_body(conn)->later;
	} else {
		later = conn->is_reserve ? NULL
					 : later_create(conn, request->head, request->data,
							request->head->scanned + 2);
		if (later == NULL)
			return NULL;
		if (!place_take(later)) {
			later_destroy(later);
			return NULL;
		}
		make_request(later);
	}
	later->is_taken = true;
	conn_phase_set(conn, CONN_ANSWER);
	conn_body(conn)->later = later;
	conn_timer_start(conn, timeout_ms);
	return &later->base;
}

static void on_reply(struct http_later *base, struct http_reply *reply)
{
	struct kept_request *later = CONTAINER_OF(base, struct kept_request, base);
	struct conn *conn = later->conn;
	bool has_rest = later->has_rest;

	CHECK(later->is_taken);
	later_destroy(later);
	if (conn == NULL) {
		buf_finish(&reply->body);
		return;
	}
	CHECK(conn->phase == CONN_ANSWER);
	has_rest |= conn_body(conn)->next != NULL;
	conn_body(conn)->later = NULL;
	stat_add(&conn->home->stats.http_requests, 1);
	conn_answer(conn, reply, has_rest);
}

/* It is the last answer, whatever the client has sent behind its request. */
static bool on_stream(struct http_later *base, struct http_reply *reply, struct http_stream *stream)
{
	struct kept_request *later = CONTAINER_OF(base, struct kept_request, base);
	struct conn *conn = later->conn;
	bool is_chunked = later->head.minor_version > 0;

	CHECK(later->is_taken);
	later_destroy(later);
	if (conn == NULL) {
		buf_finish(&reply->body);
		return false;
	}
	CHECK(conn->phase == CONN_ANSWER);
	conn_body(conn)->later = NULL;
	stat_add(&conn->home->stats.http_requests, 1);
	return conn_stream_begin(conn, reply, stream, is_chunked);
}

/* --- the phases --- */

/* A request that is complete needs no more. */
void conn_body_more(struct conn *conn, uint8_t *data, size_t len)
{
	more_add(conn, conn_body(conn)->later, data, len);
}

static void on_body_timeout(struct conn *conn)
{
	conn_count_timeout(conn);
	conn_reject(conn, 408, "timeout",
		    "The request was not complete within server.handshake_timeout.");
}

static void on_answer_timeout(struct conn *conn)
{
	conn_reject(conn, 504, "timeout",
		    "Whoever was asked has not answered in time. What was asked for may "
		    "still happen.");
}

static size_t on_held(const struct conn *conn)
{
	const struct kept_request *later = conn->part.body.later;

	return later == NULL ? 0 : later->bytes.cap;
}

static void on_release(struct conn *conn)
{
	struct kept_request *later = conn_body(conn)->later;

	conn_body(conn)->later = NULL;
	head_rx_destroy(conn->home, conn_body(conn)->next);
	conn_body(conn)->next = NULL;
	if (later == NULL)
		return;
	if (later->is_taken)
		later->conn = NULL;
	else
		later_destroy(later);
}

const struct conn_phase phase_body = {
	.name = "body",
	.next = CONN_PHASE_BIT(CONN_ANSWER) | CONN_PHASE_BIT(CONN_HEAD) |
		CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = body_add,
	.eof = conn_close,
	.tls_failed = conn_tls_linger,
	.timeout = on_body_timeout,
	.drain = conn_close,
	.held = on_held,
	.shed = conn_refuse_for_memory,
	.release = on_release,
};

/* Its client may have half-closed, and wait. The answer still comes while the gateway stops. */
const struct conn_phase phase_answer = {
	.name = "answer",
	.next = CONN_PHASE_BIT(CONN_HEAD) | CONN_PHASE_BIT(CONN_STREAM) |
		CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = conn_body_more,
	.timeout = on_answer_timeout,
	.release = on_release,
};
