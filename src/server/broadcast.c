/* SPDX-License-Identifier: Apache-2.0 */
#include "server/broadcast.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/shared_bytes.h"
#include "fleet/message.h"
#include "fleet/rpc/rpc_frame.h"
#include "conn/ws_session.h"
#include "conn/ws_writer.h"
#include "server/server_private.h"
#include "server/worker.h"

/* What one turn of a worker's loop does for broadcasts. */
#define TURN_VISITS_MAX 1024
#define TURN_BYTES_MAX  1048576
/* Messages that go in one walk: more of them, or larger ones, would gain nothing. */
#define BATCH_MAX       64
#define BATCH_BYTES_MAX 16384

struct broadcast;

/* One worker's share; in its thread once it is posted. */
struct share {
	struct loop_task task;
	struct list_node node; /* in worker->shares */
	/* How many shares one walk delivers: this one and those behind it; 0: it has not begun. */
	unsigned batch;
	struct broadcast *broadcast;
	struct worker *worker;
	union {
		struct pool_walk all;
		struct group_walk group;
	} walk;
	struct broadcast_result result;
};

struct broadcast {
	struct loop *home;
	void (*on_done)(void *arg, const struct broadcast_result *result);
	void *arg;
	char route[PRESENCE_ROUTE_MAX + 1]; /* "": all */
	char group[GROUP_NAME_MAX + 1];     /* "": none */
	struct except_client except;
	struct ws_fan_frame frame;
	bool is_call[CONFIG_RPC_JSON_RPC + 1]; /* by the framing of a client's route */
	uint64_t open_shares;                  /* atomic */
	struct loop_task done_task;
	size_t share_count;
	struct share shares[];
};

/* --- in the thread of the order's home --- */

static void broadcast_free(struct broadcast *broadcast)
{
	ws_fan_frame_finish(&broadcast->frame);
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
	sum.bytes = broadcast->frame.plain->len;
	broadcast->on_done(broadcast->arg, &sum);
	broadcast_free(broadcast);
}

/* From whichever thread is the last. */
static void close_share(struct broadcast *broadcast)
{
	if (__atomic_sub_fetch(&broadcast->open_shares, 1, __ATOMIC_ACQ_REL) == 0)
		loop_post(broadcast->home, &broadcast->done_task);
}

/* --- in a worker's thread --- */

static bool is_for_group(const struct broadcast *broadcast)
{
	return broadcast->group[0] != 0;
}

static bool walk_start(struct share *share)
{
	if (is_for_group(share->broadcast))
		return group_walk_start(&share->walk.group, &share->worker->home.fleet,
					share->broadcast->group);
	pool_walk_start(&share->walk.all, &share->worker->home.conn_pool);
	return true;
}

static struct conn *walk_next(struct share *share)
{
	if (!is_for_group(share->broadcast))
		return pool_walk_next(&share->walk.all);
	struct session *session = group_walk_next(&share->walk.group);

	return session == NULL ? NULL : conn_of_session(session);
}

static void walk_stop(struct share *share)
{
	if (is_for_group(share->broadcast))
		group_walk_stop(&share->walk.group);
	else
		pool_walk_stop(&share->walk.all);
}

/* A call to a client is its own: its answer has to find back (docs/rpc.md). */
static bool is_meant(const struct broadcast *broadcast, const struct conn *conn)
{
	const char *route = broadcast->route;

	return conn->phase == CONN_OPEN && !broadcast->is_call[conn_route(conn)->config->rpc] &&
	       (route[0] == 0 || strcmp(route, presence_route_name(conn_presence(conn))) == 0) &&
	       !(except_is_set(&broadcast->except) &&
		 except_has(&broadcast->except, conn_presence(conn)));
}

/* [bytes] that it queued. */
static size_t deliver(struct share *share, struct conn *conn)
{
	size_t len = 0;
	struct stats *stats = &share->worker->home.stats;

	if (!is_meant(share->broadcast, conn))
		return 0;
	switch (ws_session_push_frame(conn, &share->broadcast->frame, &len)) {
	case 0:
		share->result.delivered++;
		stat_add(&stats->fan_out_delivered, 1);
		return len;
	case -ENOBUFS:
		share->result.cut++;
		stat_add(&stats->fan_out_cut, 1);
		return 0;
	case -ENOMEM:
		share->result.failed++;
		return 0;
	default:
		return 0; /* it is closing */
	}
}

