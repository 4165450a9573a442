/* SPDX-License-Identifier: Apache-2.0
 * conn_log.h - lines of the log about a connection.
 *
 * Layer: conn. Whatever is told of a connection has the same fields before its own, so that all of
 * it can be found by any of them: connection_id (0: it has none yet), route, client_id, remote, and
 * trace_id if it belongs to a trace. Nothing in conn/ writes to the log without them;
 * tools/lint.py sees to that. */
#pragma once

#include "base/log.h"
#include "conn/conn.h"
#include "conn/hull.h"
#include "trace/trace_context.h"

#define CONN_LOG_AT(level, conn, message, ...)                                      \
	do {                                                                        \
		if (log_is_on(level)) {                                             \
			const struct log_field fields_[] = {__VA_ARGS__};           \
			conn_log_write(level, conn, message, fields_,               \
				       sizeof(fields_) / sizeof(struct log_field)); \
		}                                                                   \
	} while (0)

/* conn_log_info(conn, "connection closed", F_TEXT("reason", label)); */
#define conn_log_debug(conn, message, ...) CONN_LOG_AT(LOG_LEVEL_DEBUG, conn, message, __VA_ARGS__)
#define conn_log_info(conn, message, ...)  CONN_LOG_AT(LOG_LEVEL_INFO, conn, message, __VA_ARGS__)
#define conn_log_warn(conn, message, ...)  CONN_LOG_AT(LOG_LEVEL_WARN, conn, message, __VA_ARGS__)

#define CONN_LOG_FIELDS_MAX 24

/* Who it is about, as texts. */
struct conn_log_ids {
	struct log_field fields[5];
	size_t count;
	char remote[CONN_CLIENT_TEXT_MAX];
	char trace_id[TRACE_ID_TEXT];
};

/* They point into `ids`, the connection's presence and its route. */
void conn_log_ids(const struct conn *conn, struct conn_log_ids *ids);

void conn_log_write(enum log_level level, const struct conn *conn, const char *message,
		    const struct log_field *fields, size_t count);

/* The same of a client whose connection may have ended. */
void conn_log_warn_of(const struct presence *presence, const char *message,
		      const struct log_field *fields, size_t count);
