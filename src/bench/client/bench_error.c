/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_error.h"

#include <stdarg.h>
#include <stdio.h>

int bench_fail(int r, char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return r;
}

bool bench_is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
			return false;
	return true;
}
