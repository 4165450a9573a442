/* SPDX-License-Identifier: Apache-2.0
 * access_log.h - one line for each connection that ends, and for each handshake that is refused.
 *
 * Layer: conn. Off as a rule; then nothing is kept for it. On, a client keeps with its presence
 * what its request said: the path and the user agent, both bounded. */
#pragma once

#include <pthread.h>

#include "base/counter.h"
#include "base/log_file.h"
#include "conn/conn.h"

#define ACCESS_PATH_MAX  128 /* [bytes]; more is cut */
#define ACCESS_AGENT_MAX 128

/* Of the server; the members are atomic but for the mutex and what it guards. */
struct access_log {
	uint64_t is_on;
	uint64_t rate;              /* lines/s at most; 0: no limit */
	uint64_t second, in_second; /* the last in which there was a line, and how many */
	uint64_t logged;            /* lines that went to the log */
	uint64_t dropped_rate;
	pthread_mutex_t mutex;
	struct log_file *file; /* written under the mutex; NULL: to the log */
};

static inline bool access_log_is_on(const struct access_log *log)
{
	return log != NULL && counter_read(&log->is_on) != 0;
}

/* What a presence is to keep of a request: path, NUL, user agent. Empty: nothing. */
#define ACCESS_NOTE_MAX (ACCESS_PATH_MAX + 1 + ACCESS_AGENT_MAX)
struct slice conn_access_note(const struct conn *conn, const struct conn_request *request,
			      uint8_t out[ACCESS_NOTE_MAX]);

/* A handshake, or what was none, is answered so; 101 is no end, and has no line. */
void conn_access_answered(struct conn *conn, unsigned status, const char *reason);

/* It begins to end; `code` is that of the close frame, 0: by the reason. */
void conn_access_ended(struct conn *conn, uint16_t code);
