/* SPDX-License-Identifier: Apache-2.0
 * unit.h - what every unit test includes: cmocka and its prerequisites. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"

/* What fail() and fail_msg() end with leaves the test, which the header of cmocka 1 does not tell
 * a compiler or an analyzer. */
_Noreturn void _fail(const char *file, int line);

/* When a test stops to wait for what must come. Long, for machines that are busy or stall: a
 * test that passes does not wait so long anywhere. */
#define GIVE_UP_S  60
#define GIVE_UP_NS (GIVE_UP_S * NS_PER_S)

/* Asserts with the name of the table row, for table-driven tests. */
#define ASSERT_ROW(cond, name)                                   \
	do {                                                     \
		if (!(cond))                                     \
			fail_msg("row '%s': %s", (name), #cond); \
	} while (0)
