/* SPDX-License-Identifier: Apache-2.0
 * check.h - assertions that stay on in production.
 *
 * Layer: base. CHECK is for our own bugs only: a broken peer or a failing
 * system call is never a CHECK. Aborts with the place and the condition. */
#pragma once

#include <stddef.h>

_Noreturn void check_failed(const char *file, int line, const char *condition);

#define CHECK(cond) \
	(__builtin_expect(!!(cond), 1) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
