/* SPDX-License-Identifier: Apache-2.0
 * stream_log.c - the log as it is written, for the streams that show it. While there is one, each
 * line that is on comes here, in the thread that logs, and is posted to the admin listener's. What
 * streams do themselves is logged when they begin and end only, so that no line causes another. */
#include <stdlib.h>

#include "admin/stream/stream_private.h"
#include "base/check.h"
#include "base/counter.h"

/* Lines on their way. */
#define PENDING_MAX 256

struct line {
	struct loop_task task;
	struct streams *streams;
	enum log_level level;
	size_t len;
	char text[];
};

static void run_line(struct loop_task *task)
{
	struct line *line = CONTAINER_OF(task, struct line, task);
	struct list_node *head = &line->streams->open;

	counter_sub(&line->streams->log.pending, 1);
	for (struct list_node *node = head->next; node != head; node = node->next) {
		struct stream *stream = CONTAINER_OF(node, struct stream, node);

		if (!stream->wish.has_log || line->level < stream->wish.log_level)
			continue;
		stream->unsent_lines += !stream_event(stream, "log", line->text, line->len);
	}
	free(line);
}

/* In any thread. */
static void on_told(struct log_tap *tap, enum log_level level, const char *event, size_t len)
{
	struct stream_log *log = CONTAINER_OF(tap, struct stream_log, tap);
	struct streams *streams = CONTAINER_OF(log, struct streams, log);

	if (level < counter_read(&log->lowest))
		return;
	struct line *line = counter_read(&log->pending) < PENDING_MAX ? malloc(sizeof(*line) + len)
								      : NULL;

	if (line == NULL) {
		counter_add(&log->lost, 1);
		return;
	}
	*line = (struct line){
		.task = {.run = run_line}, .streams = streams, .level = level, .len = len};
	memcpy(line->text, event, len);
	counter_add(&log->pending, 1);
	loop_post(log->loop, &line->task);
}

static void lowest_set(struct streams *streams)
{
	enum log_level lowest = LOG_LEVEL_ERROR;

	for (struct list_node *node = streams->open.next; node != &streams->open;
	     node = node->next) {
		const struct stream *stream = CONTAINER_OF(node, struct stream, node);

		if (stream->wish.has_log)
			lowest = MIN(lowest, stream->wish.log_level);
	}
	counter_set(&streams->log.lowest, lowest);
}

void stream_log_init(struct stream_log *log)
{
	log->tap.told = on_told;
}

void stream_log_join(struct streams *streams, struct stream *stream)
{
	if (!stream->wish.has_log)
		return;
	stream->lost_before = counter_read(&streams->log.lost);
	streams->log.loop = stream->loop;
	streams->log.users++;
	lowest_set(streams);
	log_set_tap(&streams->log.tap);
}

void stream_log_leave(struct streams *streams, struct stream *stream)
{
	if (!stream->wish.has_log)
		return;
	CHECK(streams->log.users > 0);
	if (--streams->log.users == 0)
		log_set_tap(NULL);
	else
		lowest_set(streams);
}
