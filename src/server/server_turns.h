/* SPDX-License-Identifier: Apache-2.0
 * server_turns.h - does every loop turn? One that does not serves nobody, and says nothing.
 *
 * Layer: server. The main thread posts a task to each loop, and sees how long it waits there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

/* In the main thread, every second or so: asks all loops, and logs which has begun to hang, or
 * turns again. One hangs if it has not answered for `limit_ns`. */
void server_turns_ask(struct server *server, uint64_t limit_ns);

/* --- from any thread --- */

/* Do all loops turn? */
bool server_turns(const struct server *server);

/* [ns] For how long the loop of a worker has not turned; 0: it turns. The index behind the last
 * worker is the admin's. */
uint64_t server_hangs_ns(const struct server *server, size_t index);

#define SERVER_LOOP_NAME_MAX 32

/* "worker-0", "admin": what the thread is called, too. */
char *server_loop_name(const struct server *server, size_t index, char out[SERVER_LOOP_NAME_MAX]);