/* What is left of a turn. */
struct turn {
	size_t visits, bytes;
};

static bool turn_is_over(const struct turn *turn)
{
	return turn->visits >= TURN_VISITS_MAX || turn->bytes >= TURN_BYTES_MAX;
}

static struct share *share_of(struct list_node *node)
{
	return CONTAINER_OF(node, struct share, node);
}

static bool has_same_audience(const struct broadcast *one, const struct broadcast *other)
{
	return strcmp(one->route, other->route) == 0 && strcmp(one->group, other->group) == 0;
}

/* Messages to the same clients that wait one behind the other go in one walk, so that each
 * client gets them in one send: the more there is to do, the less each costs. Those of
 * another audience in between would be overtaken, and end the batch; so do as many bytes as
 * could make a slow reader of a client that reads at once. */
static unsigned batch_size(const struct worker *worker, const struct share *first)
{
	size_t left = MIN(conn_home_limits(&worker->home)->send_queue_max / 4,
			  (uint64_t)BATCH_BYTES_MAX);
	const struct list_node *node = &first->node;
	unsigned size = 0;

	do {
		const struct broadcast *broadcast =
			CONTAINER_OF(node, const struct share, node)->broadcast;

		if (size > 0 && (broadcast->frame.plain->len > left ||
				 !has_same_audience(first->broadcast, broadcast)))
			break;
		left -= MIN(left, broadcast->frame.plain->len);
		node = node->next;
		size++;
	} while (node != &worker->shares && size < BATCH_MAX);
	return size;
}

/* [bytes] that it queued. */
static size_t deliver_batch(struct share *first, struct conn *conn)
{
	struct share *share = first;
	size_t bytes = 0;

	for (unsigned i = 0; i < first->batch; i++) {
		bytes += deliver(share, conn);
		share = share_of(share->node.next);
	}
	return bytes;
}

/* True: all have got it. */
static bool share_go_on(struct share *share, struct turn *turn)
{
	turn->visits++; /* one whose group is empty here is not free either */
	if (share->batch == 0) {
		share->batch = batch_size(share->worker, share);
		if (!walk_start(share))
			return true;
	}
	for (; !turn_is_over(turn); turn->visits++) {
		struct conn *conn = walk_next(share);

		if (conn == NULL) {
			walk_stop(share);
			return true;
		}
		turn->bytes += deliver_batch(share, conn);
	}
	return false;
}

static void batch_end(struct worker *worker, unsigned size)
{
	while (size-- > 0) {
		struct share *share = share_of(worker->shares.next);

		list_remove(&share->node);
		close_share(share->broadcast);
	}
}

/* In their order, so that each client gets them in the order in which they came. */
static void run_turn(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, shares_task);
	struct turn turn = {0};

	while (!list_is_empty(&worker->shares) && !turn_is_over(&turn)) {
		struct share *share = share_of(worker->shares.next);

		if (share_go_on(share, &turn))
			batch_end(worker, share->batch);
	}
	if (!list_is_empty(&worker->shares))
		loop_post(worker->loop, task);
	else
		worker_part_gone(worker);
}

/* The task, which is posted, finds nothing left. */
void broadcast_worker_settle(struct worker *worker)
{
	while (!list_is_empty(&worker->shares)) {
		struct share *share = share_of(worker->shares.next);
		struct turn turn = {0};

		if (share_go_on(share, &turn))
			batch_end(worker, share->batch);
	}
}

static void share_queue(struct share *share)
{
	struct worker *worker = share->worker;
	bool is_first = list_is_empty(&worker->shares);

	CHECK(share->batch == 0);
	list_append(&worker->shares, &share->node);
	if (is_first)
		loop_post(worker->loop, &worker->shares_task);
}

static void run_share(struct loop_task *task)
{
	share_queue(CONTAINER_OF(task, struct share, task));
}

/* --- start --- */

/* NULL: memory is out. */
static struct broadcast *broadcast_create(const struct broadcast_order *order, size_t share_count)
{
	const struct fan_out *what = &order->what;
	struct broadcast *broadcast = calloc(1, sizeof(*broadcast) +
							share_count * sizeof(struct share));

