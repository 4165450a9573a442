/* SPDX-License-Identifier: Apache-2.0
 * conns.h - the connections of one worker, all together.
 *
 * Layer: conn. In the worker's thread, but for conns_init and conns_finish. */
#pragma once

#include "conn/conn_home.h"
#include "io/tcp.h"

struct conn;
struct tls_context;

/* Before the thread starts. `on_gone`: see struct conn_home. */
void conns_init(struct conn_home *home, struct service *service,
		void (*on_gone)(struct conn_home *home));

/* The loop is there. */
void conns_start(struct conn_home *home, struct loop *loop);

/* `tls`: the listener's newest context, lent; NULL: a plain listener. False: memory is out, and
 * what was accepted is still the caller's. */
bool conns_accept(struct conn_home *home, const struct tcp_accepted *accepted,
		  struct tls_context *tls, unsigned listener);

/* `call` may close the connection. */
void conns_each(struct conn_home *home, void (*call)(struct conn *conn));

/* Those who come from now on come in by these rules, whose reference it takes over, and the limits
 * are theirs, for all. */
void conns_change_rules(struct conn_home *home, struct ruleset *ruleset);

/* The gateway is stopping: 1001 for a WebSocket, the end for anything else. Those that still
 * come may ask, for a moment: an upgrade is refused, /health says how things are. */
void conns_drain(struct conn_home *home);

/* Another process has the doors. Connections that wait for a next request end, and no further one
 * waits: else whoever keeps one would talk to this process for as long as it has others. */
void conns_retire(struct conn_home *home);

/* Nobody is left whom the gateway has let in, by whichever worker: those that are still there came
 * too late. */
bool conns_have_left(const struct conn_home *home);

/* The listener closes: nobody is waited for any more. */
void conns_close(struct conn_home *home);

/* Cuts every connection, and drops what waits for back ends and other nodes. */
void conns_abort(struct conn_home *home);

/* No connection is left, no uplink, and nothing of the fleet's. */
bool conns_are_gone(const struct conn_home *home);

/* Once they are gone and the loop has ended. */
void conns_finish(struct conn_home *home);
