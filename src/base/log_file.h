/* SPDX-License-Identifier: Apache-2.0
 * log_file.h - lines to a file, by a thread of its own.
 *
 * Layer: base. Whoever has a line puts it in a buffer of fixed size and goes on; the thread writes
 * what is there. What finds no room, because the disk is slow, and what cannot be written, because
 * it is full, is dropped and counted. A file that was moved or removed (logrotate) is opened anew
 * by itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_file;

#define LOG_FILE_BUFFER (1024 * 1024) /* [bytes] that wait, and as many that are being written */

/* Lines. */
struct log_file_stats {
	uint64_t written;
	uint64_t dropped_full; /* the buffer had no room */
	uint64_t dropped_disk; /* they could not be written */
};

/* Told by the thread when the file cannot be written any more, with an errno, and when it can: 0.
 */
typedef void (*log_file_told_fn)(void *arg, const char *path, int error);

/* Could lines go there? 0, or a negative errno. Nothing is made. */
int log_file_check(const char *path);

/* Appends to the file from now on. 0, or a negative errno. `path` is copied. */
int log_file_create(const char *path, log_file_told_fn told, void *arg, struct log_file **out_file);

/* Writes what waits, for at most 2 s; then *out_last has what became of all its lines. NULL is fine
 * in both; clears the pointer. */
void log_file_destroy(struct log_file **file, struct log_file_stats *out_last);

/* From any thread; never waits for the disk. `line` has its newline. */
void log_file_put(struct log_file *file, const char *line, size_t len);

/* From any thread. */
void log_file_stats(const struct log_file *file, struct log_file_stats *out_stats);
