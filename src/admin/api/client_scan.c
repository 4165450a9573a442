/* SPDX-License-Identifier: Apache-2.0
 * client_scan.c - one walk through the directory. What was found is a heap whose first row is the
 * last of them in the order: whoever comes before that takes its place. */
#include "admin/api/client_scan.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"

/* What one turn of the loop looks at: some tenths of a millisecond. */
#define TURN_LOOKS_MAX 1024

struct client_scan {
	struct list_node node;
	struct client_scans *scans;
	struct loop *loop;
	struct loop_task task;
	struct directory *directory;
	struct directory_cursor cursor;
	struct client_filter filter;
	struct client_order order;
	struct client_moment moment; /* of this turn */
	client_scan_done_fn *on_done;
	void *arg;
	struct client_scan_result result;
	struct client_row rows[];
};

/* --- the order --- */

static bool comes_before(const struct client_order *order, struct client_rank a,
			 struct client_rank b)
{
	if (a.key != b.key)
		return (a.key < b.key) == order->is_ascending;
	return a.connection_id != b.connection_id &&
	       (a.connection_id < b.connection_id) == order->is_ascending;
}

static void swap(struct client_row *a, struct client_row *b)
{
	struct client_row kept = *a;

	*a = *b;
	*b = kept;
}

/* The row at `at` may come before one of those below it, which a heap does not have. */
static void sift_down(const struct client_order *order, struct client_row *rows, size_t count,
		      size_t at)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count &&
		    comes_before(order, rows[child].rank, rows[child + 1].rank))
			child++;
		if (!comes_before(order, rows[at].rank, rows[child].rank))
			return;
		swap(&rows[at], &rows[child]);
	}
}

static void sift_up(const struct client_order *order, struct client_row *rows, size_t at)
{
	for (size_t parent; at > 0; at = parent) {
		parent = (at - 1) / 2;
		if (!comes_before(order, rows[parent].rank, rows[at].rank))
			return;
		swap(&rows[parent], &rows[at]);
	}
}

/* The heap becomes a list. */
static void sort_rows(const struct client_order *order, struct client_row *rows, size_t count)
{
	while (count > 1) {
		count--;
		swap(&rows[0], &rows[count]);
		sift_down(order, rows, count, 0);
	}
}

/* --- the walk --- */

static void keep(struct client_scan *scan, const struct client_row *row)
{
	struct client_scan_result *result = &scan->result;
	const struct client_order *order = &scan->order;

	if (result->count < order->limit) {
		scan->rows[result->count] = *row;
		presence_ref(row->presence);
		sift_up(order, scan->rows, result->count++);
		return;
	}
	result->is_end = false;
	if (!comes_before(order, row->rank, scan->rows[0].rank))
		return;
	presence_unref(&scan->rows[0].presence);
	scan->rows[0] = *row;
	presence_ref(row->presence);
	sift_down(order, scan->rows, result->count, 0);
}

/* Under the lock of the directory's shard. */
static bool visit(struct presence *presence, void *arg)
{
	struct client_scan *scan = arg;
	const struct client_order *order = &scan->order;
	struct client_row row = {.presence = presence};

	scan->result.looked_at++;
	if (!client_filter_wants(&scan->filter, presence, &scan->moment))
		return true;
	scan->result.matched++;
	presence_look(presence, scan->moment.now_ns, scan->moment.wall_ms, &row.picture);
	row.rank = (struct client_rank){client_sort_key(order->sort, presence, &row.picture),
					presence->connection_id};
	if (!order->has_after || comes_before(order, order->after, row.rank))
		keep(scan, &row);
	return true;
}

static void begin_next(struct client_scans *scans);

static void end(struct client_scan *scan)
{
	struct client_scans *scans = scan->scans;

	list_remove(&scan->node);
	scans->running_count--;
	sort_rows(&scan->order, scan->rows, scan->result.count);
	scan->result.rows = scan->rows;
	scan->on_done(scan->arg, &scan->result);
	for (size_t i = 0; i < scan->result.count; i++)
		presence_unref(&scan->rows[i].presence);
	free(scan);
	begin_next(scans);
}

static void run_turn(struct loop_task *task)
{
	struct client_scan *scan = CONTAINER_OF(task, struct client_scan, task);

	scan->moment = (struct client_moment){clock_now_ns(), clock_wall_ns() / NS_PER_MS};
	if (directory_scan(scan->directory, &scan->cursor, TURN_LOOKS_MAX, visit, scan))
		end(scan);
	else
		loop_post(scan->loop, &scan->task);
}

/* --- one after the other --- */

static void begin_next(struct client_scans *scans)
{
	while (scans->running_count < CLIENT_SCANS_MAX && !list_is_empty(&scans->waiting)) {
		struct client_scan *scan = CONTAINER_OF(scans->waiting.next, struct client_scan,
							node);

		list_remove(&scan->node);
		list_append(&scans->running, &scan->node);
		scans->running_count++;
		loop_post(scan->loop, &scan->task);
	}
}

void client_scans_init(struct client_scans *scans)
{
	*scans = (struct client_scans){.running_count = 0};
	list_init(&scans->running);
	list_init(&scans->waiting);
}

int client_scan_start(struct client_scans *scans, struct loop *loop, struct directory *directory,
		      const struct client_filter *filter, const struct client_order *order,
		      client_scan_done_fn *on_done, void *arg)
{
	struct client_scan *scan = malloc(sizeof(*scan) + order->limit * sizeof(struct client_row));

	CHECK(order->limit > 0 && order->sort != CLIENT_SORT_NONE);
	if (scan == NULL)
		return -ENOMEM;
	*scan = (struct client_scan){
		.scans = scans,
		.loop = loop,
		.directory = directory,
		.cursor = DIRECTORY_START,
		.filter = *filter,
		.order = *order,
		.on_done = on_done,
		.arg = arg,
		.task = {.run = run_turn},
		.result = {.is_end = true},
	};
	list_append(&scans->waiting, &scan->node);
	begin_next(scans);
	return 0;
}
