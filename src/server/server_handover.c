/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_handover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/handover_carrier.h"
#include "server/handover_channel.h"
#include "server/handover_format.h"
#include "server/handover_heir.h"
#include "fleet/fleet_handover.h"
#include "server/server_private.h"
#include "server/server_road.h"

/* --- doors --- */

/* What goes in one message. */
struct parcel {
	struct handover_channel *channel;
	uint64_t deadline_ns;
	struct buf body;
	struct state_writer writer;
	int fds[HANDOVER_FDS_MAX];
	size_t count;
};

static void parcel_begin(struct parcel *parcel)
{
	parcel->count = 0;
	parcel->body.len = 0;
	state_writer_init(&parcel->writer, &parcel->body, HANDOVER_MESSAGE_MAX);
}

static int parcel_send(struct parcel *parcel)
{
	int r = parcel->writer.error;

	if (r == 0 && parcel->count > 0)
		r = handover_send(parcel->channel, HANDOVER_DOORS, buf_slice(&parcel->body),
				  parcel->fds, parcel->count, parcel->deadline_ns);
	parcel_begin(parcel);
	return r;
}

static int door_put(struct parcel *parcel, const struct server_door *door, int fd)
{
	char text[CONFIG_PLACE_TEXT_MAX];
	int r = parcel->count == HANDOVER_FDS_MAX ? parcel_send(parcel) : 0;

	if (r < 0)
		return r;
	size_t begun = state_begin(&parcel->writer, HANDOVER_TAG_DOOR);

	state_put_text(&parcel->writer, HANDOVER_TAG_PLACE,
		       config_place_format(&door->place, text));
	state_put_u64(&parcel->writer, HANDOVER_TAG_IS_ADMIN, door->is_admin);
	state_put_u64(&parcel->writer, HANDOVER_TAG_IPV6_ONLY, door->is_ipv6_only);
	state_put_u64(&parcel->writer, HANDOVER_TAG_DEVICE, door->unix_socket.device);
	state_put_u64(&parcel->writer, HANDOVER_TAG_INODE, door->unix_socket.inode);
	state_end(&parcel->writer, begun);
	parcel->fds[parcel->count++] = fd;
	return 0;
}

/* Of an address the socket of each worker; of a path the one that all have duplicates of. */
static int door_send(struct parcel *parcel, const struct server_door *door)
{
	int r = 0;

	if (door->unix_fd >= 0)
		return door_put(parcel, door, door->unix_fd);
	for (size_t i = 0; i < door->each_count && r == 0; i++)
		if (door->each[i].is_open)
			r = door_put(parcel, door, door->each[i].listener.fd);
	return r;
}

int server_send_doors(struct server *server, struct handover_channel *channel, uint64_t deadline_ns)
{
	struct parcel parcel = {.channel = channel, .deadline_ns = deadline_ns};
	int r = 0;

	parcel_begin(&parcel);
	for (size_t i = 0; i < server->doors.count && r == 0; i++)
		r = door_send(&parcel, server->doors.items[i]);
	if (r == 0)
		r = parcel_send(&parcel);
	buf_finish(&parcel.body);
	return r;
}

/* --- standing still --- */

size_t server_stand_still(struct server *server, struct stillness *stillness, uint64_t deadline_ns)
{
	size_t count = 0;

	pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; i < server->worker_count; i++) {
		const struct slot *slot = &server->slots[i];

		if (!slot->has_started || slot->has_ended)
			continue;
		stillness_ask(stillness, slot->worker, deadline_ns);
		count++;
	}
	pthread_mutex_unlock(&server->mutex);
	stillness_asked_all(stillness);
	return count;
}

void server_give_away(struct server *server, struct slice place)
{
	char text[CONFIG_PLACE_TEXT_MAX];

	for (size_t i = 0; i < server->doors.count; i++) {
		struct server_door *door = server->doors.items[i];

		config_place_format(&door->place, text);
		door->is_given_away |= slice_equals(place, slice_from_text(text));
	}
}

void server_take_back(struct server *server)
{
	for (size_t i = 0; i < server->doors.count; i++)
		server->doors.items[i]->is_given_away = false;
	blocks_take_back(server->blocks);
	tickets_take_back(server->proofs.tickets);
}

