/* SPDX-License-Identifier: Apache-2.0
 * listener_stats.h - what a worker counts of each listener that clients come by.
 *
 * Layer: conn. As struct stats: written by the worker's thread alone, without a lock prefix, and
 * read by any. A listener has its place for as long as the process lives, so that what a connection
 * keeps of it, five bits, means the same to its end. */
#pragma once

#include <stdint.h>

/* The first one is of those that found no place of their own, and of connections that an older
 * program brought, which does not say by which listener they came. */
#define LISTENER_PLACES 32
#define LISTENER_OTHERS 0

struct listener_stats {
	/* gauge */
	uint64_t connections; /* as struct stats has them */
	/* counters */
	uint64_t sockets_accepted;
	uint64_t accept_errors;
	uint64_t connections_accepted; /* WebSocket handshakes completed */
	uint64_t handshakes_rejected;  /* as struct stats has them */
	uint64_t handshake_timeouts;
	uint64_t connections_refused; /* for the sake of any limit */
	uint64_t tls_failures;        /* in handshakes, and later */
};
