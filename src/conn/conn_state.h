/* SPDX-License-Identifier: Apache-2.0
 * conn_state.h - a connection that goes on in another process: what it is, as fields
 * (base/state.h), and its way out of here and in there.
 *
 * Layer: conn. In the worker's thread, while its loop stands still: no turn is under way, and when
 * connections are exported none is in any other worker either, so that nobody who has been exported
 * is taken over by somebody else.
 *
 *   old process                                      new process
 *   conns_freeze                                     conn_import, of each
 *   (the streams settle, the loop stands still)      ...
 *   conn_export, of each                             conns_thaw, once they are its own
 *   conn_forget, of each that was taken
 *   conns_thaw: the others go on
 *
 * What is given up in between leaves nothing behind: neither exporting nor importing is noticed by
 * any client, back end or other node. */
#pragma once

#include "base/state.h"
#include "conn/conn.h"

/* --- of a whole worker --- */

/* Nothing is received from those that may go, or sent to them, and for them time stops. They are
 * standing still once the loop has settled (loop.h). */
void conns_freeze(struct conn_home *home);

/* All those that are there go on, with what was left of their time. Harmless if they are not
 * frozen. */
void conns_thaw(struct conn_home *home);

/* --- of one connection --- */

enum conn_going {
	CONN_GOES,
	CONN_STAYS, /* this process has to finish it; nothing was written */
};

/* Writes what it is; changes nothing. Only open WebSockets go. Its descriptor is that of
 * tcp_take_fd. */
enum conn_going conn_export(struct conn *conn, struct state_writer *writer);

/* Makes it again: it is in the directory, in its groups and in all counts, with the same ids, and
 * stands still; `listener` is its place in home->listeners. No limit refuses it. 0, and `fd` is
 * the connection's. Else `fd` is the caller's still, nothing is left of it here, and the old
 * process is to finish it:
 * -ENOENT: its route is not there any more, or its back end takes no events;
 * -EEXIST: such a connection is here already, or its id was never given (directory_continue_ids);
 * -EBADMSG: no connection has written that; -ENOTSUP: only a newer program could have;
 * another one: memory, or the stream's (tcp_import). */
int conn_import(struct conn_home *home, unsigned listener, int fd, struct state_reader *reader);

/* The other process has it: it goes, and nobody notices. */
void conn_forget(struct conn *conn);
