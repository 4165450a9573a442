/* SPDX-License-Identifier: Apache-2.0
 * stream_private.h - what a stream consists of, for the files of this directory. */
#pragma once

#include <jansson.h>

#include "admin/stream/streams.h"
#include "base/list.h"

/* Of the log, for all streams that show it: stream_log.c. */
struct stream_log {
	struct log_tap tap;
	struct loop *loop;
	uint64_t users;   /* streams that show the log */
	uint64_t lowest;  /* counter: the lowest level that any of them shows */
	uint64_t pending; /* atomic: lines on their way */
	uint64_t lost;    /* counter: that found no room there */
};

struct stream {
	struct http_stream http;
	struct list_node node; /* in streams->open */
	struct streams *streams;
	struct loop *loop;
	struct timer tick;
	struct timer overview;
	struct stream_wish wish; /* without `tail` */
	struct tail *tail;       /* NULL: none */
	struct buf scratch;
	char client[64]; /* address of who asked */
	uint64_t begun_ns;
	uint64_t quiet_since_ns;                /* nothing was written since */
	uint64_t shown;                         /* messages */
	uint64_t unsent_messages, unsent_lines; /* that its client did not take in time */
	uint64_t told_messages, told_lines;     /* of all that were left out, told as dropped */
	uint64_t lost_before;                   /* streams->log.lost when it began */
	enum stream_end why;                    /* is_ending: as it was ended from here */
	bool is_ending;
};

struct streams {
	const struct admin *admin;
	struct list_node open;
	struct stream_log log;
	struct streams_stats stats; /* counters, written in the admin listener's thread */

	pthread_mutex_t mutex; /* for what follows */
	pthread_cond_t changed;
	struct loop *loop; /* NULL: there was no stream yet */
	struct loop_task task;
	bool is_posted;
	bool is_settled; /* the task has run, and what it wrote is with the kernel */
	bool has_rules;
	struct api_token token;
	struct tail_rules rules;
	enum stream_end close_why;
	bool is_closing;
	bool is_closed; /* atomic */
	struct timer settle_timer;
};

/* --- stream_event.c: one event is one line of JSON --- */

/* False: the client is behind, or memory is out; it is left out. */
bool stream_event(struct stream *stream, const char *name, const char *text, size_t len);

/* The same; takes the reference. */
bool stream_event_json(struct stream *stream, const char *name, json_t *json);

/* NULL: memory is out. */
json_t *stream_message_json(const struct stream *stream, const struct tail_item *item);
json_t *stream_hello_json(const struct stream *stream);

/* --- stream_log.c --- */

void stream_log_init(struct stream_log *log);
void stream_log_join(struct streams *streams, struct stream *stream);
void stream_log_leave(struct streams *streams, struct stream *stream);

/* --- streams.c --- */

struct server *streams_server(const struct streams *streams);

/* The listener's loop, from when there was a stream. False: all were to end just before. */
bool streams_use(struct streams *streams, struct loop *loop);

/* --- stream.c --- */

void stream_end(struct stream *stream, enum stream_end why);
uint64_t stream_lines_left_out(const struct stream *stream);
