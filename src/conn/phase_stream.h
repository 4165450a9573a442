/* SPDX-License-Identifier: Apache-2.0
 * phase_stream.h - STREAM: an answer whose body comes over time (http_stream.h).
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"
#include "http/http_stream.h"

extern const struct conn_phase phase_stream;

/* In CONN_ANSWER: the head leaves. False: memory is out, and the connection ends. */
bool conn_stream_begin(struct conn *conn, struct http_reply *reply, struct http_stream *stream,
		       bool is_chunked);
