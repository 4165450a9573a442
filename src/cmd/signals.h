/* SPDX-License-Identifier: Apache-2.0
 * signals.h - which signals the gateway heeds, and what it says of the others.
 *
 * Layer: cmd. */
#pragma once

#include <stdbool.h>

/* Before the configuration is read, which may take a while: a reload or an upgrade that is asked
 * for meanwhile does not end the process, but waits for signals_take(). */
void signals_hold(void);

/* Takes the signals that are heeded or answered with a line in the log, before the first
 * thread, which inherits that; those of a pipe or file that takes nothing are ignored. Returns
 * a signalfd, or -1 with errno. */
int signals_take(void);

/* Does it end the gateway? */
bool signals_is_end(int number);

/* Says in the log that a signal that is not for the end did nothing, and what to do instead. */
void signals_log(int number);
