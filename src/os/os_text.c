/* SPDX-License-Identifier: Apache-2.0
 * os_text.c - small files of /proc, /sys and cgroups: read whole, and numbers taken out of them,
 * each with its source or the reason why there is none (os_limits_private.h). */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/os_limits_private.h"

/* /proc/self/mountinfo of a machine full of containers is the largest that we read. */
#define TEXT_MAX (4U << 20)

/* Files of /proc have no size, and may give an error in the middle. */
static int content_read(int fd, struct buf *content)
{
	for (;;) {
		uint8_t *room = buf_reserve(content, 4096, TEXT_MAX);

		if (room == NULL)
			return -EFBIG;
		ssize_t got = read(fd, room, 4096);

		if (got == 0)
			return buf_append(content, "", 1, TEXT_MAX);
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0)
			content->len += (size_t)got;
	}
}

void os_text_read(struct os_text *text, const struct os_target *target, const char *format, ...)
{
	va_list args;
	int at = snprintf(text->path, sizeof(text->path), "%s", target->root);

	text->content = (struct buf){0};
	text->problem = NULL;
	va_start(args, format);
	if (at >= 0 && (size_t)at < sizeof(text->path))
		at += vsnprintf(text->path + at, sizeof(text->path) - (size_t)at, format, args);
	va_end(args);
	/* Without O_NONBLOCK a made-up tree with a pipe in it would hang us. */
	int fd = (size_t)at < sizeof(text->path)
			 ? open(text->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
			 : (errno = ENAMETOOLONG, -1);

	text->error = fd < 0 ? -errno : content_read(fd, &text->content);
	if (fd >= 0)
		close(fd);
	if (text->error < 0)
		text->problem = strerrordesc_np(-text->error);
	else if (text->content.data == NULL ||
		 strlen((const char *)text->content.data) + 1 < text->content.len)
		text->problem = "is no text";
}

void os_text_finish(struct os_text *text)
{
	buf_finish(&text->content);
}

/* Cut off where it is too long for the room. Names of groups may hold any byte: what a
 * terminal or JSON cannot show becomes '?'. */
static void text_copy(char *to, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	for (size_t i = 0; i < len; i++)
		to[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	to[len] = '\0';
}

void os_value_set(struct os_value *value, const char *source, uint64_t number)
{
	*value = (struct os_value){.is_known = true, .value = number};
	text_copy(value->source, sizeof(value->source), source);
}

void os_value_fail(struct os_value *value, const char *source, int error, const char *reason)
{
	size_t at;

	*value = (struct os_value){.is_absent = error == -ENOENT};
	text_copy(value->source, sizeof(value->source), source);
	at = (size_t)snprintf(value->problem, sizeof(value->problem), "%s: ", value->source);
	text_copy(value->problem + at, sizeof(value->problem) - at, reason);
}

const char *os_number_parse(const char *at, uint64_t *out_number)
{
	uint64_t number = 0;

	if (*at == '\0' || *at == '\n')
		return "a number is missing";
	if (!isdigit((unsigned char)*at))
		return "is not a number";
	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return "the number is too large";
	if (*at != '\0' && !isspace((unsigned char)*at))
		return "is not a number";
	*out_number = number;
	return NULL;
}

static const char *blanks_skip(const char *at)
{
	return at + strspn(at, " \t");
}

static bool word_is(const char *at, const char *word)
{
	size_t len = strlen(word);

	return strncmp(at, word, len) == 0 && (at[len] == '\0' || isspace((unsigned char)at[len]));
}

/* What is behind `label` in the line that begins with it; NULL: there is none. */
static const char *line_find(const char *at, const char *label)
{
	size_t len = strlen(label);

	while (at != NULL && strncmp(at, label, len) != 0) {
		at = strchr(at, '\n');
		if (at != NULL)
			at++;
	}
	return at == NULL ? NULL : at + len;
}

static const char *value_parse(const char *at, unsigned skip, uint64_t unit, uint64_t *out_number)
{
	uint64_t number;

	at = blanks_skip(at);
	for (; skip > 0 && *at != '\0' && *at != '\n'; skip--)
		at = blanks_skip(at + strcspn(at, " \t\n"));
	if (word_is(at, "max") || word_is(at, "unlimited")) {
		*out_number = OS_UNLIMITED;
		return NULL;
	}
	const char *problem = os_number_parse(at, &number);

	if (problem == NULL && __builtin_mul_overflow(number, unit, &number))
		problem = "the number is too large";
	if (problem == NULL)
		*out_number = number;
	return problem;
}

void os_text_value(const struct os_text *text, const char *label, unsigned skip, uint64_t unit,
		   struct os_value *out_value)
{
	char missing[96];
	uint64_t number;
	const char *problem = text->problem;

	if (problem == NULL && text->content.len <= 1)
		problem = "is empty";
	if (problem == NULL) {
		const char *at = line_find((const char *)text->content.data, label);

		snprintf(missing, sizeof(missing), "has no line \"%s\"", label);
		problem = at == NULL ? missing : value_parse(at, skip, unit, &number);
	}
	if (problem != NULL)
		os_value_fail(out_value, text->path, text->error, problem);
	else
		os_value_set(out_value, text->path, number);
}

void os_file_value(const struct os_target *target, const char *path, unsigned skip, uint64_t unit,
		   struct os_value *out_value)
{
	struct os_text text;

	os_text_read(&text, target, "%s", path);
	os_text_value(&text, "", skip, unit, out_value);
	os_text_finish(&text);
}
