/* SPDX-License-Identifier: Apache-2.0 */
#include "server/doors_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "server/server_private.h"

/* --- which is which --- */

static bool is_same(const struct server_door *door, const struct config_listener *listener)
{
	char ours[CONFIG_PLACE_TEXT_MAX], wanted[CONFIG_PLACE_TEXT_MAX];

	return strcmp(config_place_format(&door->place, ours),
		      config_place_format(&listener->address, wanted)) == 0 &&
	       door->is_ipv6_only == (listener->ipv6_only == CONFIG_SWITCH_TRUE);
}

/* One whose file somebody has removed is made anew. */
static bool is_cut_off(const struct server_door *door)
{
	return server_door_is_unix(door) && listener_unix_is_gone(&door->unix_socket);
}

/* The admin's is none of the others: it stays the admin's. */
static struct server_door *counterpart(const struct server_doors *doors,
				       const struct config_listener *listener, bool is_admin)
{
	size_t from = is_admin ? doors->count - 1 : 0;
	size_t to = is_admin ? doors->count : doors->count - 1;

	for (size_t i = from; i < to; i++)
		if (is_same(doors->items[i], listener) && !is_cut_off(doors->items[i]))
			return doors->items[i];
	return NULL;
}

static bool is_wanted(const struct doors_change *change, const struct server_door *door)
{
	for (size_t i = 0; i < change->count; i++)
		if (change->items[i].door == door)
			return true;
	return false;
}

static bool any_has_port(struct server_door *const *doors, size_t count, uint16_t port)
{
	for (size_t i = 0; i < count; i++)
		if (!server_door_is_unix(doors[i]) && net_addr_port(&doors[i]->addr) == port)
			return true;
	return false;
}

/* Whether nobody else listens there can only be seen if we do not. */
static bool is_ours(const struct server_doors *doors, const struct server_door *door)
{
	uint16_t port = net_addr_port(&door->addr);

	return !server_door_is_unix(door) &&
	       (any_has_port(doors->items, doors->count, port) ||
		any_has_port(doors->leaving, doors->leaving_count, port));
}

/* --- what can fail --- */

static int tls_make(struct server *server, const struct config *next,
		    const struct server_door_wanted *wanted, struct door_change *item,
		    struct server_error *out_error)
{
	struct server_tls *older = item->is_new ? NULL : item->door->tls;
	struct server_tls_error error;

	if (!config_has_tls(wanted->tls))
		return 0;
	item->tls = server_tls_create_after(older, next, wanted->tls, wanted->tls_path,
					    server->options.renewals, &error);
	return item->tls != NULL ? 0 : server_fail(out_error, error.text);
}

static int open_new(struct server *server, const struct server_door_wanted *wanted,
		    struct door_change *item, bool is_admin, struct server_error *out_error)
{
	size_t workers = is_admin ? 1 : server->worker_count;

	item->is_new = true;
	item->door = server_door_create(wanted->listener, wanted->option);
	if (item->door == NULL)
		return server_fail(out_error, "out of memory");
	item->door->is_admin = is_admin;
	if (server_door_is_unix(item->door) && !server_door_owner(item->door, out_error))
		return -1;
	return server_door_take(item->door, workers, !is_ours(&server->doors, item->door),
				out_error);
}

/* Those that nobody names any more become the process's again. */
static struct listener_unix dress_of(const struct server_door *door)
{
	struct listener_unix dress = door->unix_socket;

	dress.uid = dress.uid == (uid_t)-1 ? geteuid() : dress.uid;
	dress.gid = dress.gid == (gid_t)-1 ? getegid() : dress.gid;
	return dress;
}

static int dress(const struct server_door_wanted *wanted, struct door_change *item,
		 struct server_error *out_error)
{
	struct server_door *door = item->door;
	struct server_door trial = {.owner = wanted->listener->owner};

	if (!server_door_is_unix(door) || (strcmp(door->owner.text, trial.owner.text) == 0 &&
					   door->mode == (mode_t)wanted->listener->mode))
		return 0;
	snprintf(trial.option, sizeof(trial.option), "%s", wanted->option);
	if (!server_door_owner(&trial, out_error))
		return -1;
	item->before = dress_of(door);
	item->owner = door->owner;
	trial.unix_socket.path = door->unix_socket.path;
	trial.unix_socket.device = door->unix_socket.device;
	trial.unix_socket.inode = door->unix_socket.inode;
	trial.unix_socket.mode = (mode_t)wanted->listener->mode;
	const struct listener_unix after = dress_of(&trial);
	int r = listener_unix_dress(&after);

	item->is_dressed = true;
	door->unix_socket.mode = after.mode;
	door->unix_socket.uid = after.uid;
	door->unix_socket.gid = after.gid;
	door->mode = after.mode;
	door->owner = trial.owner;
	if (r == 0)
		return 0;
	*out_error = (struct server_error){0};
	snprintf(out_error->text, sizeof(out_error->text),
		 "%s: its mode and owner cannot be changed: %s; %s", wanted->option, strerror(-r),
		 door->unix_socket.inode == 0
			 ? "the service manager made it: change SocketMode= and SocketUser= there"
			 : "only root gives files away: write the ones that it has, or start as "
			   "root");
	return -1;
}