/* The workers themselves close theirs when they are told that what they had is gone. */
void server_retire(struct server *server)
{
	struct slot *admin = &server->slots[server->worker_count];

	__atomic_store_n(&server->has_retired, true, __ATOMIC_RELAXED);
	server_state_forget(server);
	pthread_mutex_lock(&server->mutex);
	if (admin->has_started && !admin->has_ended)
		worker_retire(admin->worker, false);
	pthread_mutex_unlock(&server->mutex);
}

/* --- the road --- */

static bool send_on(void *arg, struct slice bytes)
{
	const struct server *server = arg;

	return handover_carrier_send(server->carrier, bytes);
}

int server_carry_prepare(struct server *server, bool is_newer)
{
	if (server->carrier == NULL)
		server->carrier = handover_carrier_create();
	if (server->carrier == NULL)
		return -ENOMEM;
	handover_carrier_close(server->carrier); /* that of the process before, which has ended */
	handover_carrier_prepare(server->carrier);
	int r = server_road_open(&(struct server_road_options){
		.server = server, .is_newer = is_newer, .send = send_on, .arg = server});

	if (r < 0)
		handover_carrier_cancel(server->carrier);
	return r;
}

void server_carry_cancel(struct server *server)
{
	server_road_abandon(server);
	handover_carrier_cancel(server->carrier);
}

static void on_told(void *arg, struct slice bytes)
{
	server_road_hear(arg, bytes);
}

static void on_last(void *arg, struct slice body)
{
	struct server *server = arg;

	if (server->on_last != NULL)
		server->on_last(server->on_last_arg, body);
}

static void on_end(void *arg)
{
	server_road_end(arg);
}

void server_carry(struct server *server, struct handover_channel *channel,
		  void (*last)(void *arg, struct slice body), void *arg)
{
	server->on_last = last;
	server->on_last_arg = arg;
	if (!handover_carrier_open(server->carrier, channel,
				   &(struct handover_ear){.on_told = on_told,
							  .on_last = on_last,
							  .on_end = on_end,
							  .arg = server}))
		log_error("what the other process tells cannot be heard: out of threads",
			  F_TEXT("remedy", "raise the limit on threads (ulimit -u, pids.max)"));
}

bool server_carry_has_ended(const struct server *server)
{
	return server->carrier == NULL || handover_carrier_has_ended(server->carrier);
}

void server_carry_last(struct server *server, struct slice body)
{
	if (server->carrier != NULL)
		handover_carrier_send_last(server->carrier, body);
}

void server_carry_end(struct server *server)
{
	if (server->carrier != NULL)
		handover_carrier_close(server->carrier);
}

/* --- the new process --- */

/* Tickets and what the other nodes know this one by go on; so do the numbers of connections. */
int server_inherit(struct server *server, struct server_error *out_error)
{
	struct handover_heir *heir = server->options.heir;

	server_doors_inherit(&server->doors, &heir->sockets);
	if (!fleet_succeed(&server->fleet, slice_from_text(heir->origin))) {
		snprintf(out_error->text, sizeof(out_error->text),
			 "the process before has a name on the bus that cannot be: %s",
			 heir->origin);
		return -1;
	}
	server->fleet.bus_epoch = heir->bus_epoch;
	if (directory_continue_ids(server->directory, heir->last_id))
		return 0;
	snprintf(out_error->text, sizeof(out_error->text),
		 "the process before has a connection_id that cannot be: %" PRIu64, heir->last_id);
	return -1;
}

void server_open(struct server *server)
{
	/* Who comes while the last worker opens is let in all the same. */
	__atomic_store_n(&server->public_service.is_ready, true, __ATOMIC_RELEASE);
	pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; i <= server->worker_count; i++)
		worker_open(server->slots[i].worker);
	for (size_t i = 0; i <= server->worker_count; i++)
		while (!server->slots[i].is_listening && !server->slots[i].has_ended)
			pthread_cond_wait(&server->changed, &server->mutex);
	pthread_mutex_unlock(&server->mutex);
	for (size_t i = 0; i < server->doors.count; i++)
		server->doors.items[i]->inherited = NULL;
	server_tell_listening(server);
}
