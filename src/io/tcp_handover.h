/* SPDX-License-Identifier: Apache-2.0
 * tcp_handover.h - streams and listeners that another process goes on with.
 *
 * Layer: io. In the loop's thread. docs/decisions/0020 says why it is like this.
 *
 * The one that gives them away: tcp_freeze and listener_pause for all, loop_settle, and the loop
 * stands still; tcp_export and tcp_take_fd for each. Then either tcp_forget, or tcp_thaw as if
 * nothing had been. The one that takes them: tcp_import for each, loop_settle; then either
 * tcp_thaw, or the end of the process (tcp_forget if it goes on without).
 *
 * Both have the socket meanwhile, so neither may change what it is: nothing is read, written or
 * shut down until it is settled who goes on. What the kernel has not told - bytes, the peer's end,
 * an error - stays with the socket, for whoever that is. */
#pragma once

#include "base/state.h"
#include "io/tcp.h"

/* --- streams --- */

/* Nothing is received or sent from now on, and what is in flight is called off. What came of it
 * before that is told as always: bytes, the end, an error; a close goes on as always, too. What is
 * written waits. Not a stream that is connecting. Harmless on one that is frozen or closing. */
void tcp_freeze(struct tcp *tcp);

/* The kernel has nothing of it: no bytes are on their way, and none are taken. */
bool tcp_is_frozen(const struct tcp *tcp);

/* It goes on where it was: reads if it did, sends what waits. Harmless on one that is not frozen.
 * Of one that was exported it says that nobody else goes on with it, now or ever. */
void tcp_thaw(struct tcp *tcp);

/* Of a frozen stream: writes its fields, with all output that waits in the order in which it is to
 * leave, and its keys. Nothing may be written to it any more. 0; -EBUSY: it stays here (it closes,
 * has failed, shakes hands, has its SSL object or the facts of its handshake); else what went wrong
 * in the writer, which may be tried again. The bytes hold keys: state_wipe. */
int tcp_export(struct tcp *tcp, struct state_writer *writer);

/* Of a frozen stream: an ordinary descriptor of its socket, the caller's; or a negative errno:
 * -EMFILE, -ENFILE, -ENOMEM, -EOPNOTSUPP (loop_engine_can_hand_over). Not from a callback of the
 * loop.
 *
 * With io_uring the process may have more sockets than ordinary descriptors, with epoll all but
 * these may be in use: so take, send and close them in batches. Descriptors that were sent and not
 * received count against the sender's RLIMIT_NOFILE too, unless it has CAP_SYS_RESOURCE or
 * CAP_SYS_ADMIN (unix(7), ETOOMANYREFS). */
int tcp_take_fd(struct tcp *tcp);

/* A stream of the fields that the reader has, frozen. 0: it owns `fd`, of which with io_uring the
 * ordinary number is free again after loop_settle. A negative errno: nothing was kept, `fd` is the
 * caller's; -EPROTO: that is no stream, or one with something that this version does not know;
 * -ENFILE: no direct descriptor is left; -ENOMEM, -ENOSPC. */
int tcp_import(struct tcp *tcp, struct loop *loop, int fd, const struct tcp_handler *handler,
	       struct state_reader *reader);

/* Do such fields say that tcp_shutdown was called, so that nothing may be written? */
bool tcp_state_is_shut(struct slice state);

/* Closes it without a word: as long as another process has the socket the peer notices nothing.
 * on_closed comes later, once. Of a frozen stream. */
void tcp_forget(struct tcp *tcp);

/* --- listeners --- */

/* Accepts nothing from now on; what was accepted before is told as always. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* It is paused, and no connection is on its way. */
bool listener_is_paused(const struct listener *listener);

/* As listener_open, for a socket of another process that may still accept: nothing happens to it
 * before listener_resume. */
int listener_open_paused(struct listener *listener, struct loop *loop, int fd);

/* A duplicate of the listening socket, the caller's; or a negative errno. */
int listener_take_fd(const struct listener *listener);

/* --- the loop --- */

/* Runs the loop, without its timers and handshakes, until the kernel has let go of all that is
 * frozen and paused, and has taken in all that was imported; not from a callback. 0; -ETIMEDOUT: at
 * `deadline_ns` of the monotonic clock it had not; or why one of the imported ones cannot live.
 * Then the loop may stand still, for as long as nobody calls loop_run: what is posted waits. */
int loop_settle(struct loop *loop, uint64_t deadline_ns);

/* It goes on: loop_now is now. */
void loop_catch_up(struct loop *loop);

/* Can sockets be taken out of such a loop? 0; -EOPNOTSUPP: io_uring before Linux 6.8 (which brought
 * IORING_OP_FIXED_FD_INSTALL); -ENOMEM. Not AUTO. From any thread. */
int loop_engine_can_hand_over(enum loop_engine engine);
