/* SPDX-License-Identifier: Apache-2.0
 * secret_file.h - secrets of Standard Webhooks, one in a line.
 *
 * Layer: route. Reads a file: for the start and for commands. */
#pragma once

#include <stddef.h>

#define SECRETS_MAX 16

struct secrets {
	char *items[SECRETS_MAX];
	size_t count;
};

/* Empty lines and those that begin with '#' are left out. Returns 0 with at least one, all of
 * them good; or a negative errno and what is wrong, with the line, in `error`. */
int secret_file_read(const char *file, struct secrets *out_secrets, char *error, size_t error_size);

/* Wipes them. */
void secrets_finish(struct secrets *secrets);