	if (broadcast == NULL)
		return NULL;
	if (!ws_fan_frame_init(&broadcast->frame, &what->message)) {
		broadcast_free(broadcast);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(broadcast->is_call); i++)
		broadcast->is_call[i] = rpc_frame_is_call((enum config_rpc)i, &what->message);
	broadcast->home = order->home;
	broadcast->on_done = order->on_done;
	broadcast->arg = order->arg;
	if (what->route != NULL)
		snprintf(broadcast->route, sizeof(broadcast->route), "%s", what->route);
	if (what->group != NULL)
		memcpy(broadcast->group, what->group, strlen(what->group) + 1);
	broadcast->except = what->except;
	broadcast->share_count = share_count;
	broadcast->open_shares = share_count + 1; /* one for who starts it */
	broadcast->done_task.run = run_done;
	for (size_t i = 0; i < share_count; i++)
		broadcast->shares[i] = (struct share){.broadcast = broadcast,
						      .task = {.run = run_share}};
	return broadcast;
}

static int start(struct server *server, const struct broadcast_order *order)
{
	struct broadcast *broadcast = broadcast_create(order, server_worker_count(server));

	if (broadcast == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < broadcast->share_count; i++) {
		struct share *share = &broadcast->shares[i];

		share->worker = server_worker(server, i);
		/* One that has not started, or has ended, has no clients. */
		if (share->worker == NULL ||
		    !mailbox_post(&share->worker->home.mailbox, &share->task))
			close_share(broadcast);
	}
	close_share(broadcast);
	return 0;
}

int broadcast_start(struct server *server, const struct broadcast_order *order)
{
	struct broadcast_gate *gate = &server->broadcasts;

	pthread_mutex_lock(&gate->mutex);
	int r = gate->way == BROADCAST_HERE ? start(server, order)
					    : broadcast_gate_take(gate, order);

	pthread_mutex_unlock(&gate->mutex);
	return r;
}

/* --- from others --- */

static void broadcast_refused(struct fleet_home *home, const struct fan_out *what, const char *why)
{
	struct worker *worker = CONTAINER_OF(home, struct worker, home.fleet);
	uint64_t suppressed;

	stat_add(&worker->home.stats.fan_out_refused, 1);
	if (log_gate_pass(&worker->home.service->fan_out_gate, loop_now(worker->loop), &suppressed))
		log_warn("a message for many is refused", F_TEXT("error", why),
			 F_TEXT(what->group != NULL ? "group" : "route",
				what->group != NULL ? what->group : what->route),
			 F_UINT("bytes", what->message.bytes.len),
			 F_UINT("suppressed", suppressed));
}

/* Until then the worker's loop must not end. */
static void on_arrived_done(void *arg, const struct broadcast_result *result)
{
	struct fleet_home *home = arg;

	CHECK(home->groups.fan_outs > 0 && home->groups.fan_out_bytes >= result->bytes);
	home->groups.fan_outs--;
	home->groups.fan_out_bytes -= result->bytes;
	home->on_gone(home);
}

static void broadcast_arrived(struct fleet_home *home, const struct fan_out *what)
{
	struct worker *worker = CONTAINER_OF(home, struct worker, home.fleet);
	struct message_fault fault;

	if (!message_check(home->fleet, &what->message, &fault)) {
		broadcast_refused(home, what, fault.problem.detail);
		return;
	}
	if (home->groups.fan_out_bytes >= counter_read(&home->fleet->limits.pending_max)) {
		broadcast_refused(home, what, "bus.pending_max bytes of such messages wait");
		return;
	}
	struct broadcast *broadcast = broadcast_create(
		&(struct broadcast_order){.what = *what,
					  .home = worker->loop,
					  .on_done = on_arrived_done,
					  .arg = home},
		1);

	if (broadcast == NULL) {
		broadcast_refused(home, what, "memory is out");
		return;
	}
	home->groups.fan_outs++;
	home->groups.fan_out_bytes += broadcast->frame.plain->len;
	broadcast->shares[0].worker = worker;
	share_queue(&broadcast->shares[0]);
	close_share(broadcast);
}

void broadcast_worker_init(struct worker *worker)
{
	list_init(&worker->shares);
	worker->shares_task.run = run_turn;
	worker->home.fleet.groups.on_fan_out = broadcast_arrived;
	worker->home.fleet.groups.on_refused = broadcast_refused;
}
