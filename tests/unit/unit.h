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

/* Asserts with the name of the table row, for table-driven tests. */
#define ASSERT_ROW(cond, name)                                   \
	do {                                                     \
		if (!(cond))                                     \
			fail_msg("row '%s': %s", (name), #cond); \
	} while (0)
