/* SPDX-License-Identifier: Apache-2.0
 * private_file.h - small files of lines that hold secrets.
 *
 * Layer: route. Blocks: for the start, and for commands. Nothing of the content is in any error. */
#pragma once

#include <stddef.h>

#include "base/slice.h"

#define PRIVATE_FILE_MAX 16384 /* [bytes] */

/* Calls `take` for each line that is neither empty nor begins with '#', trimmed, with its number
 * from 1, until that returns a negative errno. Wipes what it read. Returns that, 0, or -EINVAL
 * and what is wrong with the file in `error`. */
int private_file_read(const char *file, int (*take)(void *arg, struct slice line, size_t number),
		      void *arg, char *error, size_t error_size);
