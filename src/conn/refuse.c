/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/refuse.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/payload.h"
#include "conn/conn_log.h"
#include "conn/hull.h"
#include "conn/reply.h"

/* Retry-After is spread over so many seconds, so that the refused do not come back
 * all at once. */
#define RETRY_AFTER_MIN_S 5
#define RETRY_AFTER_MAX_S 15

/* [bytes] of each text of a client's that a line of the log may have. */
#define LOGGED_MAX 200

/* "-" for nothing; what is longer is cut, and "..." says so. */
static char *logged(struct slice text, char out[LOGGED_MAX + 4])
{
	snprintf(out, LOGGED_MAX + 4, "%.*s%s", (int)MIN(text.len, (size_t)LOGGED_MAX),
		 text.len == 0 ? "" : (const char *)text.data, text.len > LOGGED_MAX ? "..." : "");
	return text.len == 0 ? memcpy(out, "-", 2) : out;
}

/* The path without its query, which may have secrets. */
static void log_rejection(struct conn *conn, const struct problem *problem)
{
	const struct conn_request *request = conn->home->request;
	struct slice path = {0}, host = {0}, agent = {0};
	char texts[4][LOGGED_MAX + 4];
	uint64_t suppressed;

	if (!log_gate_pass(&conn->home->service->rejection_gate, loop_now(conn->home->loop),
			   &suppressed))
		return;
	if (request != NULL && request->head->has_start_line) {
		path = http_path(request->head, request->data);
		host = http_host(request->head, request->data);
		http_field_find(request->head, request->data, "User-Agent", &agent);
	}
	conn_log_info(
		conn, "request rejected", F_UINT("status", problem->status),
		F_TEXT("reason", problem->reason), F_TEXT("detail", problem->detail),
		F_TEXT("seen", problem->seen.data == NULL ? NULL : logged(problem->seen, texts[3])),
		F_TEXT("path", logged(path, texts[0])), F_TEXT("host", logged(host, texts[1])),
		F_TEXT("user_agent", logged(agent, texts[2])), F_UINT("suppressed", suppressed));
}

unsigned conn_retry_after_s(struct conn *conn)
{
	return RETRY_AFTER_MIN_S +
	       random_u32(&conn->home->random) % (RETRY_AFTER_MAX_S - RETRY_AFTER_MIN_S + 1);
}

void conn_reject(struct conn *conn, unsigned status, const char *reason, const char *detail)
{
	conn_reject_about(conn,
			  &(struct problem){.status = status, .reason = reason, .detail = detail});
}

void conn_reject_about(struct conn *conn, const struct problem *problem)
{
	unsigned status = problem->status;
	struct http_reply reply = {0};

	conn_count_rejected(conn);
	conn_count_failure(conn, ROUTE_FAILURE_REQUEST);
	log_rejection(conn, problem);
	if (status == 405)
		http_reply_header(&reply, "Allow: GET, HEAD, OPTIONS");
	http_reply_problem_about(&reply, problem);
	conn_answer(conn, &reply, true);
}

void conn_conflict(struct conn *conn)
{
	struct service *service = conn->home->service;
	const struct presence *presence = conn_presence(conn);
	struct http_reply reply = {0};
	uint64_t suppressed;

	conn_count_rejected(conn);
	stat_add(&conn->home->stats.conflicts, 1);
	conn_count_failure(conn, ROUTE_FAILURE_CONFLICT);
	if (log_gate_pass(&service->conflict_gate, loop_now(conn->home->loop), &suppressed))
		conn_log_info(conn, "client is connected already",
			      F_UINT("suppressed", suppressed));
	http_reply_conflict(&reply, presence_route_name(presence), presence->client_id);
	conn_answer(conn, &reply, true);
}

void conn_refuse(struct conn *conn, enum refusal refusal, uint64_t current, uint64_t max)
{
	struct conn_home *home = conn->home;
	const struct refusal_entry *entry = &refusal_table[refusal];
	struct http_reply reply = {0};
	uint64_t suppressed;

	stat_add(&home->stats.connections_refused[refusal], 1);
	stat_add(&conn_listener_stats(conn)->connections_refused, 1);
	conn_count_failure(conn, ROUTE_FAILURE_LIMIT);
	if (log_gate_pass(&home->service->refusal_gates[refusal], loop_now(home->loop),
			  &suppressed))
		conn_log_warn(conn, "connection refused", F_TEXT("limit", entry->label),
			      F_UINT("current", current), F_UINT("max", max),
			      F_TEXT("remedy", entry->remedy), F_UINT("suppressed", suppressed));
	http_reply_limit(&reply, &(struct limit_refusal){
					 .limit = entry->label,
					 .title = entry->title,
					 .remedy = entry->remedy,
					 .node = home->service->node,
					 .current = current,
					 .max = max,
					 .status = entry->status,
					 .retry_after_s = conn_retry_after_s(conn),
				 });
	conn_answer(conn, &reply, false);
}

/* A ring keeps the table that it was made with. The limit of the process may be changed while it
 * runs (prlimit), so it is asked for when somebody is refused by it. */
static uint64_t nofile_in_force(const struct service *service)
{
	struct rlimit limit = {0};

	if (service->ring_sockets != 0)
		return service->ring_sockets;
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

/* Counted in descriptors: those that hold no connection are in handshakes. */
void conn_refuse_for_descriptors(struct conn *conn)
{
	uint64_t nofile = nofile_in_force(conn->home->service);

	conn_refuse(conn, REFUSAL_NOFILE, nofile, nofile);
}

void conn_refuse_for_memory(struct conn *conn)
{
	conn_refuse(conn, REFUSAL_PAYLOAD_MEMORY, payload_used(), payload_max());
}
