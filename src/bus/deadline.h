/* SPDX-License-Identifier: Apache-2.0
 * deadline.h - an end to system calls of a library that blocks without a time limit.
 *
 * Layer: bus. The TLS handshake of libnats (3.4) waits for ever for a broker that says
 * nothing more. From the deadline on the calling thread gets SIGURG, whose handler does
 * nothing: what blocks in it returns EINTR. */
#pragma once

#include <stdint.h>
#include <time.h>

struct deadline {
	timer_t timer;
};

/* For the calling thread. SIGURG is this module's in the whole process. Returns 0 or a
 * negative errno. */
int deadline_start(struct deadline *deadline, uint64_t after_ns);

/* In the same thread. Nothing is interrupted any more. */
void deadline_stop(struct deadline *deadline);
