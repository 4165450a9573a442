/* SPDX-License-Identifier: Apache-2.0
 * doctor_urls.h - where a test goes of what the doctor looks at.
 *
 * Layer: cmd. Pure functions. */
#pragma once

#include <stddef.h>

#include "config/config.h"
#include "diag/process.h"

#define DOCTOR_URL_MAX 768

struct doctor_urls {
	char clients[DOCTOR_URL_MAX]; /* for `gatehouse bench`, with {n} in it; "" = not known */
	char limits[DOCTOR_URL_MAX];  /* "" = not known */
};

void doctor_urls_of_config(const struct config *config, struct doctor_urls *out);

/* `limits_listener` is the one of its listeners that tells the limits, SIZE_MAX: none, it is a
 * server of others. Whether TLS is spoken is not to be seen. */
void doctor_urls_of_process(const struct process *process, size_t limits_listener,
			    struct doctor_urls *out);
