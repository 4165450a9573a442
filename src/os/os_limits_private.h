/* SPDX-License-Identifier: Apache-2.0
 * os_limits_private.h - how the facts of os_limits.h are read from files.
 *
 * Layer: io, internal to os_*.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "os/os_limits.h"

#define OS_PATH_MAX 4096

/* Whom the facts are about. */
struct os_target {
	const char *root; /* "": none */
	char process[32]; /* "self" or the pid, as in /proc/PROCESS/... */
	bool is_self;     /* this process, on this machine */
};

/* One file's content, read once for all the facts in it. */
struct os_text {
	char path[OS_PATH_MAX]; /* root included */
	struct buf content;     /* ends with a NUL, if there was no error */
	const char *problem;    /* NULL, or why it could not be read; static text */
	int error;              /* 0 or a negative errno */
};

/* Reads target->root followed by the path. os_text_finish afterwards, in every case. */
void os_text_read(struct os_text *text, const struct os_target *target, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void os_text_finish(struct os_text *text);

/* Behind `label` at the start of a line ("": the first line): the number after `skip`
 * words, times `unit`. "max" and "unlimited" are OS_UNLIMITED. Whatever is wrong
 * becomes the value's problem. */
void os_text_value(const struct os_text *text, const char *label, unsigned skip, uint64_t unit,
		   struct os_value *out_value);

/* The same for a file with one fact in it. */
void os_file_value(const struct os_target *target, const char *path, unsigned skip, uint64_t unit,
		   struct os_value *out_value);

/* A decimal number at the start of `at`, ended by a blank or the end: returns NULL and
 * fills *out, or returns what is wrong. */
const char *os_number_parse(const char *at, uint64_t *out_number);

void os_value_set(struct os_value *value, const char *source, uint64_t number);
/* `error` is a negative errno, or 0 if the reason is another. */
void os_value_fail(struct os_value *value, const char *source, int error, const char *reason);

/* Each fills its share of the facts. */
void os_cgroup_read(const struct os_target *target, struct os_limits *limits);
void os_network_read(const struct os_target *target, struct os_limits *limits);
