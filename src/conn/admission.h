/* SPDX-License-Identifier: Apache-2.0
 * admission.h - the one place where max_connections is counted.
 *
 * Layer: conn. Shared by all workers; thread-safe and exact: never more than `max`
 * are in, whatever races. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct admission {
	uint64_t max;
	uint64_t current; /* atomic */
};

/* True: in, until admission_leave. False: full. */
bool admission_enter(struct admission *admission);
void admission_leave(struct admission *admission);
uint64_t admission_current(const struct admission *admission);

/* The same of a number alone, which is atomic. */
bool places_take(uint64_t *current, uint64_t max);
void places_give(uint64_t *current);
