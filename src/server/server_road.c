/* SPDX-License-Identifier: Apache-2.0
 * server_road.c - what passes between two processes, one kind in the first byte (server_road.h).
 *
 * A process may have two roads in its life: as the newer of two, and later as the older of two. The
 * first is silent by then, but uplinks and calls may still hold it, so both stay until the end. */
#include "server/server_road.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "fleet/fleet_handover.h"
#include "route/event_road.h"
#include "server/server_private.h"

struct server_road {
	struct handover_road base;
	struct server_road_options options;
	struct server_road *before; /* of this process */
	struct event_road *events, *events_before;
	struct fleet_handover *fleet;
	struct loop_task moved_task; /* in the admin's thread */
	pthread_mutex_t mutex;       /* guards the next */
	bool has_ended;
};

static bool tell(struct handover_road *base, enum road_kind kind, struct slice bytes)
{
	struct server_road *road = CONTAINER_OF(base, struct server_road, base);
	const uint8_t head = (uint8_t)kind;
	struct buf told = {0};

	pthread_mutex_lock(&road->mutex);
	bool has_ended = road->has_ended;

	pthread_mutex_unlock(&road->mutex);
	bool is_told = !has_ended && buf_append(&told, &head, 1, SIZE_MAX / 2) == 0 &&
		       buf_append(&told, bytes.data, bytes.len, SIZE_MAX / 2) == 0 &&
		       road->options.send(road->options.arg, buf_slice(&told));

	buf_finish(&told);
	return is_told;
}

/* The other process is this node from now on, and has its tickets. */
static void on_moved(struct loop_task *task)
{
	struct server_road *road = CONTAINER_OF(task, struct server_road, moved_task);
	struct server *server = road->options.server;

	server_nodes_close(&server->nodes);
	ticket_ear_close(&server->proofs.ear);
	block_road_close(&server->block_road);
}

static struct worker *admin_of(const struct server *server)
{
	return server->slots[server->worker_count].worker;
}

static void road_free(struct server_road **road)
{
	fleet_handover_destroy(&(*road)->fleet);
	event_road_destroy(&(*road)->events);
	pthread_mutex_destroy(&(*road)->mutex);
	free(*road);
	*road = NULL;
}

int server_road_open(const struct server_road_options *options)
{
	struct server *server = options->server;
	struct server_road *road = calloc(1, sizeof(*road));

	if (road == NULL)
		return -ENOMEM;
	road->base.tell = tell;
	road->options = *options;
	road->before = server->road;
	road->moved_task.run = on_moved;
	pthread_mutex_init(&road->mutex, NULL);
	road->events = event_road_create(&road->base);
	if (road->events == NULL || fleet_handover_create(
					    &(struct fleet_handover_options){
						    .fleet = &server->fleet,
						    .road = &road->base,
						    .home = &admin_of(server)->home.fleet,
						    .is_newer = options->is_newer,
					    },
					    &road->fleet) < 0) {
		road_free(&road);
		return -ENOMEM;
	}
	broadcast_gate_listen(server, &road->base, options->is_newer);
	road->events_before = backends_take_road(server->backends, road->events);
	server->road = road;
	return 0;
}

void server_road_pause(struct server *server)
{
	fleet_handover_pause(server->road->fleet);
	broadcast_gate_hold(server);
}

void server_road_abandon(struct server *server)
{
	struct server_road *road = server->road;

	if (road == NULL || road->options.is_newer)
		return;
	fleet_handover_abandon(road->fleet);
	broadcast_gate_open(server);
	backends_take_road(server->backends, road->events_before);
	server->road = road->before;
	road_free(&road);
}

void server_road_commit(struct server *server)
{
	struct server_road *road = server->road;

	CHECK(!road->options.is_newer);
	fleet_handover_commit(road->fleet);
	broadcast_gate_move(server, &road->base);
	loop_post(admin_of(server)->loop, &road->moved_task);
}

void server_road_hear(struct server *server, struct slice bytes)
{
	if (server->road != NULL && bytes.len > 0)
		road_hear(&server->road->base, bytes.data[0],
			  slice_of(bytes.data + 1, bytes.len - 1));
}

void server_road_end(struct server *server)
{
	struct server_road *road = server->road;

	if (road == NULL)
		return;
	pthread_mutex_lock(&road->mutex);
	bool had_ended = road->has_ended;

	road->has_ended = true;
	pthread_mutex_unlock(&road->mutex);
	if (!had_ended)
		road_end(&road->base);
}

bool server_road_has_left(const struct server *server)
{
	const struct server_road *road = server->road;

	return road == NULL || road->options.is_newer || fleet_handover_has_left(road->fleet);
}

void server_road_close(struct server *server)
{
	while (server->road != NULL) {
		struct server_road *road = server->road;

		server->road = road->before;
		road_free(&road);
	}
}
