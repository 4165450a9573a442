/* SPDX-License-Identifier: Apache-2.0
 * worker_door.c - what a worker listens on, from when it is opened until it has closed.
 *
 * Open -> leaving -> closed. To one that leaves nobody new can connect; it goes on to accept, until
 * no look finds anybody who waits: a socket that is closed with clients in its queue would reset
 * them. A worker that ends closes its doors at once. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "conn/conns.h"
#include "server/worker.h"
#include "tls/tls_holder.h"

/* --- who comes --- */

static struct worker_door *door_of(struct listener *listener)
{
	return CONTAINER_OF(listener, struct worker_door, listener);
}

static struct worker_door *door_at(struct list_node *node)
{
	return CONTAINER_OF(node, struct worker_door, node);
}

static struct worker *worker_of(struct listener *listener)
{
	return door_of(listener)->worker;
}

/* What else the kernel tells of a client of a unix socket is nothing or a path. */
static struct tcp_accepted normal(const struct tcp_accepted *accepted)
{
	struct tcp_accepted copy = *accepted;

	if (copy.remote.sa.sa_family == AF_UNIX)
		copy.remote = (struct net_addr){.sa.sa_family = AF_UNIX};
	return copy;
}

static void on_accept(struct listener *listener, const struct tcp_accepted *accepted)
{
	struct tls_holder *holder = door_of(listener)->tls;
	struct tls_context *tls = holder == NULL ? NULL : tls_holder_get(holder);
	struct tcp_accepted copy = normal(accepted);

	if (!conns_accept(&worker_of(listener)->home, &copy, tls, door_of(listener)->place))
		listener_refuse(listener, accepted);
	tls_context_unref(&tls);
}

static void on_accept_error(struct listener *listener, int error)
{
	struct worker *worker = worker_of(listener);
	uint64_t suppressed;

	stat_add(&worker->home.stats.accept_errors, 1);
	stat_add(&worker->home.listeners[door_of(listener)->place].accept_errors, 1);
	if (log_gate_pass(&worker->home.service->accept_gate, loop_now(worker->loop), &suppressed))
		log_warn("accept failed", F_TEXT("error", strerror(-error)),
			 F_TEXT("remedy",
				error == -EMFILE
					? "raise the descriptor limit (ulimit -n, LimitNOFILE=)"
				: error == -ENFILE ? "raise fs.file-max"
						   : "none: one client went away"),
			 F_UINT("sockets", worker->home.stats.sockets),
			 F_UINT("suppressed", suppressed));
}

/* --- coming and going --- */

void worker_doors_close(struct worker *worker)
{
	for (struct list_node *node = worker->doors.next; node != &worker->doors; node = node->next)
		listener_close(&door_at(node)->listener);
}

static void on_listener_closed(struct listener *listener)
{
	struct worker_door *door = door_of(listener);
	struct worker *worker = door->worker;

	CHECK(!list_is_empty(&worker->doors) &&
	      (worker->is_ending || worker->has_retired || door->is_leaving));
	loop_timer_stop(worker->loop, &door->leave_timer);
	list_remove(&door->node);
	door->is_open = false;
	if (door->is_leaving)
		door->on_gone(door); /* its owner may free it */
	worker->on_door_closed(worker);
}

/* Somebody who has begun to come may still be on the way, from the other side of the world: only
 * when so many looks in a row have found nobody it closes. */
#define DOOR_LOOK_NS (20 * NS_PER_MS)
#define DOOR_LOOKS   10
#define DOOR_LEAVE_NS \
	(1 * NS_PER_S) /* at most: who comes faster than is accepted, or no descriptors */

static void on_door_leaves(struct timer *timer)
{
	struct worker_door *door = CONTAINER_OF(timer, struct worker_door, leave_timer);
	struct loop *loop = door->worker->loop;

	door->quiet_looks = listener_has_waiting(&door->listener) ? 0 : door->quiet_looks + 1;
	if (door->quiet_looks >= DOOR_LOOKS || loop_now(loop) >= door->leave_by_ns)
		listener_close(&door->listener);
	else
		loop_timer_start(loop, &door->leave_timer, DOOR_LOOK_NS);
}

int worker_door_open(struct worker *worker, struct worker_door *door)
{
	int fd = door->fd;

	door->worker = worker;
	door->listener = (struct listener){
		.on_accept = on_accept,
		.on_accept_error = on_accept_error,
		.on_closed = on_listener_closed,
	};
	loop_timer_init(&door->leave_timer, on_door_leaves);
	door->fd = -1;
	int r = listener_open(&door->listener, worker->loop, fd);

	door->is_open = r == 0;
	if (door->is_open)
		list_append(&worker->doors, &door->node);
	return r;
}

static void run_add(struct loop_task *task)
{
	struct worker_door *door = CONTAINER_OF(task, struct worker_door, task);
	struct worker *worker = door->worker;

	if (worker->is_closing) {
		close(door->fd);
		door->fd = -1;
		return;
	}
	int r = worker_door_open(worker, door);

	if (r < 0)
		log_error("a worker cannot listen on a new address", F_TEXT("error", strerror(-r)),
			  F_TEXT("remedy", "free memory or descriptors, and take the listener out "
					   "and in again"));
}

void worker_door_add(struct worker *worker, struct worker_door *door)
{
	door->worker = worker;
	door->task.run = run_add;
	loop_post(worker->loop, &door->task);
}

static void run_remove(struct loop_task *task)
{
	struct worker_door *door = CONTAINER_OF(task, struct worker_door, task);
	struct loop *loop = door->worker->loop;

	CHECK(!door->is_leaving);
	door->is_leaving = true;
	if (!door->is_open) {
		door->on_gone(door); /* it could not be opened, or the worker ends */
		return;
	}
	door->leave_by_ns = loop_now(loop) + DOOR_LEAVE_NS;
	listener_ignore_new(&door->listener);
	loop_timer_start(loop, &door->leave_timer, DOOR_LOOK_NS);
}

void worker_door_remove(struct worker_door *door)
{
	door->task.run = run_remove;
	loop_post(door->worker->loop, &door->task);
}
