/* SPDX-License-Identifier: Apache-2.0
 * streams.h - GET /api/v1/stream: what happens, told while it happens, as server-sent events.
 *
 * Layer: admin. A stream lives in the admin listener's thread. What it is told comes by posted
 * tasks, from workers (tail.h) and from whoever logs (stream_log.h). What its client does not take
 * in time is left out and counted: nobody waits for a stream, and none holds more than
 * STREAM_QUEUE_MAX. It ends with its client, with its token, with the rules by which it redacts,
 * and with the process. */
#pragma once

#include "admin/api/api_token.h"
#include "admin/stream/tail.h"
#include "base/log.h"
#include "http/http_stream.h"

#define STREAM_QUEUE_MAX    262144 /* [bytes] that wait for one client, but for a single event */
#define STREAM_KEEPALIVE_NS (15 * NS_PER_S)

struct admin;
struct streams;

/* Why a stream ended. X(NAME, label, help) */
#define STREAM_END_TABLE(X)                                                                    \
	X(CLIENT, "client", "Its client left.")                                                \
	X(SLOW, "slow_reader", "Its client took nothing for server.send_timeout.")             \
	X(TOKEN, "token", "The API has another token now.")                                    \
	X(RULES, "rules", "admin.tail_bodies or tail_redact have changed, and it was a tail.") \
	X(UPGRADE, "upgrade", "Another process has taken over, and is to be asked.")           \
	X(SHUTDOWN, "shutdown", "The gateway stopped.")                                        \
	X(MEMORY, "memory", "Memory was out, or payload memory scarce.")

#define STREAM_END_ENUM(NAME, ...) STREAM_END_##NAME,
enum stream_end { STREAM_END_TABLE(STREAM_END_ENUM) STREAM_END_COUNT };

struct streams_stats {
	uint64_t open; /* gauge */
	uint64_t refused;
	uint64_t events;           /* that were written */
	uint64_t dropped_messages; /* left out: more than the sample, or not taken in time */
	uint64_t dropped_lines;    /* of the log */
	uint64_t ended[STREAM_END_COUNT];
};

/* What a stream shows. */
struct stream_wish {
	uint64_t overview_ms; /* 0: not */
	bool has_log;
	enum log_level log_level; /* and above */
	bool has_tail;
	struct tail_options tail; /* lent */
	const char *node;         /* lives as long as the server */
	struct api_token token;   /* by which it was let in */
	const char *access;       /* "token" or "loopback"; static text */
};

/* NULL: memory is out. `admin` outlives it, and its server is there while streams are. */
struct streams *streams_create(const struct admin *admin);

/* After the server's end. NULL is fine. */
void streams_destroy(struct streams **streams);

/* --- in the admin listener's thread --- */

/* Is there a place for one more? If not, it is counted as refused. */
bool streams_have_place(struct streams *streams, uint64_t max);

/* Nothing is begun any more: the process ends, or another one has taken over. */
bool streams_are_closed(const struct streams *streams);

/* Answers the request by a stream. False: memory is out, and the request is still to be answered.
 */
bool stream_open(struct streams *streams, struct http_later *later, const struct stream_wish *wish);

/* --- in the main thread --- */

/* Ends those that came by another token, and tails with other rules. */
void streams_change_rules(struct streams *streams, const struct api_token *token,
			  const struct config_admin *config);

/* Ends all of them and lets none in, while the admin listener runs. Waits for a moment, until they
 * are told. */
void streams_close(struct streams *streams, enum stream_end why);

/* --- from any thread --- */

void streams_stats(const struct streams *streams, struct streams_stats *out_stats);
const char *stream_end_label(enum stream_end why);
