/* SPDX-License-Identifier: Apache-2.0 */
#include "route/private_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

static int lines_take(struct slice text, int (*take)(void *arg, struct slice line, size_t number),
		      void *arg)
{
	struct slice line;
	int r = 0;

	for (size_t number = 1; r == 0 && slice_next_line(&text, &line); number++) {
		line = slice_trim(line);
		if (line.len > 0 && line.data[0] != '#')
			r = take(arg, line, number);
	}
	return r;
}

int private_file_read(const char *file, int (*take)(void *arg, struct slice line, size_t number),
		      void *arg, char *error, size_t error_size)
{
	uint8_t text[PRIVATE_FILE_MAX + 1];
	ssize_t len = file_read(file, text, sizeof(text));
	int r = -EINVAL;

	if (len < 0)
		snprintf(error, error_size,
			 "%s cannot be read: %s; let the user of this process read it", file,
			 strerror((int)-len));
	else if (len > PRIVATE_FILE_MAX)
		snprintf(error, error_size, "%s is larger than %d bytes; name a file with secrets",
			 file, PRIVATE_FILE_MAX);
	else
		r = lines_take(slice_of(text, (size_t)len), take, arg);
	explicit_bzero(text, sizeof(text));
	return r;
}