static int item_make(struct server *server, const struct config *next,
		     const struct server_door_wanted *wanted, struct door_change *item,
		     bool is_admin, struct server_error *out_error)
{
	*item = (struct door_change){
		.door = counterpart(&server->doors, wanted->listener, is_admin)};
	snprintf(item->option, sizeof(item->option), "%s", wanted->option);
	int r = item->door != NULL ? dress(wanted, item, out_error)
				   : open_new(server, wanted, item, is_admin, out_error);

	return r < 0 ? -1 : tls_make(server, next, wanted, item, out_error);
}

int doors_change_prepare(struct server *server, const struct config *next,
			 struct doors_change *change, struct server_error *out_error)
{
	const struct server_doors *doors = &server->doors;
	struct server_doors_wanted wanted;
	int r = 0;

	server_doors_wanted(next, &wanted);
	*change = (struct doors_change){
		.list = calloc(wanted.count, sizeof(*change->list)),
		.leaving = calloc(doors->count + doors->leaving_count, sizeof(*change->leaving)),
	};
	if (change->list == NULL || change->leaving == NULL)
		r = server_fail(out_error, "out of memory");
	for (; r == 0 && change->count < wanted.count; change->count++)
		r = item_make(server, next, &wanted.items[change->count],
			      &change->items[change->count], change->count == wanted.count - 1,
			      out_error);
	return r;
}

static void undress(struct door_change *item)
{
	struct server_door *door = item->door;

	listener_unix_dress(&item->before);
	door->unix_socket = item->before;
	door->mode = item->before.mode;
	door->owner = item->owner;
}

void doors_change_discard(struct doors_change *change)
{
	for (size_t i = 0; i < change->count; i++) {
		struct door_change *item = &change->items[i];

		server_tls_destroy(&item->tls);
		if (item->is_dressed)
			undress(item);
		if (item->is_new)
			server_door_destroy(&item->door);
	}
	free(change->list);
	free(change->leaving);
	*change = (struct doors_change){0};
}

/* --- what cannot --- */

/* Whose is the index-th socket of a door; NULL: it does not listen. */
static struct worker *worker_of(const struct server *server, bool is_admin, size_t index)
{
	size_t at = is_admin ? server->worker_count : index % server->worker_count;
	const struct slot *slot = &server->slots[at];

	return slot->is_listening && !slot->has_ended ? slot->worker : NULL;
}

static void tls_put(struct door_change *item)
{
	struct server_door *door = item->door;
	struct server_tls *older = door->tls;

	door->tls = item->tls;
	item->tls = NULL;
	if (door->tls != NULL)
		server_tls_hold_in(door->tls, &door->contexts);
	else if (older != NULL)
		tls_holder_set(&door->contexts, NULL);
	server_tls_destroy(&older);
}

/* Under the mutex. */
static void listen_on(struct server *server, struct server_door *door, bool is_admin)
{
	server_listeners_place(&server->listeners, door);
	for (size_t i = 0; i < door->each_count; i++) {
		struct worker *worker = worker_of(server, is_admin, i);

		if (worker != NULL)
			worker_door_add(worker, &door->each[i]);
	}
	server_door_log(door, is_admin ? "admin listening" : "listening");
}

/* The file of a unix socket goes first, so that nobody comes who would not be let in. */
static void let_go(struct server *server, struct server_door *door, bool is_admin)
{
	server_door_log(door, is_admin ? "admin not listening any more" : "not listening any more");
	server_tls_destroy(&door->tls); /* those who wait come in by its last context */
	if (server_door_is_unix(door))
		listener_unix_remove(&door->unix_socket);
	for (size_t i = 0; i < door->each_count; i++) {
		if (worker_of(server, is_admin, i) == NULL || door->each[i].worker == NULL)
			continue;
		__atomic_add_fetch(&door->in_use, 1, __ATOMIC_RELAXED);
		worker_door_remove(&door->each[i]);
	}
}

/* Under the mutex. */
static void swap_lists(struct server *server, struct doors_change *change)
{
	struct server_doors *doors = &server->doors;
	size_t leaving = 0, last = doors->count - 1;

	for (; leaving < doors->leaving_count; leaving++)
		change->leaving[leaving] = doors->leaving[leaving];
	for (size_t i = 0; i < doors->count; i++)
		if (!is_wanted(change, doors->items[i])) {
			let_go(server, doors->items[i], i == last);
			change->leaving[leaving++] = doors->items[i];
		}
	for (size_t i = 0; i < change->count; i++)
		change->list[i] = change->items[i].door;
	free(doors->items);
	free(doors->leaving);
	*doors = (struct server_doors){.items = change->list,
				       .count = change->count,
				       .leaving = change->leaving,
				       .leaving_count = leaving};
}

void doors_change_commit(struct server *server, struct doors_change *change)
{
	pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; i < change->count; i++) {
		struct door_change *item = &change->items[i];

		memcpy(item->door->option, item->option, sizeof(item->option));
		tls_put(item);
		if (item->is_new)
			listen_on(server, item->door, i == change->count - 1);
	}
	swap_lists(server, change);
	pthread_mutex_unlock(&server->mutex);
	*change = (struct doors_change){0};
}

void doors_change_tick(struct server *server)
{
	struct server_doors *doors = &server->doors;

	for (size_t i = 0; i < doors->leaving_count;) {
		if (__atomic_load_n(&doors->leaving[i]->in_use, __ATOMIC_ACQUIRE) > 0) {
			i++;
			continue;
		}
		server_door_destroy(&doors->leaving[i]);
		doors->leaving[i] = doors->leaving[--doors->leaving_count];
	}
}
