/* SPDX-License-Identifier: Apache-2.0
 * file.h - files that the configuration or a flag names, read whole.
 *
 * Layer: base. Blocks on the disk, but never for the writer of a pipe: for the start, for commands
 * and for the thread that looks at changed files. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The first `size` bytes of whatever can be read there. How many, or a negative errno. */
ssize_t file_read(const char *path, void *out, size_t size);

struct file_content {
	uint8_t *data; /* the caller's to free, and to wipe */
	size_t len;
	mode_t mode;
};

/* All of a regular file. 0 and *out_content; -EFBIG: more than `max` bytes; -EISDIR, or -ESPIPE:
 * it is no regular file; or another negative errno. */
int file_load(const char *path, size_t max, struct file_content *out_content);
