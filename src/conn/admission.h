/* SPDX-License-Identifier: Apache-2.0
 * admission.h - the one place where max_connections is counted.
 *
 * Layer: conn. Shared by all workers; thread-safe and exact: nobody is let in while `max` are in,
 * whatever races. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct admission {
	uint64_t max;     /* atomic */
	uint64_t current; /* atomic */
};

/* True: in, until admission_leave. False: full. */
bool admission_enter(struct admission *admission);
/* A client of another process, which has let it in: it counts, whatever the limit is here. */
void admission_import(struct admission *admission);
void admission_leave(struct admission *admission);
uint64_t admission_current(const struct admission *admission);

/* From any thread. If it is less than are in, they stay, and nobody comes in until enough have
 * left.
 */
void admission_set_max(struct admission *admission, uint64_t max);
uint64_t admission_max(const struct admission *admission);

/* The same of a number alone, which is atomic. */
bool places_take(uint64_t *current, uint64_t max);
/* Whoever was in before there was this limit is in. */
void places_add(uint64_t *current);
void places_give(uint64_t *current);
