/* SPDX-License-Identifier: Apache-2.0
 * accept_rate.h - new connections per second, over all workers.
 *
 * Layer: conn. One number that all workers share: the time at which a bucket that is
 * filled at the rate would be as empty as it is (the virtual scheduling form of the
 * generic cell rate algorithm, ITU-T I.371, annex A). Thread-safe and exact. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct accept_rate {
	/* Atomic. */
	uint64_t step_ns;  /* between two connections at the rate; 0: no limit */
	uint64_t burst_ns; /* so far ahead of it they may come */
	uint64_t next_ns;
};

/* `rate` connections/s, 0: no limit; `burst` of them at once, 0: those of one second. */
void accept_rate_init(struct accept_rate *limit, uint64_t rate, uint64_t burst);

/* The same for one that is in use, from any thread. Who has come faster than the new rate allows is
 * forgiven what is more than the new burst. */
void accept_rate_set(struct accept_rate *limit, uint64_t rate, uint64_t burst, uint64_t now_ns);

/* What has come so far, for the next process on this machine, whose limit is its own: who has come
 * faster than that allows is forgiven the rest. After accept_rate_set. [ns of clock_now_ns] */
uint64_t accept_rate_export(const struct accept_rate *limit);
void accept_rate_import(struct accept_rate *limit, uint64_t exported, uint64_t now_ns);

/* False: too fast; *out_wait_ns is when the next one could be taken. */
bool accept_rate_take(struct accept_rate *limit, uint64_t now_ns, uint64_t *out_wait_ns);
