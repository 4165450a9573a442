/* SPDX-License-Identifier: Apache-2.0
 * headers_file.h - headers that go with every request to a back end: who we are, for whoever
 * stands before it.
 *
 * Layer: route. Blocks: for the start, and for commands. */
#pragma once

#include <stddef.h>

#include "webhook/webhook.h"

#define STATIC_HEADERS_MAX 32

struct static_headers {
	struct webhook_header items[STATIC_HEADERS_MAX]; /* point into `texts` */
	char *texts[STATIC_HEADERS_MAX];                 /* a line each */
	size_t count;
};

/* Lines "Name: value"; empty ones and those that begin with '#' are left out. Returns 0 with at
 * least one, all of them good; or a negative errno and what is wrong, with the line and without
 * the value, in `error`. */
int headers_file_read(const char *file, struct static_headers *out_headers, char *error,
		      size_t error_size);

/* Wipes them. */
void static_headers_finish(struct static_headers *headers);
