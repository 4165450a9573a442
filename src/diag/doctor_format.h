/* SPDX-License-Identifier: Apache-2.0
 * doctor_format.h - numbers as people read them.
 *
 * Layer: diag; for doctor*.c. */
#pragma once

#include <stdint.h>

#define DOCTOR_NUMBER_MAX 32

/* "23.5 GiB", to a tenth; whole numbers without it. Returns `out`. */
char *doctor_size(uint64_t bytes, char out[DOCTOR_NUMBER_MAX]);

/* A value of a limit in its unit: a size, a number, or "in 9 days". Returns `out`. */
char *doctor_value(const char *unit, uint64_t value, char out[DOCTOR_NUMBER_MAX]);
