/* SPDX-License-Identifier: Apache-2.0
 * server_handover.h - what a server does when its process hands over to the next, or takes over
 * from the one before.
 *
 * Layer: server. In the main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/state.h"

struct handover_channel;
struct server;
struct stillness;
struct worker;

/* --- the old process --- */

/* Sends the sockets that the workers and the admin's thread listen on. 0 or a negative errno. */
int server_send_doors(struct server *server, struct handover_channel *channel,
		      uint64_t deadline_ns);

/* Every worker that runs; how many. */
size_t server_stand_still(struct server *server, struct stillness *stillness, uint64_t deadline_ns);

/* State of the whole, which is no connection's. */
void server_state_export(struct server *server, struct state_writer *writer);

/* The road to the other process: before anybody stands still, or, in the new one, once it has
 * started. 0 or -ENOMEM. */
int server_carry_prepare(struct server *server, bool is_newer);

/* There is no handover after all. */
void server_carry_cancel(struct server *server);

/* The handover is done. Takes over the channel; `on_last` gets the last words of the other process,
 * in a thread of its own; may be NULL. */
void server_carry(struct server *server, struct handover_channel *channel,
		  void (*on_last)(void *arg, struct slice body), void *arg);

/* Nothing comes from the other process any more. */
bool server_carry_has_ended(const struct server *server);
void server_carry_last(struct server *server, struct slice body);
/* Harmless if there is no other process. */
void server_carry_end(struct server *server);

/* The other process has that state. */
void server_state_forget(struct server *server);

/* The new process has the door at this place: a unix socket's file is not ours to remove. */
void server_give_away(struct server *server, struct slice place);
/* It has not: nothing came of the handover. What server_state_export held back goes on. */
void server_take_back(struct server *server);

/* Another process has the doors: ours close, and the workers end when their last connection has
 * gone by itself. server_drain and the others may follow. The admin's thread answers what it was
 * asked, until server_end. */
void server_retire(struct server *server);

/* --- the new process --- */

/* Before server_open. False: what is there cannot be understood. */
bool server_state_import(struct server *server, struct state_reader *reader);

/* Of a server with options.sockets, once: accepts, and lets what was brought go on. Returns when
 * every worker does. */
void server_open(struct server *server);
