/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/api_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(struct api_token_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool fail(struct api_token_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

static bool file_check(const char *path, int fd, struct api_token_error *out_error)
{
	struct stat facts;

	if (fstat(fd, &facts) < 0)
		return fail(out_error, "admin.token_file: %s: %s", path, strerror(errno));
	if (!S_ISREG(facts.st_mode))
		return fail(out_error, "admin.token_file: %s is not a file; name one", path);
	if ((facts.st_mode & (S_IROTH | S_IWOTH)) != 0)
		return fail(out_error,
			    "admin.token_file: %s has mode %04o, so that everybody on this machine "
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

static bool file_load(const char *path, struct config_text *out_text,
		      struct api_token_error *out_error)
{
	struct config_text content = {0};
	/* A pipe without a writer would keep the start waiting. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return fail(out_error,
			    "admin.token_file: %s cannot be opened: %s; let the user of this "
			    "process read it, or name another file",
			    path, strerror(errno));
	bool is_good = file_check(path, fd, out_error);
	ssize_t len = is_good ? read(fd, content.text, sizeof(content.text)) : 0;

	close(fd);
	if (!is_good)
		return false;
	struct slice token = without_newline(slice_of(content.text, len < 0 ? 0 : (size_t)len));

	if (len < 0 || len == sizeof(content.text) || !is_visible(token))
		return fail(out_error,
			    "admin.token_file: %s does not hold a token; write 1..%d visible "
			    "ASCII characters on one line (openssl rand -hex 32)",
			    path, CONFIG_TEXT_MAX - 2);
	content.text[token.len] = 0;
	*out_text = (struct config_text){0};
	memcpy(out_text->text, content.text, token.len);
	return true;
}

bool api_token_load(const struct config_admin *config, struct api_token *out_token,
		    struct api_token_error *out_error)
{
	struct api_token token = {.text = config->token};

	if (config->token_file.text[0] == 0) {
		*out_token = token;
		return true;
	}
	if (api_token_is_set(&token))
		return fail(out_error, "admin.token_file and GATEHOUSE_ADMIN_TOKEN are both set; "
				       "remove one of them");
	if (!file_load(config->token_file.text, &token.text, out_error))
		return false;
	*out_token = token;
	return true;
}

/* All bytes of both, whatever the first difference. */
static bool equals_in_constant_time(const struct config_text *a, const struct config_text *b)
{
	volatile unsigned difference = 0;

	for (size_t i = 0; i < sizeof(a->text); i++)
		difference |= (unsigned)(uint8_t)a->text[i] ^ (uint8_t)b->text[i];
	return difference == 0;
}

enum api_token_result api_token_check(const struct api_token *token, struct slice field)
{
	static const char scheme[] = "Bearer ";
	const size_t scheme_len = strlen(scheme);
	struct config_text given = {0};

	if (field.len < scheme_len ||
	    !slice_equals_nocase(slice_of(field.data, scheme_len), slice_from_text(scheme)))
		return API_TOKEN_MISSING;
	struct slice text = slice_trim(slice_of(field.data + scheme_len, field.len - scheme_len));

	if (text.len == 0 || text.len >= sizeof(given.text))
		return API_TOKEN_WRONG;
	memcpy(given.text, text.data, text.len);
	return equals_in_constant_time(&token->text, &given) ? API_TOKEN_GOOD : API_TOKEN_WRONG;
}
