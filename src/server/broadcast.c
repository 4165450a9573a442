/* SPDX-License-Identifier: Apache-2.0 */
#include "server/broadcast.h"

#include <errno.h>
#include <stdlib.h>

#include "base/shared_bytes.h"
#include "server/conn.h"

/* What one turn of a worker's loop does for one broadcast. */
#define TURN_VISITS_MAX 1024
#define TURN_BYTES_MAX  1048576

struct broadcast;

/* One worker's share; in its thread once it is posted. */
struct share {
	struct loop_task task;
	struct broadcast *broadcast;
	struct worker *worker;
	struct conn_walk walk;
	struct broadcast_result result;
};

struct broadcast {
	struct broadcast_order order;
	struct shared_bytes *frame;
	uint64_t open_shares; /* atomic */
	struct loop_task done_task;
	size_t share_count;
	struct share shares[];
};

/* --- in the thread of the order's home --- */

static void broadcast_free(struct broadcast *broadcast)
{
	shared_bytes_unref(&broadcast->frame);
	free(broadcast);
}

static void run_done(struct loop_task *task)
{
	struct broadcast *broadcast = CONTAINER_OF(task, struct broadcast, done_task);
	struct broadcast_result sum = {0};

	for (size_t i = 0; i < broadcast->share_count; i++) {
		sum.delivered += broadcast->shares[i].result.delivered;
		sum.cut += broadcast->shares[i].result.cut;
		sum.failed += broadcast->shares[i].result.failed;
	}
	broadcast->order.on_done(broadcast->order.arg, &sum);
	broadcast_free(broadcast);
}

/* From whichever thread is the last. */
static void close_share(struct broadcast *broadcast)
{
	if (__atomic_sub_fetch(&broadcast->open_shares, 1, __ATOMIC_ACQ_REL) == 0)
		loop_post(broadcast->order.home, &broadcast->done_task);
}

/* --- in a worker's thread --- */

static bool is_meant(const struct broadcast *broadcast, const struct conn *conn)
{
	const char *route = broadcast->order.route;

	return conn->state == CONN_OPEN &&
	       (route == NULL || strcmp(route, conn->session.presence->route) == 0);
}

/* [bytes] that it queued. */
static size_t deliver(struct share *share, struct conn *conn)
{
	struct shared_bytes *frame = share->broadcast->frame;

	if (!is_meant(share->broadcast, conn))
		return 0;
	switch (conn_push_frame(conn, frame)) {
	case 0:
		share->result.delivered++;
		return frame->len;
	case -ENOBUFS:
		share->result.cut++;
		return 0;
	case -ENOMEM:
		share->result.failed++;
		return 0;
	default:
		return 0; /* it is closing */
	}
}

static void run_turn(struct loop_task *task)
{
	struct share *share = CONTAINER_OF(task, struct share, task);
	struct conn *conn = NULL;
	size_t bytes = 0;

	for (size_t i = 0; i < TURN_VISITS_MAX && bytes < TURN_BYTES_MAX; i++) {
		conn = conn_walk_next(&share->walk);
		if (conn == NULL)
			break;
		bytes += deliver(share, conn);
	}
	if (conn != NULL) {
		loop_post(share->worker->loop, task);
		return;
	}
	conn_walk_stop(&share->walk);
	close_share(share->broadcast);
}

static void run_first(struct loop_task *task)
{
	struct share *share = CONTAINER_OF(task, struct share, task);

	conn_walk_start(&share->walk, share->worker);
	task->run = run_turn;
	run_turn(task);
}

/* --- start --- */

static struct shared_bytes *make_frame(const struct message *message)
{
	uint8_t head[WS_FRAME_HEAD_MAX];
	size_t len = ws_frame_head_write(head, message->is_text ? WS_TEXT : WS_BINARY,
					 message->bytes.len, NULL);
	struct shared_bytes *frame = shared_bytes_create(len + message->bytes.len);

	if (frame == NULL)
		return NULL;
	memcpy(frame->data, head, len);
	if (message->bytes.len > 0)
		memcpy(frame->data + len, message->bytes.data, message->bytes.len);
	return frame;
}

int broadcast_start(struct server *server, const struct broadcast_order *order)
{
	size_t count = server_worker_count(server);
	struct broadcast *broadcast = calloc(1, sizeof(*broadcast) + count * sizeof(struct share));

	if (broadcast == NULL)
		return -ENOMEM;
	broadcast->frame = make_frame(&order->message);
	if (broadcast->frame == NULL) {
		broadcast_free(broadcast);
		return -ENOMEM;
	}
	broadcast->order = *order;
	broadcast->share_count = count;
	broadcast->open_shares = count + 1; /* one for this function */
	broadcast->done_task.run = run_done;
	for (size_t i = 0; i < count; i++) {
		struct share *share = &broadcast->shares[i];

		share->broadcast = broadcast;
		share->worker = server_worker(server, i);
		share->task.run = run_first;
		/* One that has not started, or has ended, has no clients. */
		if (share->worker == NULL || !mailbox_post(&share->worker->mailbox, &share->task))
			close_share(broadcast);
	}
	close_share(broadcast);
	return 0;
}
