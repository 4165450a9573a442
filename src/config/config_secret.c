/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slice.h"
#include "config/config_option.h"

struct error {
	const char *name; /* of the option that names the file */
	char *text;
	size_t size;
};

/* "admin.token_file: ..." */
static bool fail(const struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool fail(const struct error *error, const char *format, ...)
{
	int used = snprintf(error->text, error->size, "%s", error->name);
	va_list args;

	va_start(args, format);
	if (used >= 0 && (size_t)used < error->size)
		vsnprintf(error->text + used, error->size - (size_t)used, format, args);
	va_end(args);
	return false;
}

static bool file_check(const char *path, int fd, const struct error *error)
{
	struct stat facts;

	if (fstat(fd, &facts) < 0)
		return fail(error, ": %s: %s", path, strerror(errno));
	if (!S_ISREG(facts.st_mode))
		return fail(error, ": %s is not a file; name one", path);
	if ((facts.st_mode & (S_IROTH | S_IWOTH)) != 0)
		return fail(error,
			    ": %s has mode %04o, so that everybody on this machine "
			    "may read or write it; take that away (chmod o-rw)",
			    path, (unsigned)(facts.st_mode & 07777));
	return true;
}

static bool is_visible(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	return text.len > 0;
}

/* Editors and echo end the line. */
static struct slice without_newline(struct slice text)
{
	while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
		text.len--;
	return text;
}

/* Of a file that only this process's user and group should read; or -1. */
static int file_open(const char *path, const struct error *error)
{
	/* A pipe without a writer would keep the start waiting. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		fail(error,
		     ": %s cannot be opened: %s; let the user of this "
		     "process read it, or name another file",
		     path, strerror(errno));
	} else if (!file_check(path, fd, error)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool config_secret_check(enum config_option_number option, const struct config_text *file,
			 char *error, size_t error_size)
{
	char name[CONFIG_NAME_MAX];
	struct error to = {.name = name, .text = error, .size = error_size};

	if (file->text[0] == 0)
		return true;
	snprintf(name, sizeof(name), "%s.%s", config_options[option].section,
		 config_options[option].key);
	int fd = file_open(file->text, &to);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool file_load(const char *path, struct config_text *out_text, const struct error *error)
{
	struct config_text content = {0};
	int fd = file_open(path, error);

	if (fd < 0)
		return false;
	ssize_t len = read(fd, content.text, sizeof(content.text));

	close(fd);
	struct slice secret = without_newline(slice_of(content.text, len < 0 ? 0 : (size_t)len));

	if (len < 0 || len == sizeof(content.text) || !is_visible(secret))
		return fail(error,
			    ": %s does not hold a secret; write 1..%d visible "
			    "ASCII characters on one line (openssl rand -hex 32)",
			    path, CONFIG_TEXT_MAX - 2);
	content.text[secret.len] = 0;
	*out_text = (struct config_text){0};
	memcpy(out_text->text, content.text, secret.len);
	return true;
}

bool config_secret_load(enum config_option_number option, const struct config_text *file,
			const struct config_text *direct, struct config_text *out_secret,
			char *error, size_t error_size)
{
	const struct config_option *secret = &config_options[option];
	char variable[CONFIG_NAME_MAX], name[CONFIG_NAME_MAX];
	struct error to = {.name = name, .text = error, .size = error_size};

	snprintf(name, sizeof(name), "%s.%s_file", secret->section, secret->key);
	if (file->text[0] == 0) {
		*out_secret = *direct;
		return true;
	}
	if (direct->text[0] == 0)
		return file_load(file->text, out_secret, &to);
	return fail(&to, " and %s are both set; remove one of them",
		    config_option_variable(secret, variable));
}
