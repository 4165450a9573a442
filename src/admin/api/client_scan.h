/* SPDX-License-Identifier: Apache-2.0
 * client_scan.h - the first of all clients of this node, in an order that nobody keeps: each of
 * them is looked at once, some in each turn of the loop.
 *
 * Layer: admin. In the admin listener's thread. Of what is found only as many are kept as are asked
 * for. A turn looks at a thousand clients, so neither the listener nor who connects meanwhile
 * waits for a scan of a million; two scans run at a time, and others wait for their turn. */
#pragma once

#include "admin/api/client_filter.h"
#include "io/loop.h"
#include "session/directory.h"

/* Where one stands in the order: by the key, and among equals by the connection id, which each has
 * alone. */
struct client_rank {
	uint64_t key;
	uint64_t connection_id;
};

struct client_order {
	enum client_sort sort; /* not NONE */
	bool is_ascending;
	size_t limit; /* > 0 */
	/* Only those behind this one. */
	bool has_after;
	struct client_rank after;
};

/* One that was found, as it was when it was looked at. */
struct client_row {
	struct client_rank rank;
	struct presence *presence; /* a reference */
	struct traffic_picture picture;
};

struct client_scan_result {
	struct client_row *rows; /* lent; in order */
	size_t count;
	uint64_t looked_at; /* clients */
	uint64_t matched;   /* of them, by the filter */
	bool is_end;        /* none of them comes behind the last row */
};

typedef void client_scan_done_fn(void *arg, const struct client_scan_result *result);

struct client_scans {
	struct list_node running, waiting;
	size_t running_count;
};

#define CLIENT_SCANS_MAX 2

void client_scans_init(struct client_scans *scans);

/* `on_done` comes once, from the loop only. -ENOMEM: it does not. */
int client_scan_start(struct client_scans *scans, struct loop *loop, struct directory *directory,
		      const struct client_filter *filter, const struct client_order *order,
		      client_scan_done_fn *on_done, void *arg);
