/* SPDX-License-Identifier: Apache-2.0
 * notify.h - what the service manager is told: the protocol of sd_notify(3), without its library.
 *
 * Layer: os. Each call is one datagram to the socket that NOTIFY_SOCKET names; without one they do
 * nothing, so that nobody needs to ask. One that cannot be delivered is lost: the manager's own
 * time limits deal with that. For the main thread: a call may wait for a second while the manager
 * takes nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Before the first thread; once more: anew. 0,
 * also if there is no manager; or a negative errno: NOTIFY_SOCKET is no path and no abstract name
 * (-EINVAL), or there is no descriptor. Then nobody is told anything.
 *
 * Whoever starts its own successor leaves WATCHDOG_PID, LISTEN_PID and LISTEN_FDS out of that one's
 * environment: they name a process. */
int notify_open(void);

/* Nothing is said any more: another process is the service. */
void notify_close(void);

bool notify_is_on(void);

/* [ns] The manager restarts the service if notify_watchdog is not called for so long; 0: it does
 * not look. */
uint64_t notify_watchdog_ns(void);

/* The service serves: after its start, and after each notify_reloading. */
void notify_ready(void);

/* The configuration is about to be read again. notify_ready follows, also if nothing came of it. */
void notify_reloading(void);

/* The service is about to end. */
void notify_stopping(void);

/* One line for people: `systemctl status` shows it. What is no text on a line is cut out of it. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* While it starts, reloads or ends: the manager has patience for so long from now on, whatever its
 * own time limit is. To be repeated before that has passed. */
void notify_extend(uint64_t ns);

/* Another process is the service from now on. The manager believes the process that has been it so
 * far; a successor that says it for itself needs NotifyAccess=all in the unit. */
void notify_main_pid(pid_t pid);

void notify_watchdog(void);
