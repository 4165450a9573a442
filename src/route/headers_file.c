/* SPDX-License-Identifier: Apache-2.0 */
#include "route/headers_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/private_file.h"

#define REJECT(...) (snprintf(error, error_size, __VA_ARGS__), -EINVAL)

void static_headers_finish(struct static_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		explicit_bzero(headers->texts[i], strlen(headers->texts[i]));
		free(headers->texts[i]);
	}
	*headers = (struct static_headers){0};
}

struct reading {
	const char *file;
	struct static_headers headers;
	char *error;
	size_t error_size;
};

/* The line is the reading's already, and is wiped with it. */
static int header_take(struct reading *reading, const char *text, size_t number)
{
	struct webhook_header *header = &reading->headers.items[reading->headers.count - 1];
	struct slice rest = slice_from_text(text), name;
	char *error = reading->error, problem[256];
	size_t error_size = reading->error_size;

	slice_next(&rest, ':', &name);
	if (rest.data == NULL)
		return REJECT("%s:%zu: there is no ':'; write 'Name: value'", reading->file,
			      number);
	*header = (struct webhook_header){.name = name, .value = slice_trim(rest)};
	if (!webhook_static_header_check(header, problem, sizeof(problem)))
		return REJECT("%s:%zu: %s", reading->file, number, problem);
	return 0;
}

static int line_take(void *arg, struct slice line, size_t number)
{
	struct reading *reading = arg;
	struct static_headers *headers = &reading->headers;
	char *error = reading->error;
	size_t error_size = reading->error_size;

	if (headers->count == STATIC_HEADERS_MAX)
		return REJECT("%s:%zu: there are more than %d headers; leave some out",
			      reading->file, number, STATIC_HEADERS_MAX);
	if (memchr(line.data, 0, line.len) != NULL)
		return REJECT("%s:%zu: there is a byte 0; write text", reading->file, number);
	char *text = slice_to_text(line);

	if (text == NULL)
		return -ENOMEM;
	headers->texts[headers->count++] = text;
	return header_take(reading, text, number);
}

int headers_file_read(const char *file, struct static_headers *out_headers, char *error,
		      size_t error_size)
{
	struct reading reading = {.file = file, .error = error, .error_size = error_size};

	snprintf(error, error_size, "out of memory");
	int r = private_file_read(file, line_take, &reading, error, error_size);

	if (r == 0 && reading.headers.count == 0)
		r = REJECT("%s: has no header; write 'Name: value' in a line", file);
	if (r < 0)
		static_headers_finish(&reading.headers);
	else
		*out_headers = reading.headers;
	return r;
}
