/* SPDX-License-Identifier: Apache-2.0
 * handover_conns.c - the connections of a worker that stands still leave in batches, so that their
 * descriptors need only a few slots of the process's table at a time. */
#include "server/handover_conns.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "conn/conn_state.h"
#include "io/tcp_handover.h"
#include "server/broadcast.h"
#include "server/handover_channel.h"
#include "server/handover_format.h"
#include "server/server_listeners.h"
#include "server/worker.h"

/* [bytes] A batch that has so many is sent. */
#define BATCH_SIZE 1048576

struct batch {
	struct worker *worker;
	const struct handover_exporting *exporting;
	struct buf body;
	int fds[HANDOVER_FDS_MAX];
	size_t count;
	unsigned listener; /* of the last; of a new batch LISTENER_OTHERS */
};

static int batch_send(struct batch *batch)
{
	int r = batch->count == 0 ? 0
				  : handover_send(batch->exporting->channel, HANDOVER_CONNS,
						  buf_slice(&batch->body), batch->fds, batch->count,
						  batch->exporting->deadline_ns);

	for (size_t i = 0; i < batch->count; i++)
		close(batch->fds[i]);
	batch->exporting->count(batch->exporting->arg, batch->count, 0);
	batch->count = 0;
	batch->listener = LISTENER_OTHERS;
	state_wipe(&batch->body);
	return r;
}

/* Its place in the list of those that went. 0 or -ENOMEM. */
static int exported_add(struct still_worker *still, struct conn *conn)
{
	if (still->exported_count == still->exported_max) {
		size_t max = still->exported_max == 0 ? 1024 : 2 * still->exported_max;
		struct conn **exported = realloc(still->exported, max * sizeof(struct conn *));

		if (exported == NULL)
			return -ENOMEM;
		still->exported = exported;
		still->exported_max = max;
	}
	still->exported[still->exported_count++] = conn;
	return 0;
}

/* If it is not that of the one before. */
static void listener_put(const struct batch *batch, const struct conn *conn,
			 struct state_writer *writer)
{
	char name[CONFIG_PLACE_TEXT_MAX];

	if (conn->listener == batch->listener)
		return;
	server_listener_name(batch->exporting->server, conn->listener, name);
	state_put_bytes(writer, HANDOVER_TAG_LISTENER, slice_from_text(name));
}

/* Appends its record. CONN_STAYS, or a writer's error in *out_error: nothing was appended. */
static enum conn_going record_put(struct batch *batch, struct conn *conn, int *out_error)
{
	const struct still_worker *still = &batch->worker->still;
	size_t before = batch->body.len;
	struct state_writer writer;

	state_writer_init(&writer, &batch->body, HANDOVER_MESSAGE_MAX);
	listener_put(batch, conn, &writer);
	size_t begun = state_begin(&writer, HANDOVER_TAG_CONN);

	state_put_u64(&writer, HANDOVER_TAG_MARK,
		      handover_mark(still->index, still->exported_count));
	size_t state_begun = state_begin(&writer, HANDOVER_TAG_STATE);
	enum conn_going going = conn_export(conn, &writer);

	state_end(&writer, state_begun);
	state_end(&writer, begun);
	*out_error = writer.error;
	if (going == CONN_STAYS || writer.error != 0)
		batch->body.len = before;
	return going;
}

/* 0: it goes; 1: it stays; or a negative errno. */
static int batch_add(struct batch *batch, struct conn *conn)
{
	size_t before = batch->body.len;
	int error;

	if (record_put(batch, conn, &error) == CONN_STAYS)
		return 1;
	if (error != 0)
		return error;
	int fd = tcp_take_fd(&conn->tcp);
	int r = fd < 0 ? fd : exported_add(&batch->worker->still, conn);

	if (r < 0) {
		batch->body.len = before;
		if (fd >= 0)
			close(fd);
		return r;
	}
	batch->fds[batch->count++] = fd;
	batch->listener = conn->listener;
	return 0;
}

/* What has no room beside others may have it alone. */
static bool has_room_alone(const struct batch *batch, int error)
{
	return batch->count > 0 && (error == -EMSGSIZE || error == -EMFILE || error == -ENFILE);
}

static int conn_send(struct batch *batch, struct conn *conn)
{
	int r = batch_add(batch, conn);

	if (has_room_alone(batch, r)) {
		r = batch_send(batch);
		if (r == 0)
			r = batch_add(batch, conn);
	}
	if (r == 1 || r == -EMSGSIZE) {
		batch->exporting->count(batch->exporting->arg, 0, 1);
		return 0;
	}
	bool is_full = batch->count == HANDOVER_FDS_MAX || batch->body.len >= BATCH_SIZE;

	return r == 0 && is_full ? batch_send(batch) : r;
}

static int conns_send(struct worker *worker, const struct handover_exporting *exporting)
{
	struct batch *batch = malloc(sizeof(*batch));
	struct pool_walk walk;
	struct conn *conn;
	int r = 0;

	if (batch == NULL)
		return -ENOMEM;
	*batch = (struct batch){.worker = worker, .exporting = exporting};
	pool_walk_start(&walk, &worker->home.conn_pool);
	while (r == 0 && (conn = pool_walk_next(&walk)) != NULL)
		r = conn_send(batch, conn);
	pool_walk_stop(&walk);
	if (r == 0)
		r = batch_send(batch);
	for (size_t i = 0; i < batch->count; i++)
		close(batch->fds[i]);
	state_wipe(&batch->body);
	free(batch);
	return r;
}

static void doors_each(struct worker *worker, void (*call)(struct listener *listener))
{
	for (struct list_node *node = worker->doors.next; node != &worker->doors; node = node->next)
		call(&CONTAINER_OF(node, struct worker_door, node)->listener);
}

int handover_conns_export(struct worker *worker, const struct handover_exporting *exporting,
			  const char **out_what)
{
	/* This kernel cannot give away what io_uring has: the old process finishes it. */
	bool can_go = exporting->can_give;
	int r = 0;

	*out_what = "to stop accepting";
	doors_each(worker, listener_pause);
	if (can_go) {
		*out_what = "to freeze the connections of a worker";
		conns_freeze(&worker->home);
		r = loop_settle(worker->loop, exporting->deadline_ns);
	}
	if (r < 0)
		return r;
	*out_what = "to hand the connections of a worker over";
	if (!exporting->wait_for_all(exporting->arg))
		return -ECANCELED;
	broadcast_worker_settle(worker); /* into the queues of all, whether they go or stay */
	if (can_go)
		return conns_send(worker, exporting);
	exporting->count(exporting->arg, 0, worker->home.stats.sockets);
	return 0;
}

void handover_conns_go_on(struct worker *worker, bool has_doors)
{
	if (has_doors)
		doors_each(worker, listener_resume);
	conns_thaw(&worker->home);
	loop_catch_up(worker->loop);
}
