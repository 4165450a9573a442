/* SPDX-License-Identifier: Apache-2.0
 * broadcast_gate.h - messages to many that are asked for while clients move to another process.
 *
 * Layer: server, for broadcast.c and server_road.c. While the workers are about to stand still such
 * a message is kept; then it goes to the clients here, or to the other process, which has them, and
 * whose result is told. So each client gets it once. Any thread. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "server/broadcast.h"
#include "session/handover_road.h"

enum broadcast_way { BROADCAST_HERE, BROADCAST_KEPT, BROADCAST_THERE };

struct broadcast_gate {
	pthread_mutex_t mutex; /* held while one is posted to the workers */
	enum broadcast_way way;
	struct list_node kept;
	struct list_node told; /* whose result is to come */
	uint64_t last_number;
	struct handover_road *road;        /* BROADCAST_THERE */
	struct handover_road *road_before; /* to the process that had the clients before this one */
};

void broadcast_gate_init(struct broadcast_gate *gate);
void broadcast_gate_finish(struct broadcast_gate *gate);

/* With the mutex held: as broadcast_start, if the way is another than here. */
int broadcast_gate_take(struct broadcast_gate *gate, const struct broadcast_order *order);

/* Older: from now on they are kept; those before are with all workers. */
void broadcast_gate_hold(struct server *server);

/* Older: nothing comes of it. Harmless if they are not kept. */
void broadcast_gate_open(struct server *server);

/* Older: the clients are over there. `road` is heard by broadcast_gate_listen. */
void broadcast_gate_move(struct server *server, struct handover_road *road);

/* Before anything is told. */
void broadcast_gate_listen(struct server *server, struct handover_road *road, bool is_newer);
