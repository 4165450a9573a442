/* SPDX-License-Identifier: Apache-2.0 */
#include "server/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/broadcast.h"
#include "conn/conn.h"

static struct worker *worker_of(struct listener *listener)
{
	return CONTAINER_OF(listener, struct worker, listener);
}

static void on_accept(struct listener *listener, const struct tcp_accepted *accepted)
{
	conn_accept(worker_of(listener), accepted);
}

static void on_accept_error(struct listener *listener, int error)
{
	struct worker *worker = worker_of(listener);
	uint64_t suppressed;

	stat_add(&worker->stats.accept_errors, 1);
	if (log_gate_pass(&worker->service->accept_gate, loop_now(worker->loop), &suppressed))
		log_warn("accept failed", F_TEXT("error", strerror(-error)),
			 F_TEXT("remedy",
				error == -EMFILE
					? "raise the descriptor limit (ulimit -n, LimitNOFILE=)"
				: error == -ENFILE ? "raise fs.file-max"
						   : "none: one client went away"),
			 F_UINT("sockets", worker->stats.sockets),
			 F_UINT("suppressed", suppressed));
}

/* --- the end --- */

static void end_if_empty(struct worker *worker)
{
	if (worker->is_ending && !worker->has_listener && list_is_empty(&worker->conn_list) &&
	    list_is_empty(&worker->uplinks) && list_is_empty(&worker->shares) &&
	    fleet_home_is_idle(&worker->home))
		loop_stop(worker->loop);
}

static void on_listener_closed(struct listener *listener)
{
	struct worker *worker = worker_of(listener);

	worker->has_listener = false;
	end_if_empty(worker);
}

void worker_conn_gone(struct worker *worker)
{
	end_if_empty(worker);
}

void worker_conn_remove(struct worker *worker, struct list_node *conn)
{
	for (struct list_node *node = worker->walks.next; node != &worker->walks;
	     node = node->next) {
		struct conn_walk *walk = CONTAINER_OF(node, struct conn_walk, node);

		if (walk->next == conn)
			walk->next = conn->next;
	}
	list_remove(conn);
}

void conn_walk_start(struct conn_walk *walk, struct worker *worker)
{
	walk->worker = worker;
	walk->next = worker->conn_list.next;
	list_append(&worker->walks, &walk->node);
}

struct conn *conn_walk_next(struct conn_walk *walk)
{
	struct list_node *node = walk->next;

	if (node == &walk->worker->conn_list)
		return NULL;
	walk->next = node->next;
	return CONTAINER_OF(node, struct conn, node);
}

void conn_walk_stop(struct conn_walk *walk)
{
	list_remove(&walk->node);
}

/* Calls may close a connection, but its node stays in the list until the turn ends. */
static void each_conn(struct worker *worker, void (*call)(struct conn *conn))
{
	for (struct list_node *node = worker->conn_list.next, *next; node != &worker->conn_list;
	     node = next) {
		next = node->next;
		call(CONTAINER_OF(node, struct conn, node));
	}
}

static void run_drain(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, drain_task);

	worker->is_ending = true;
	listener_close(&worker->listener);
	each_conn(worker, conn_drain);
	if (worker->options.events.on_drain != NULL)
		worker->options.events.on_drain(worker->options.events.arg, worker);
	end_if_empty(worker);
}

static void run_abort(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, abort_task);

	each_conn(worker, conn_abort);
	for (struct list_node *node = worker->uplinks.next, *next; node != &worker->uplinks;
	     node = next) {
		struct uplink *uplink = CONTAINER_OF(node, struct uplink, node);

		next = node->next; /* it may be freed */
		uplink->backend->ops->abort(uplink);
	}
	fleet_home_abort(&worker->home);
}

void worker_drain(struct worker *worker)
{
	worker->drain_task.run = run_drain;
	loop_post(worker->loop, &worker->drain_task);
}

void worker_abort(struct worker *worker)
{
	worker->abort_task.run = run_abort;
	loop_post(worker->loop, &worker->abort_task);
}

/* --- the thread --- */

static void on_client_gone(struct fleet_home *home)
{
	end_if_empty(CONTAINER_OF(home, struct worker, home));
}

static int open_listener(struct worker *worker)
{
	worker->listener = (struct listener){
		.on_accept = on_accept,
		.on_accept_error = on_accept_error,
		.on_closed = on_listener_closed,
	};
	int fd = worker->options.listen_fd;

	worker->options.listen_fd = -1;
	int r = listener_open(&worker->listener, worker->loop, fd);

	worker->has_listener = r == 0;
	return r;
}

static int run(struct worker *worker)
{
	int r = loop_create(&worker->options.loop, &worker->loop);

	if (r < 0)
		return r;
	fleet_home_init(&worker->home, worker->service->fleet, worker->loop, on_client_gone);
	worker->home.random = &worker->random;
	if (worker->home.fleet != NULL && worker->home.fleet->is_clustered)
		claims_start(worker);
	broadcast_worker_init(worker);
	r = open_listener(worker);
	if (r == 0) {
		mailbox_open(&worker->mailbox, worker->loop);
		worker->options.events.on_listening(worker->options.events.arg, worker);
		loop_run(worker->loop);
		mailbox_close(&worker->mailbox);
	}
	return r;
}

static void *thread_main(void *arg)
{
	struct worker *worker = arg;
	int r = run(worker);

	worker->options.events.on_end(worker->options.events.arg, r);
	/* Here and not in worker_join: a ring belongs to the thread that made it. Whoever
	 * posts does so before it has been told of the end. */
	loop_destroy(&worker->loop);
	return NULL;
}

struct worker *worker_start(const struct worker_options *options)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL) {
		close(options->listen_fd);
		errno = ENOMEM;
		return NULL;
	}
	worker->options = *options;
	worker->service = options->service;
	pool_init(&worker->conns, sizeof(struct conn), 128);
	pool_init(&worker->heads, sizeof(struct head_rx), 16);
	pool_init(&worker->frames, sizeof(struct frame_rx), 16);
	list_init(&worker->conn_list);
	list_init(&worker->uplinks);
	mailbox_init(&worker->mailbox);
	list_init(&worker->walks);
	int r = pthread_create(&worker->thread, NULL, thread_main, worker);

	if (r != 0) {
		close(options->listen_fd);
		mailbox_finish(&worker->mailbox);
		free(worker);
		errno = r;
		return NULL;
	}
	return worker;
}

static void free_pools(struct worker *worker)
{
	if (worker->spare_frames != NULL)
		ws_decoder_finish(&worker->spare_frames->decoder);
	pool_put(&worker->frames, worker->spare_frames);
	pool_finish(&worker->frames);
	pool_finish(&worker->heads);
	pool_finish(&worker->conns);
}

void worker_join(struct worker *worker)
{
	if (worker != NULL)
		pthread_join(worker->thread, NULL);
}

void worker_destroy(struct worker **worker)
{
	if (*worker == NULL)
		return;
	free_pools(*worker);
	fleet_home_finish(&(*worker)->home);
	if ((*worker)->options.listen_fd >= 0)
		close((*worker)->options.listen_fd);
	mailbox_finish(&(*worker)->mailbox);
	free(*worker);
	*worker = NULL;
}
